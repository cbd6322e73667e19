"""What is unsure of a file, why, and what answers it."""

import enum
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from billing_core.imports import Kind, mapping, sources
from billing_core.imports.automatic.deciding import FoundFile, FoundPart
from billing_core.imports.kind import EVERY_CUSTOMER
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.outcome import Outcome
from billing_core.imports.words.answers import LEAVE_OUT

# Of choices, columns and lines that are named in a sentence.
MOST_NAMED: Final = 20
# Field and reason of rejected rows of orders, for which one answer says whose they are.
_NO_CUSTOMER: Final = ("customer_ref", "is empty")


class About(enum.StrEnum):
    """Words for programs. Of those in ``MUST`` nothing is imported before they are answered."""

    UNREADABLE = "unreadable"
    KIND = "kind"
    COLUMNS_MISSING = "columns_missing"
    READINGS = "readings"
    WORDS = "words"
    REPEATS = "repeats"
    LINES = "lines"
    REJECTED = "rejected"
    WAITS = "waits"
    COLUMNS_GUESSED = "columns_guessed"
    READ_AS = "read_as"
    LINES_LEFT_OUT = "lines_left_out"
    WITHOUT_STATUS = "without_status"
    BILLED = "billed"
    NOTICED = "noticed"


MUST: Final = frozenset(
    {
        About.UNREADABLE,
        About.KIND,
        About.COLUMNS_MISSING,
        About.READINGS,
        About.WORDS,
        About.REPEATS,
        About.LINES,
        About.REJECTED,
        About.WAITS,
    }
)


@dataclass(frozen=True, slots=True)
class AnswerOption:
    """An ``option`` of the command, or field of the HTTP API, and a ``value`` that it may have; “…” stands for what is
    to be filled in.
    """

    option: str
    value: str


@dataclass(frozen=True, slots=True)
class Doubt:
    about: About
    text: str
    answers: tuple[AnswerOption, ...] = ()
    kind: Kind | None = None

    @property
    def must(self) -> bool:
        """Whether nothing is imported until it is answered, or mended."""
        return self.about in MUST


def of_file(found: FoundFile) -> list[Doubt]:
    """Of a file as a whole, before any of its rows are looked at."""
    if found.problem:
        ways = () if found.layout is not None else tuple(_options("encoding", ["…"]))
        return [Doubt(About.UNREADABLE, found.problem, ways)]
    if not found.parts:
        return [Doubt(About.KIND, found.question, tuple(_options("kind", Kind)))]
    return []


def of_part(
    layout: sources.Layout, part: FoundPart, outcome: Outcome | None, problem: str = "", *, kinds: Collection[Kind]
) -> list[Doubt]:
    """Of what a file of these ``kinds`` holds of one. ``problem``: why it is not imported, beyond what the ``outcome``
    says.
    """
    definition = DEFINITIONS[part.kind]
    found: list[Doubt] = []
    if missing := part.missing:
        ways = [f"{name}=…" for name in missing]
        if missing == ["customer_ref"] and definition.for_everyone:
            ways = ["customer_ref=…", "customer_ref==…", f"customer_ref=={EVERY_CUSTOMER}"]
        text = f"No column of the file is {' or '.join(missing)}"
        found.append(Doubt(About.COLUMNS_MISSING, text, tuple(_options("map", ways)), part.kind))
    elif outcome is not None:
        found += _to_answer(part, outcome, kinds)
    if problem and not (outcome is not None and problem == outcome.question):
        about = About.WAITS if outcome is not None else About.UNREADABLE
        found.append(Doubt(about, problem, kind=part.kind))
    found += _guessed(layout, part)
    if outcome is not None:
        found += _noticed(layout, part, outcome)
    return found


