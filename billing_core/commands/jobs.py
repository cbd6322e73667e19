"""``jobs``: what the page of the same name shows, as tables of text."""

from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.jobs.overview import queues
from billing_core.jobs.overview.processes import ProcessRow
from billing_core.jobs.overview.queues import Pause, QueueRow
from billing_core.jobs.overview.schedules import ScheduleRow

_NONE = "–"


def show(_arguments: Namespace) -> Answer:
    with runtime.sessions()() as session:
        seen = queues.read(session, SYSTEM, now=utc_now())
    data = {
        "queues": [_queue(row) for row in seen.queues],
        "schedules": [_schedule(row, seen.pauses.get(row.queue)) for row in seen.schedules],
        "processes": [_process(row) for row in seen.processes],
    }
    parts = [_queue_lines(seen.queues)]
    if seen.schedules:
        parts.append(_schedule_lines(seen.schedules, seen.pauses))
    parts.append(_process_lines(seen.processes) if seen.processes else ["No process works in the background."])
    return Answer(data, "\n\n".join("\n".join(lines) for lines in parts))


def _queue(row: QueueRow) -> dict[str, Any]:
    held = row.backlog
    return {
        "queue": row.queue.value,
        "running": held.running,
        "waiting": held.waiting,
        "scheduled": held.scheduled,
        "held_back": held.held_back,
        "failed": held.failed,
        "last_error": held.last_error,
        "oldest_waiting_seconds": row.oldest_seconds,
        "done_in_the_last_hour": held.done,
        "done_in_the_last_minute": held.per_minute,
        **_pause(row.pause),
    }


def _schedule(row: ScheduleRow, pause: Pause | None) -> dict[str, Any]:
    return {
        "schedule": row.queue.value,
        "running": row.running,
        "last_run_at": _iso(row.last_run_at),
        "next_run_at": _iso(row.next_run_at),
        "last_failed_at": _iso(row.last_failed_at),
        "last_error": row.last_error,
        **_pause(pause),
    }


def _process(row: ProcessRow) -> dict[str, Any]:
    return {
        "process": row.id,
        "state": row.state.value,
        "kind": row.kind.value,
        "host": row.host,
        "pid": row.pid,
        "version": row.version,
        "started_at": _iso(row.started_at),
        "heard_seconds_ago": row.heard_seconds_ago,
        "ended_at": _iso(row.ended_at),
        "lost_at": _iso(row.lost_at),
        "in_hand": {queue.value: count for queue, count in row.in_hand.items()},
    }


def _pause(pause: Pause | None) -> dict[str, Any]:
    return {"paused_at": _iso(pause.at if pause else None), "paused_by": pause.by if pause else None}


def _queue_lines(rows: Sequence[QueueRow]) -> list[str]:
    heads = ("queue", "running", "waiting", "later", "held back", "failed", "oldest", "last hour", "last minute", "")
    cells = []
    for row in rows:
        held, age = row.backlog, row.oldest_seconds
        counts = (held.running, held.waiting, held.scheduled, held.held_back, held.failed)
        oldest = _NONE if age is None else f"{age:,} s"
        done = (f"{held.done:,}", f"{held.per_minute:,}")
        cells.append((row.queue.value, *(f"{count:,}" for count in counts), oldest, *done, _paused(row.pause)))
    failures = [f"Last failure among {row.queue.value}: {row.backlog.last_error}" for row in rows if row.backlog.failed]
    return [*_aligned(heads, cells, right=range(1, 9)), *failures]


def _schedule_lines(rows: Sequence[ScheduleRow], pauses: dict[Any, Pause]) -> list[str]:
    heads = ("schedule", "last run", "next run", "last failure", "")
    cells = []
    for row in rows:
        failure = f"{_text(row.last_failed_at)}, {row.last_error}" if row.last_failed_at else _NONE
        now = _paused(pauses.get(row.queue)) or ("running" if row.running else "")
        cells.append((row.queue.value, _text(row.last_run_at), _text(row.next_run_at), failure, now))
    return _aligned(heads, cells)


def _process_lines(rows: Sequence[ProcessRow]) -> list[str]:
    heads = ("process", "state", "host", "pid", "version", "started", "last heard of", "in hand")
    cells = []
    for row in rows:
        in_hand = ", ".join(f"{count:,} {queue.value}" for queue, count in row.in_hand.items()) or _NONE
        heard = f"{row.heard_seconds_ago:,} s ago"
        where = (row.host, str(row.pid), row.version, _text(row.started_at))
        cells.append((row.kind.value, row.state.value, *where, heard, in_hand))
    return _aligned(heads, cells, right=(3,))


def _aligned(heads: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = []
    for row in (heads, *cells):
        padded = (
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(padded).rstrip())
    return lines


def _paused(pause: Pause | None) -> str:
    return f"paused since {_text(pause.at)} by {pause.by}" if pause else ""


def _text(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else _NONE


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
