"""``import KIND FILE``: take a file in, or see with ``--dry-run`` what it would do. ``import template KIND`` prints a
file to begin with.
"""

import shlex
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.commands.imports.files import opened, read_as, written
from billing_core.csv_text import rows_as_csv
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, Lines, Repeats, service, sources
from billing_core.imports.automatic import telling
from billing_core.imports.incoming import Incoming
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import read_changes, read_readings, read_words
from billing_core.imports.next_steps import counting as next_steps
from billing_core.imports.outcome import Outcome
from billing_core.imports.templates import examples
from billing_core.imports.words.answers import LEAVE_OUT

FIRST_REASONS = 10
# Choices that fit a line.
FEW = 10


def import_file(arguments: Namespace) -> Answer:
    kind = Kind(arguments.kind)
    definition = DEFINITIONS[kind]
    changes, words = read_changes(definition, arguments.map), read_words(definition, arguments.word)
    readings = read_readings(definition, arguments.reading)
    take_in = service.check if arguments.dry_run else service.apply
    lines, repeats = _lines(kind, arguments.lines), _repeats(kind, arguments.repeats)
    with (
        opened(arguments.file) as packed,
        _table(packed, arguments.file.name, arguments.member) as table,
        written(arguments.removed) as gone,
        written(arguments.rejected) as rejected,
    ):
        layout = sources.read_layout(table.stream, read_as(arguments))
        incoming = Incoming(
            kind,
            table.stream,
            table.file_name,
            changes,
            rejected_rows=rejected,
            gone_rows=gone,
            lines=lines,
            repeats=repeats,
            words=words,
            readings=readings,
            may_set_aside=arguments.set_aside,
            layout=layout,
        )
        outcome = take_in(runtime.sessions(), SYSTEM, incoming, now=utc_now())
    answer = _answer(outcome, dry_run=arguments.dry_run)
    return _with_next_steps(answer, kind) if outcome.applied else answer


def _with_next_steps(answer: Answer, kind: Kind) -> Answer:
    with runtime.sessions()() as session:
        steps = next_steps.after(session, SYSTEM, [kind])
    text = "".join(f"\nnext: {step.words}" for step in steps)
    return replace(answer, data=answer.data | {"next_steps": telling.steps_told(steps)}, text=answer.text + text)


def show_template(arguments: Namespace) -> Answer:
    kind = Kind(arguments.of)
    columns, rows = examples.header(kind), examples.rows(kind)
    data = {"kind": kind.value, "columns": columns, "examples": [dict(zip(columns, row, strict=True)) for row in rows]}
    return Answer(data, b"".join(rows_as_csv(columns, rows)).decode().replace("\r\n", "\n").rstrip("\n"))


def _answer(outcome: Outcome, *, dry_run: bool) -> Answer:
    data = telling.outcome_told(outcome) | ({"import": outcome.run_id} if outcome.applied else {})
    _tell_odd_lines(outcome)
    # Of a refused file nothing is new, nor changed.
    would_be = "would be " if outcome.refused else ""
    text = "\n".join(
        f"{words}: {number}"
        for words, number in (
            (f"{would_be}new", outcome.new),
            (f"{would_be}changed", outcome.changed),
            ("unchanged", outcome.unchanged),
            ("rejected", outcome.rejected),
            *([("removed", outcome.gone)] if outcome.gone else []),
            *([("passed over", outcome.passed_over)] if outcome.passed_over else []),
            *([("left out", outcome.left_out)] if outcome.left_out else []),
        )
    )
    if outcome.questions:
        _ask(outcome)
    if outcome.rejected:
        _tell_reasons(outcome, dry_run=dry_run)
        if outcome.repeated:
            _say(f"{outcome.question}: add --repeats first, last or newest")
    elif outcome.asked:
        _say(f"{outcome.file_name}: {outcome.question}. Nothing has been imported")
    elif outcome.undecided:
        _say(f"{outcome.file_name}: {outcome.question}. Nothing has been imported: add --lines add, replace or change")
    elif not any(data[name] for name in ("new", "changed", "unchanged")):
        print(f"{outcome.file_name} has no rows below the names of its columns", file=sys.stderr)  # noqa: T201
    _tell_of_words(outcome)
    for note in outcome.notes:
        _say(f"Note: {note}")
    _tell_of_orders(outcome, dry_run=dry_run)
    return Answer(data, text, refused=outcome.refused)