def _to_answer(part: FoundPart, outcome: Outcome, kinds: Collection[Kind]) -> Iterator[Doubt]:
    """Without an answer to these nothing is imported."""
    kind = part.kind
    for question in outcome.questions:
        ways = [f"{question.field}={choice.reading}" for choice in question.choices]
        yield Doubt(About.READINGS, f"{question.column}: {question.text}", tuple(_options("reading", ways)), kind)
    for word in outcome.asked:
        rows = "one row" if word.rows == 1 else f"{word.rows:,} rows"
        ways = [f"{word.field}:{word.word}={ours}" for ours in _choices(kind, word.field)]
        text = f"{word.column}: “{word.word}” on {rows} is not understood"
        yield Doubt(About.WORDS, text, tuple(_options("word", ways)), kind)
    if outcome.repeated:
        rows = "One row differs" if outcome.repeated == 1 else f"{outcome.repeated:,} rows differ"
        text = f"{rows} from one of the same key above: the first or the last row of a key counts"
        yield Doubt(About.REPEATS, text, tuple(_options("repeats", ["first", "last"])), kind)
    if outcome.undecided:
        orders = "One order has" if outcome.undecided == 1 else f"{outcome.undecided:,} orders have"
        text = f"{orders} other lines already: add to them, replace all, or change what is named"
        yield Doubt(About.LINES, text, tuple(_options("lines", ["add", "replace", "change"])), kind)
    if outcome.rejected > outcome.set_aside:
        yield _rejected(kind, outcome, kinds)


def _rejected(kind: Kind, outcome: Outcome, kinds: Collection[Kind]) -> Doubt:
    why = [
        f"{group.rows:,} × {group.column + ' ' if group.column else ''}{group.reason}"
        for group in outcome.groups[:MOST_NAMED]
    ]
    words = [f"{group.field}:{value}=…" for group in outcome.groups if group.mendable for value, _rows in group.values][
        :MOST_NAMED
    ]
    ways = [*_options("word", words), *_options("set-aside", [str(outcome.rejected)])]
    of_orders = kind in (Kind.CUSTOMERS, Kind.ORDERS) and Kind.ORDERS in kinds
    if of_orders and any((group.field, group.reason) == _NO_CUSTOMER for group in outcome.groups):
        ways = [*_options("no-customer", ["…"]), *ways]
    return Doubt(About.REJECTED, f"Rejected rows: {outcome.rejected:,}. {'; '.join(why)}", tuple(ways), kind)


def _choices(kind: Kind, field: str) -> Sequence[str]:
    choices = DEFINITIONS[kind].field(field).choices
    few = [] if choices is None else list(choices())
    return [*few, LEAVE_OUT] if 0 < len(few) <= MOST_NAMED else ["…", LEAVE_OUT]


def _guessed(layout: sources.Layout, part: FoundPart) -> Iterator[Doubt]:
    if not part.guessed or not mapping.in_doubt(layout, part.mapping):
        return
    unused = mapping.unused(layout, part.mapping)
    text = "Its columns were matched by their names alone"
    if unused:
        more = " …" if len(unused) > MOST_NAMED else ""
        text += f"; not used: {', '.join(unused[:MOST_NAMED])}{more}"
    yield Doubt(About.COLUMNS_GUESSED, text, tuple(_options("map", ["…=…"])), part.kind)


def _noticed(layout: sources.Layout, part: FoundPart, outcome: Outcome) -> Iterator[Doubt]:
    """What may be as it should, or not."""
    kind = part.kind
    for note in outcome.notes:
        about = About.READ_AS if note in layout.doubts else About.NOTICED
        yield Doubt(about, note, kind=kind)
    for line in outcome.odd_lines[:MOST_NAMED]:
        fate, way = ("is taken as a row", "drop-line") if line.taken else ("is left out", "keep-line")
        text = f"Line {line.line}, “{line.text}”, {line.why} and {fate}"
        yield Doubt(About.LINES_LEFT_OUT, text, tuple(_options(way, [str(line.line)])), kind)
    if outcome.no_rows > MOST_NAMED:
        yield Doubt(About.LINES_LEFT_OUT, f"{outcome.no_rows:,} lines of the file are left out", kind=kind)
    if outcome.unsaid:
        text = (
            f"New orders without a status in the file: {outcome.unsaid:,}. They count as submitted and are billed, "
            "also those that were cancelled"
        )
        ways = [*(f"status={column}" for column in outcome.telling), "status==submitted"]
        yield Doubt(About.WITHOUT_STATUS, text, tuple(_options("map", ways)), kind)
    if outcome.billed:
        named = ", ".join(f"{one.order_number} on {one.invoice}" for one in outcome.billed_orders[:MOST_NAMED])
        text = (
            f"Orders that change and are billed already: {outcome.billed:,}. Their invoices stay as they are: {named}"
        )
        yield Doubt(About.BILLED, text, kind=kind)


def _options(option: str, values: Iterable[str]) -> Iterator[AnswerOption]:
    return (AnswerOption(option, str(value)) for value in values)
