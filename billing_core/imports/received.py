"""A received file as it is shown and worked on, read from its row; the first look at one that has just come."""

import secrets
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, BinaryIO, Final

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from billing_core.errors import Invalid
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

PREVIEWED_ROWS: Final = 5
# Of a cell in the preview: a file may have rows of megabytes.
PREVIEWED_CHARACTERS: Final = 500


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


def kinds_beside(session: Session, file: Received) -> list[Kind]:
    """All kinds that the file is said to hold, also those of its parts that are left out."""
    parts = (kept_as() == file.kept_as, ImportFile.state != FileState.DISCARDED, ImportFile.kind.is_not(None))
    return list(session.scalars(select(ImportFile.kind).where(*parts).order_by(*in_order())))


def further_part(first: ImportFile) -> ImportFile:
    """What the file holds of another kind."""
    shared = ("owner_id", "file_name", "size", "received_at", "layout", "preview", "state")
    return ImportFile(
        token=secrets.token_hex(12), source_id=first.id, mapping={}, **{name: getattr(first, name) for name in shared}
    )


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
    """As ``layout_json`` wrote it, or a former version, which stored the first three alone."""
    lists = ("header", "sheets", "filled", "doubts")
    known = stored | {name: tuple(stored[name]) for name in lists if name in stored}
    chosen = stored.get("chosen", {})
    listed = {name: tuple(chosen[name]) for name in ("kept", "dropped") if name in chosen}
    form = sources.Form(stored.get("form", sources.Form.TEXT))
    return sources.Layout(**(known | {"form": form, "chosen": sources.Chosen(**(chosen | listed))}))


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
        "telling": outcome.telling,
        "run_id": outcome.run_id,
        "billed_orders": [asdict(one) for one in outcome.billed_orders],
        "questions": [asdict(one) for one in outcome.questions],
        "no_rows": outcome.no_rows,
        "odd_lines": [asdict(one) for one in outcome.odd_lines],
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
        stored.get("no_rows", 0),
        [sources.OddLine(**one) for one in stored.get("odd_lines", ())],
        stored.get("telling", []),
        stored.get("run_id"),
    )


def _group(stored: dict[str, Any]) -> Group:
    return Group(**stored | {"values": tuple((value, rows) for value, rows in stored["values"])})


def _question(choices: list[dict[str, str]], **asked: str) -> Question:
    return Question(choices=tuple(Choice(**one) for one in choices), **asked)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return merging.written(value) if isinstance(value, Decimal) else str(value)


@dataclass(frozen=True, slots=True)
class Look:
    """``columns``: those of the stored file that say how it is read and shown. ``found``: what it holds."""

    columns: dict[str, Any]
    found: recognising.Found


def look_at(stream: BinaryIO, file_name: str, chosen: sources.Chosen) -> Look:
    """One that cannot be read is refused with its problem."""
    try:
        layout, rows = _layout_and_rows(stream, chosen)
    except Invalid as problem:
        return refused(problem)
    width = len(layout.header)
    first = [[cell[:PREVIEWED_CHARACTERS] for cell in row[:width]] for row in rows]
    columns = {"state": FileState.NEW, "problem": "", "layout": layout_json(layout), "preview": first}
    return Look(columns, recognising.found(layout.header, first, file_name))


def refused(problem: Invalid) -> Look:
    """Of a file that cannot be read."""
    reason = printable(str(problem))
    columns = {"state": FileState.REFUSED, "problem": reason, "layout": None, "preview": None}
    return Look(columns, recognising.Found(()))


def _layout_and_rows(stream: BinaryIO, chosen: sources.Chosen) -> tuple[sources.Layout, list[list[str]]]:
    layout = sources.read_layout(stream, chosen)
    layout, rows = sources.proven(stream, layout, lambda proven: (proven, _first_rows(stream, proven)))
    if not rows:
        raise Invalid("The file names its columns and has no rows below them: there is nothing to import.")
    return layout, rows


def _first_rows(stream: BinaryIO, layout: sources.Layout) -> list[list[str]]:
    batches = sources.batches(stream, layout, size=PREVIEWED_ROWS)
    return next((batch.rows for batch in batches if batch.rows), [])


def tables_of(content: sources.Content) -> list[sources.Chosen]:
    """What is to be read of a file: each sheet of a workbook that has several. Faults are told when it is read."""
    if not content.stream.seekable():
        return [sources.NOTHING_CHOSEN]
    try:
        sheets = sources.sheets(content.stream)
    except Invalid:
        sheets = []
    content.stream.seek(0)
    return [sources.Chosen(sheet=sheet) for sheet in sheets] if len(sheets) > 1 else [sources.NOTHING_CHOSEN]
