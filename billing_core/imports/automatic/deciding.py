"""What a file holds and where, as it is found when nobody looks: the one decision behind the page, the command and the
HTTP API.
"""

from dataclasses import dataclass, replace
from typing import BinaryIO

from sqlalchemy.orm import Session

from billing_core.errors import BillingError
from billing_core.imports import Kind, Lines, Repeats, received, sources
from billing_core.imports.automatic import answers as said
from billing_core.imports.automatic import profiles
from billing_core.imports.automatic.answers import NOTHING_SAID, Answers
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.layouts import recognising, without_customer
from billing_core.imports.mapping import Mapping


@dataclass(frozen=True, slots=True)
class FoundPart:
    """What a file holds of one kind. ``guessed``: its columns were matched by their names alone."""

    kind: Kind
    mapping: Mapping
    guessed: bool
    repeats: Repeats | None
    lines: Lines | None = None
    may_set_aside: int = 0

    @property
    def missing(self) -> list[str]:
        """Required fields that no column of the file is mapped to."""
        return [name for name in DEFINITIONS[self.kind].required if name not in self.mapping]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """``layout`` is missing where it cannot be read, which ``problem`` says. ``source``: whose export it is, where that
    is known. ``question``: what somebody must say where it has no parts. ``first``: its first rows.
    """

    file_name: str
    layout: sources.Layout | None
    first: list[list[str]]
    parts: tuple[FoundPart, ...]
    source: str = ""
    question: str = ""
    problem: str = ""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(part.kind for part in self.parts)


def find(
    session: Session, stream: BinaryIO, file_name: str, sheet: str | None = None, answers: Answers = NOTHING_SAID
) -> FoundFile:
    """What a seekable file holds, with what was said of it. One that cannot be read is found with its problem."""
    chosen = answers.source if sheet is None else replace(answers.source, sheet=sheet)
    look = received.look_at(stream, file_name, chosen)
    if look.columns["layout"] is None:
        return FoundFile(file_name, None, [], (), problem=look.columns["problem"])
    layout, first = received.layout_of(look.columns["layout"]), look.columns["preview"]
    try:
        parts, source = parts_of(session, layout, look.found, answers)
    except BillingError as problem:
        return FoundFile(file_name, layout, first, (), look.found.source, problem=received.printable(str(problem)))
    return FoundFile(file_name, layout, first, parts, source, "" if parts else look.found.question)


def parts_of(
    session: Session, layout: sources.Layout, found: recognising.Found, answers: Answers = NOTHING_SAID
) -> tuple[tuple[FoundPart, ...], str]:
    """The parts of a file with this layout, and whose export it is."""
    if answers.profile is not None:
        profile = profiles.of_file(session, answers.profile, layout)
        starts, source = {kind: (start, False) for kind, start in profile.starts.items()}, profile.source
    else:
        starts, source = {}, found.source
    kinds = tuple(starts) or found.kinds
    if answers.kinds:
        kinds = tuple(kind for kind in Kind if kind in answers.kinds)
    found_parts = (_part(session, layout, kind, starts.get(kind), answers) for kind in kinds)
    if answers.owner and Kind.ORDERS in kinds:
        return tuple(_owned(part, answers.owner) for part in found_parts), source
    return tuple(found_parts), source


def _owned(part: FoundPart, owner: str) -> FoundPart:
    return replace(part, mapping=without_customer.belong_to(part.kind, part.mapping, owner))


def start(session: Session, layout: sources.Layout, kind: Kind) -> FoundPart:
    """This kind of the file, as nobody has said anything about it."""
    return _part(session, layout, kind, None, NOTHING_SAID)


def _part(
    session: Session,
    layout: sources.Layout,
    kind: Kind,
    given: tuple[Mapping, bool] | None,
    answers: Answers,
) -> FoundPart:
    definition = DEFINITIONS[kind]
    begin, guessed = given or recognising.start_for(session, definition, layout)
    return FoundPart(
        kind,
        said.mapped(answers, definition, layout, begin),
        guessed,
        (answers.repeats if definition.one_counts else None) or recognising.repeats(layout.header, kind),
        answers.lines if kind is Kind.ORDER_ITEMS else None,
        answers.set_aside,
    )