def _tell_odd_lines(outcome: Outcome) -> None:
    for line in outcome.odd_lines[:FIRST_REASONS]:
        fate = "is taken as a row: --drop-line leaves it out" if line.taken else "is left out: --keep-line takes it in"
        _say(f"Line {line.line}, “{line.text}”, {line.why} and {fate}")
    if len(outcome.odd_lines) > FIRST_REASONS:
        _say(f"  … and {len(outcome.odd_lines) - FIRST_REASONS:,} more such lines")


@contextmanager
def _table(packed: BinaryIO, file_name: str, member: str | None) -> Iterator[sources.Content]:
    """The file, or the one that is packed in it and has this name."""
    members = sources.members(packed)
    if member is None and len(members) > 1:
        raise Invalid(f"{file_name} holds several files: {', '.join(members)}. Say which one with --member NAME")
    with sources.contents(file_name, packed) as found:
        for content in found:
            if member in (None, content.file_name):
                yield content
                return
    raise Invalid(f"{file_name} holds no file “{member}”")


def _lines(kind: Kind, chosen: str | None) -> Lines | None:
    if chosen is not None and kind is not Kind.ORDER_ITEMS:
        raise Invalid("--lines is for order-items alone")
    return None if chosen is None else Lines(chosen)


def _repeats(kind: Kind, chosen: str | None) -> Repeats | None:
    if chosen is not None and not DEFINITIONS[kind].one_counts:
        raise Invalid(f"--repeats is not for {kind}, of which each row counts")
    return None if chosen is None else Repeats(chosen)


def _tell_of_words(outcome: Outcome) -> None:
    """The words in question, each as it is answered."""
    for word in outcome.asked:
        rows = "one row" if word.rows == 1 else f"{word.rows:,} rows"
        _say(f"  {word.column}: “{word.word}” on {rows}: add --word {shlex.quote(f'{word.field}:{word.word}=…')}")
    for name in dict.fromkeys(word.field for word in outcome.asked):
        choices = DEFINITIONS[outcome.kind].field(name).choices
        if choices is not None and len(choices()) <= FEW:
            _say(f"  {name} is one of {', '.join(choices())}; {LEAVE_OUT} leaves the rows of a word out")
    if outcome.unsaid:
        hint = f". These columns may tell: {', '.join(outcome.telling)}" if outcome.telling else ""
        _say(
            f"Warning: new orders without a status in the file: {outcome.unsaid:,}. They count as submitted and are "
            f"billed, also those that were cancelled{hint}"
        )


def _tell_of_orders(outcome: Outcome, *, dry_run: bool) -> None:
    """The first lines that go, and the first orders that were billed before the file changes them."""
    for line in outcome.gone_lines[:FIRST_REASONS]:
        fate = "would go" if dry_run else "is gone"
        _say(f"  {line.order_number}: {line.quantity} of {line.sku} {fate}")
    if outcome.gone > FIRST_REASONS:
        _say(f"  … and {outcome.gone - FIRST_REASONS:,} more")
    if outcome.billed:
        first = ", ".join(f"{one.order_number} on {one.invoice}" for one in outcome.billed_orders[:FIRST_REASONS])
        _say(f"Warning: {outcome.billed:,} of the orders that change are billed already: {first}")


def _ask(outcome: Outcome) -> None:
    """What only a person knows, with what to type for each answer."""
    _say(f"{outcome.file_name} can be read in several ways. Nothing has been imported: say which one is meant")
    for question in outcome.questions:
        _say(f"  {question.column}: {question.text}")
        for choice in question.choices:
            _say(f"    --reading {question.field}={choice.reading}   {choice.meaning}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _tell_reasons(outcome: Outcome, *, dry_run: bool) -> None:
    """What the rejected rows have in common, and the first of them."""
    fate = "would be refused" if dry_run else "was refused: nothing has been imported"
    if outcome.set_aside:
        fate = "would be imported without them" if dry_run else "was imported without them"
    print(f"{outcome.file_name} {fate}. Rejected rows: {outcome.rejected}", file=sys.stderr)  # noqa: T201
    for group in outcome.groups if outcome.rejected > FIRST_REASONS else ():
        _say(f"  {group.rows:,} × {group.column + ' ' if group.column else ''}{group.reason}")
    for row in outcome.rejections[:FIRST_REASONS]:
        place = f"line {row.line}" + (f", {row.column}" if row.column else "")
        print(f"  {place}: “{row.value}” {row.reason}", file=sys.stderr)  # noqa: T201
    if len(outcome.rejections) > FIRST_REASONS:
        print("  …", file=sys.stderr)  # noqa: T201
