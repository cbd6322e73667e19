"""A received file as it is shown and worked on, read from its row."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, select

from billing_core.imports import Kind, Lines, Repeats, mapping, merging, sources
from billing_core.imports.kind import Definition
from billing_core.imports.kinds.line_modes import BilledOrderRow, GoneLine
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.layouts import recognising
from billing_core.imports.mapping import Mapping
from billing_core.imports.models import FileState, ImportFile
from billing_core.imports.outcome import Outcome
from billing_core.imports.rejections import Group, Rejected
from billing_core.imports.words.answers import WordAsked, WordRead
from billing_core.imports.writing.questions import Choice, Question

BUSY: Final = (FileState.WAITING, FileState.RUNNING)
# The columns of a file that waits to be worked on.
WAITING: Final[dict[str, Any]] = {
    "state": FileState.WAITING,
    "outcome": None,
    "problem": "",
    "step": "",
    "done": 0,
    "total": 1,
}


@dataclass(frozen=True)
class Received:
    """One file, or what it holds of one kind: ``source_id`` is the row that keeps what was received then, and one that
    is ``left_out`` is not imported. ``size`` is in bytes. ``guessed``: nobody has imported a file of its layout yet.
    ``problem``: why it cannot be read or imported at all.
    """

    id: int
    token: str
    file_name: str
    size: int
    layout: sources.Layout | None
    preview: list[list[str]]
    kind: Kind | None
    mapping: Mapping
    lines: Lines | None
    repeats: Repeats | None
    guessed: bool
    may_set_aside: int
    state: FileState
    outcome: Outcome | None
    problem: str
    source_id: int | None
    left_out: bool

    @property
    def kept_as(self) -> int:
        """The id under which what was received is kept: the same for all parts of a file."""
        return self.id if self.source_id is None else self.source_id

    @property
    def source(self) -> str:
        """Whose export it is, where that is known."""
        known = None if self.layout is None else recognising.known(self.layout.header)
        return "" if known is None else f"{known.source}: {known.title}"

    @property
    def definition(self) -> Definition | None:
        return None if self.kind is None else DEFINITIONS[self.kind]

    @property
    def busy(self) -> bool:
        return self.state in BUSY

    @cached_property
    def question(self) -> str:
        """What a person must say about a file whose kind is not known; empty where it is."""
        if self.layout is None or self.kind is not None:
            return ""
        return recognising.found(self.layout.header, self.preview, self.file_name).question

    @cached_property
    def missing(self) -> list[str]:
        """Our required columns that no column of the file is mapped to."""
        definition = self.definition
        return [] if definition is None else [name for name in definition.required if name not in self.mapping]


def in_order() -> tuple[ColumnElement[Any], ...]:
    """Files in the order in which they depend on each other, then as they were received."""
    places = {kind: place for place, kind in enumerate(Kind)}
    return case(places, value=ImportFile.kind, else_=len(places)), ImportFile.id.expression


def kept_as() -> ColumnElement[int]:
    """In SQL: the id under which what was received is kept, the same for all parts of a file."""
    return func.coalesce(ImportFile.source_id, ImportFile.id)


def files() -> Select[Any]:
    """Select the columns that ``of_row`` reads, in order. Add whose files they are."""
    file = ImportFile
    columns = (file.id, file.token, file.file_name, file.size, file.layout, file.preview, file.kind, file.mapping)
    chosen = (file.lines, file.repeats, file.guessed, file.source_id, file.left_out, file.may_set_aside)
    return select(*columns, *chosen, file.state, file.outcome, file.problem).order_by(*in_order())


def of_row(row: Any) -> Received:
    """One of the rows that ``files`` selects, or an ImportFile."""
    layout = None if row.layout is None else layout_of(row.layout)
    mapped = Mapping()
    if row.kind is not None and layout is not None:
        mapped = mapping.from_json(DEFINITIONS[row.kind], layout, row.mapping)
    return Received(
        row.id,
        row.token,
        row.file_name,
        row.size,
        layout,
        row.preview or [],
        row.kind,
        mapped,
        row.lines,
        row.repeats,
        row.guessed,
        row.may_set_aside,
        row.state,
        None if row.outcome is None or row.kind is None else _outcome(row.outcome, row.kind, row.file_name, mapped),
        row.problem,
        row.source_id,
        row.left_out,
    )


def layout_json(layout: sources.Layout) -> dict[str, Any]:
    """The layout as it is stored."""
    return asdict(layout)


def layout_of(stored: dict[str, Any]) -> sources.Layout:
    return sources.Layout(tuple(stored["header"]), stored["delimiter"], stored["header_line"])


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome as it is stored beside the file's kind, name and mapping. Changed values become texts, as shown."""
    return {
        "new": outcome.new,
        "changed": outcome.changed,
        "unchanged": outcome.unchanged,
        "rejected": outcome.rejected,
        "applied": outcome.applied,
        "gone": outcome.gone,
        "gone_lines": [asdict(one) for one in outcome.gone_lines],
        "undecided": outcome.undecided,
        "billed": outcome.billed,
        "repeated": outcome.repeated,
        "passed_over": outcome.passed_over,
        "asked": [asdict(word) for word in outcome.asked],
        "waiting": outcome.waiting,
        "left_out": outcome.left_out,
        "unsaid": outcome.unsaid,
        "read": [asdict(word) for word in outcome.read],
        "billed_orders": [asdict(one) for one in outcome.billed_orders],
        "questions": [asdict(one) for one in outcome.questions],
        "rejections": [asdict(row) for row in outcome.rejections],
        "groups": [asdict(one) for one in outcome.groups],
        "may_set_aside": outcome.may_set_aside,
        "notes": outcome.notes,
        "changes": [asdict(one) | {"old": _text(one.old), "new": _text(one.new)} for one in outcome.changes],
    }


def printable(text: str) -> str:
    """Without what PostgreSQL cannot hold in a text."""
    return text.replace("\0", "\ufffd")


def _outcome(stored: dict[str, Any], kind: Kind, file_name: str, mapped: Mapping) -> Outcome:
    return Outcome(
        kind,
        file_name,
        mapped,
        stored["new"],
        stored["changed"],
        stored["unchanged"],
        stored["rejected"],
        [Rejected(**row) for row in stored["rejections"]],
        [merging.Change(**one) for one in stored["changes"]],
        stored["applied"],
        # A former version stored none of these.
        stored.get("gone", 0),
        [GoneLine(**one) for one in stored.get("gone_lines", ())],
        stored.get("undecided", 0),
        stored.get("billed", 0),
        [BilledOrderRow(**one) for one in stored.get("billed_orders", ())],
        stored.get("repeated", 0),
        stored.get("passed_over", 0),
        [WordAsked(**word) for word in stored.get("asked", ())],
        stored.get("waiting", 0),
        stored.get("left_out", 0),
        stored.get("unsaid", 0),
        [WordRead(**word) for word in stored.get("read", ())],
        [_group(one) for one in stored.get("groups", ())],
        stored.get("may_set_aside", 0),
        [_question(**one) for one in stored.get("questions", ())],
        stored.get("notes", []),
    )


def _group(stored: dict[str, Any]) -> Group:
    return Group(**stored | {"values": tuple((value, rows) for value, rows in stored["values"])})


def _question(choices: list[dict[str, str]], **asked: str) -> Question:
    return Question(choices=tuple(Choice(**one) for one in choices), **asked)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return merging.written(value) if isinstance(value, Decimal) else str(value)
