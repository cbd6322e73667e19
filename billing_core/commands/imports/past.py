"""``imports …``: what was imported before, what each import changed, and taking one back."""

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, queries
from billing_core.imports.history import reading
from billing_core.imports.queries import HistoryFilter, HistoryRow
from billing_core.imports.taking_back import service as taking_back
from billing_core.imports.taking_back.service import TakenBack


def show_past(arguments: Namespace) -> Answer:
    kind = None if arguments.kind is None else Kind(arguments.kind)
    with runtime.sessions()() as session:
        rows = queries.history(session, SYSTEM, HistoryFilter(kind), limit=arguments.limit)
    text = "\n".join(map(_line, rows)) or "Nothing has been imported."
    return Answer([_plain(asdict(row)) for row in rows], text)


def show_one(arguments: Namespace) -> Answer:
    with runtime.sessions()() as session:
        found = reading.details(session, SYSTEM, arguments.run)
        if arguments.output is not None:
            try:
                with arguments.output.open("wb") as file:
                    file.writelines(reading.as_csv(session, SYSTEM, arguments.run))
            except OSError as error:
                raise Invalid(f"{arguments.output} cannot be written: {error.strerror}") from None
    lines = [
        f"{found.kind} from {found.file_name}, imported by {found.created_by} on {found.created_at:%Y-%m-%d}",
        *(f"new: {row}" for row in found.made),
        *(f"{one.effect}: {one.row}: {one.column}: {one.before} → {one.after}" for one in found.cells),
    ]
    if found.taken_back_at is not None:
        lines.append(f"taken back by {found.taken_back_by} on {found.taken_back_at:%Y-%m-%d}")
    return Answer(_plain(asdict(found)), "\n".join(lines))


def take_back(arguments: Namespace) -> Answer:
    do = taking_back.rehearse if arguments.dry_run else taking_back.take_back
    found = do(runtime.sessions(), SYSTEM, arguments.run, now=utc_now())
    return Answer(_plain(asdict(found)), _told(found, dry_run=arguments.dry_run), refused=found.refused)


def _told(found: TakenBack, *, dry_run: bool) -> str:
    if found.refused:
        return found.refusal
    go, return_ = ("would go", "would return") if dry_run else ("gone", "returned")
    counts = ((go, found.made), (f"changed, {return_}", found.changed), (f"removed, {return_}", found.removed))
    lines = [f"{words}: {count}" for words, count in counts]
    if found.edited:
        more = found.edited - len(found.edited_rows)
        named = ", ".join(found.edited_rows) + (f" and {more:,} more" if more else "")
        lines.append(f"of these, with what people have changed since, {go}: {named}")
    return "\n".join(lines)


def _line(row: HistoryRow) -> str:
    counts = f"{row.new} new, {row.changed} changed, {row.unchanged} unchanged, {row.gone} removed"
    back = f", taken back by {row.taken_back_by}" if row.taken_back_at is not None else ""
    return f"{row.id}: {row.created_at:%Y-%m-%d %H:%M} UTC, {row.kind} from {row.file_name}: {counts}{back}"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no instants."""
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()}
