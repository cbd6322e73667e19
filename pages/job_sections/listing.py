"""The tables of the jobs page: queues, schedules, processes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from billing_core.jobs.overview.actions import CANCELLED, RETRIED
from billing_core.jobs.overview.processes import ProcessRow, ProcessState
from billing_core.jobs.overview.queues import Overview, Pause, QueueRow
from billing_core.jobs.overview.schedules import ScheduleRow
from billing_core.processes.models import Queue
from pages.job_sections import steps
from pages.job_sections.wording import KINDS, PROCESS_COLORS, QUEUES, counted, process_state, span
from pages.ui import formats, tables
from pages.ui.colors import Color
from pages.ui.text import md

_KEPT = "kept, until somebody sends them in the outbox"
STATES: dict[str, Color] = {
    "Paused": "orange",
    "Failed": "red",
    "Held back": "orange",
    "Running": "gray",
    "Waiting": "gray",
    "Scheduled": "gray",
    "Idle": "gray",
}


@dataclass(frozen=True, slots=True)
class _Scheduled:
    row: ScheduleRow
    pause: Pause | None

    @property
    def queue(self) -> Queue:
        return self.row.queue


def draw_queues(seen: Overview, zone: str) -> None:
    if not seen.living:
        st.warning(
            "**No process works in the background:** nothing that waits here goes on. Start the product or a worker.",
            icon=":material/power_off:",
        )
    tables.show(
        seen.queues,
        [
            _name("Queue", lambda row: QUEUES[row.queue].title, 132),
            tables.badges("State", _states, STATES),
            _number("Running", lambda row: row.backlog.running),
            _number("Waiting", lambda row: row.backlog.waiting),
            _number("Later", lambda row: row.backlog.scheduled, means="Due later, also for another try"),
            _number("Failed", lambda row: row.backlog.failed),
            tables.computed("Oldest", lambda row: span(row.oldest_seconds), right=True, width=62),
            _number("Last hour", lambda row: row.backlog.done, means="Done in the last hour", width=72),
            _number("Per minute", lambda row: row.backlog.per_minute, means="Done in the last minute", width=80),
            _pausing(),
            tables.button("Retry", _retry_label, opens=lambda row: steps.retry(row.queue), width=70),
            tables.button("Cancel", _cancel_label, opens=lambda row: steps.cancel(row.queue), width=76),
            _page(),
        ],
        key="queues",
        alt="Work in the background by queue",
    )
    with st.container(gap="xsmall"):
        for row in seen.queues:
            _explain(row, zone)


def draw_schedules(seen: Overview, zone: str) -> None:
    st.subheader("Schedules", anchor=False)
    if not seen.schedules:
        st.caption("None yet: the product sets them up when it starts for the first time.")
        return
    tables.show(
        [_Scheduled(row, seen.pauses.get(row.queue)) for row in seen.schedules],
        [
            _name("Schedule", lambda one: QUEUES[one.queue].title, 180),
            tables.badge("State", _schedule_state, STATES),
            tables.computed("Last run", lambda one: formats.instant(one.row.last_run_at, zone)),
            tables.computed("Next run", lambda one: formats.instant(one.row.next_run_at, zone)),
            tables.computed("Last failure", lambda one: formats.instant(one.row.last_failed_at, zone)),
            _pausing(),
            _page(),
        ],
        key="schedules",
        alt="What is due by the clock",
    )
    with st.container(gap="xsmall"):
        for one in seen.schedules:
            if pause := seen.pauses.get(one.queue):
                st.markdown(f":material/pause_circle: {_paused(one.queue, pause, zone)}")
            if one.last_failed_at:
                when = "The last run failed" if one.failed else f"Failed on {formats.instant(one.last_failed_at, zone)}"
                st.markdown(
                    f":material/error: **{QUEUES[one.queue].title}:** {when}: {md(formats.with_days(one.last_error))}"
                )


def draw_processes(seen: Overview, zone: str) -> None:
    st.subheader("Processes", anchor=False)
    if not seen.processes:
        st.caption("None has worked in the background yet.")
        return
    tables.show(
        seen.processes,
        [
            _name("Process", lambda row: KINDS[row.kind], 90),
            tables.badge("State", process_state, PROCESS_COLORS),
            tables.text("Host", "host"),
            tables.computed("PID", lambda row: str(row.pid), right=True, width=70),
            tables.text("Version", "version"),
            tables.instant("Started", "started_at", zone),
            tables.computed("Last heard of", lambda row: _heard(row, zone)),
            tables.computed("In hand", _in_hand, help="Of a lost one: what it had in hand. All of it was set free."),
            tables.button("Dismiss", _dismiss_label, opens=lambda row: steps.dismiss(row.id), width=80),
        ],
        key="processes",
        alt="Processes, the living first",
    )


def _name(label: str, cell: Callable[[Any], object], width: int) -> tables.Column:
    """What the row is about: it stays in sight where the table is wider than the screen."""
    return tables.Column(label, cell, st.column_config.TextColumn(label, width=width, pinned=True))


def _number(label: str, value: Callable[[Any], int], *, means: str | None = None, width: int = 62) -> tables.Column:
    def cell(row: Any) -> str:
        return formats.count(value(row)) if value(row) else formats.NOTHING

    return tables.computed(label, cell, help=means, width=width, right=True)


def _pausing() -> tables.Column:
    return tables.button(
        "Pause",
        lambda row: "Resume" if row.pause else "Pause",
        opens=lambda row: steps.pause_or_resume(row.queue, paused=row.pause is not None),
        width=70,
    )


def _page() -> tables.Column:
    """Where the work itself is seen."""
    return tables.button(
        "Open",
        lambda row: "Open" if QUEUES[row.queue].page else None,
        opens=lambda row: steps.go_to(row.queue),
        width=58,
    )


def _states(row: QueueRow) -> list[str]:
    """The exceptions; where there is none, what is usual."""
    held = row.backlog
    exceptions = {"Paused": row.pause, "Failed": held.failed, "Held back": held.held_back}
    usual = {"Running": held.running, "Waiting": held.waiting, "Scheduled": held.scheduled, "Idle": True}
    return [name for name, there in exceptions.items() if there] or [
        next(name for name, there in usual.items() if there)
    ]


def _schedule_state(one: _Scheduled) -> str:
    if one.pause:
        return "Paused"
    if one.row.running:
        return "Running"
    return "Failed" if one.row.failed else "Scheduled"


def _retry_label(row: QueueRow) -> str | None:
    return f"Retry {formats.count(row.backlog.failed)}" if row.queue in RETRIED and row.backlog.failed else None


def _cancel_label(row: QueueRow) -> str | None:
    held = row.backlog
    there = held.waiting + (held.running + held.held_back if row.queue is Queue.BILL_RUNS else held.scheduled)
    return f"{steps.CANCELLING[row.queue]} …" if row.queue in CANCELLED and there else None


def _dismiss_label(row: ProcessRow) -> str | None:
    return "Dismiss" if row.state is ProcessState.LOST and row.dismissed_at is None else None


def _explain(row: QueueRow, zone: str) -> None:
    """What the numbers do not say: why something failed, is held back, or stands still."""
    held, title = row.backlog, QUEUES[row.queue].title
    if row.pause:
        st.markdown(f":material/pause_circle: {_paused(row.queue, row.pause, zone)}")
    if held.failed:
        st.markdown(
            f":material/error: **{title}:** {counted(row.queue, held.failed)} failed. "
            f"The last one: {md(formats.with_days(held.last_error) or 'no reason is known')}"
        )
    if held.held_back:
        why = "held back, of paused runs" if row.queue is Queue.BILL_RUNS else _KEPT
        st.markdown(f":material/back_hand: **{title}:** {counted(row.queue, held.held_back)} {why}.")


def _paused(queue: Queue, pause: Pause, zone: str) -> str:
    return f"**{QUEUES[queue].title}:** paused since {formats.instant(pause.at, zone)} by {md(pause.by)}."


def _heard(row: ProcessRow, zone: str) -> str:
    match row.state:
        case ProcessState.LOST:
            return f"Lost on {formats.instant(row.lost_at, zone)}"
        case ProcessState.ENDED:
            return f"Ended on {formats.instant(row.ended_at, zone)}"
        case _:
            return f"{span(row.heard_seconds_ago)} ago"


def _in_hand(row: ProcessRow) -> str:
    return ", ".join(counted(queue, number) for queue, number in row.in_hand.items()) or formats.NOTHING
