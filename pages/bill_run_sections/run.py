"""One run: what it is, how far it is, and what can be done with it. It goes on without this page."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import streamlit as st

from billing_core import runtime
from billing_core.bill_runs import legibility, planning, progress
from billing_core.bill_runs.models import RunGoal, RunSource
from billing_core.bill_runs.overlapping import Overlapping
from billing_core.bill_runs.progress import Progress
from billing_core.dates import utc_now
from billing_core.errors import BillingError, NotFound
from billing_core.identity import Actor
from billing_core.jobs import bill_run
from billing_core.processes import pausing
from billing_core.processes import queries as processes
from billing_core.processes.models import Queue
from pages.bill_run_sections import next_steps, rehearsed, run_customers, starting, wording
from pages.ui import address, context, formats, opened
from pages.ui.inputs import print_hint
from pages.ui.reads import Reader
from pages.ui.text import md

# How often an open page looks, and how long after a stop: whoever was in hand is finished first.
_SECONDS = 2.0
_SETTLING = timedelta(minutes=1)
_KEPT = {
    RunGoal.REHEARSAL: "Nothing was made: what was computed so far can be looked at.",
    RunGoal.REPORTS: "The reports made so far stay.",
    RunGoal.DRAFTS: "What was made so far stays.",
    RunGoal.SENT: "What was made and sent so far stays; mails that wait in the outbox leave all the same.",
}

Step = Callable[[Actor, Progress], None]


@dataclass(frozen=True, slots=True)
class Watched:
    """A run as its page shows it. ``anybody``: a process lives that could take it up. ``held``: somebody has paused
    all runs.
    """

    run: Progress
    anybody: bool
    held: bool

    @property
    def stage(self) -> tuple[object, ...]:
        """What the buttons depend on, and whether the page looks again."""
        run = self.run
        ends = run.paused_at, run.cancelled_at, run.finished_at
        return self.moves, run.running, *ends, run.failed > 0, run.waiting > 0

    @property
    def moves(self) -> bool:
        """Whether it can change while somebody looks."""
        stopped = self.run.cancelled_at
        return self.run.finished_at is None and (stopped is None or utc_now() - stopped < _SETTLING)


def draw(read: Reader, actor: Actor, named: str) -> None:
    opened.back("All runs", "run")
    run_id = opened.parsed(named)
    watched = None if run_id is None else _watched(actor, run_id)
    if watched is None:
        st.error(f"There is no run {run_id}." if run_id else "There is no such run.", icon=":material/error:")
        return
    run = watched.run
    # Buttons stand outside of what runs by itself: its next turn would close a dialog that was opened there.
    wanted = _head(read, actor, run)
    if wanted is not None:
        wanted(actor, run)
    if run.goal is not RunGoal.REPORTS:
        print_hint.warn(read(legibility.of_run, run.run_id))
    if not watched.moves:
        next_steps.draw(read, actor, run)
    if watched.moves:
        st.fragment(_live, run_every=_SECONDS)(run.run_id, watched.stage, read.company.time_zone)
    else:
        _live(run.run_id, watched.stage, read.company.time_zone)
    if run.goal is RunGoal.REHEARSAL and not watched.moves:
        rehearsed.draw(read, actor, run)


def _watched(actor: Actor, run_id: int) -> Watched | None:
    try:
        with runtime.sessions()() as session:
            run = progress.progress(session, actor, run_id, now=utc_now())
            idle = run.running and not run.worked_on
            return Watched(
                run,
                anybody=not idle or bool(processes.living(session, limit=1)),
                held=idle and Queue.BILL_RUNS in pausing.paused(session),
            )
    except NotFound:
        return None


def _head(read: Reader, actor: Actor, run: Progress) -> Step | None:
    """What the run is, and the buttons; returns what somebody wants to do."""
    wanted = None
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(wording.title(run), anchor=False, width="content")
        if starting.may(actor, run.source, run.goal, with_links=run.with_links):
            with st.container(horizontal=True, width="content"):
                wanted = _pressed(run)
    who = f"everybody with {run.source}" if run.all_customers else "as chosen"
    services = ", some services only" if run.services else ""
    started = formats.instant(run.created_at, read.company.time_zone)
    st.caption(
        f"Run {run.run_id} · {formats.counted(run.total, 'customer')}, {who}{services} · "
        f"started {md(started)} by {md(run.created_by)}"
    )
    return wanted


def _pressed(run: Progress) -> Step | None:
    wanted: Step | None = None
    stopped = run.cancelled_at is not None
    if run.running and st.button("Pause", key="pause_run", icon=":material/pause:"):
        wanted = _pause
    if (run.paused_at is not None or (stopped and run.waiting)) and st.button(
        "Go on with the rest" if stopped else "Resume", key="resume_run", icon=":material/resume:", type="primary"
    ):
        wanted = _resume
    # While others wait, a retry would go on with them too.
    if not run.running and run.failed and not run.waiting:
        label = f"Retry {formats.count(run.failed)} failed"
        if st.button(label, key="retry_run", icon=":material/replay:"):
            wanted = _retry
    if (
        run.goal is RunGoal.DRAFTS
        and run.drafts
        and run.finished_at is not None
        and st.button("Review drafts", key="review_drafts", icon=":material/request_quote:", type="primary")
    ):
        wanted = _review
    if run.finished_at is None and not stopped and st.button("Stop", key="stop_run", icon=":material/stop_circle:"):
        wanted = _stop
    return wanted


def _pause(actor: Actor, run: Progress) -> None:
    _change(actor, run, planning.pause)


def _resume(actor: Actor, run: Progress) -> None:
    _change(actor, run, planning.resume)


def _retry(actor: Actor, run: Progress) -> None:
    _change(actor, run, planning.retry_failed)


def _review(actor: Actor, run: Progress) -> None:  # noqa: ARG001
    """The next step: read each draft, then send them together."""
    st.switch_page("invoices.py", query_params={"invoices_tab": "draft"})


@st.dialog("Stop the run", icon=":material/stop_circle:")
def _stop(actor: Actor, run: Progress) -> None:
    """What is left out and what stays; then stop."""
    left = formats.counted(run.waiting, "customer")
    st.markdown(f"**{left}** {'is' if run.waiting == 1 else 'are'} left out. {_KEPT[run.goal]}")
    st.caption("Whoever is in hand now is finished first. A stopped run can go on with the rest later.")
    if st.button("Stop the run", key="confirm_stop", type="primary", icon=":material/stop_circle:"):
        _change(actor, run, planning.cancel)


def _change(actor: Actor, run: Progress, change: Callable[..., None]) -> None:
    """Do it and show the run as it is then; a refusal is said here."""
    try:
        with runtime.sessions().begin() as session:
            change(session, actor, run.run_id, now=utc_now())
    except Overlapping as refusal:
        starting.refused(refusal)
        return
    except BillingError as refusal:
        context.refused(refusal)
        return
    if change in (planning.resume, planning.retry_failed):
        bill_run.begin(run.run_id)
    st.rerun()


def _live(run_id: int, stage: tuple[object, ...], zone: str) -> None:
    """What changes while somebody looks. At another stage there are other buttons: the whole page is drawn anew."""
    # Asked each time: a page that is left open shows nothing more to whose session was ended.
    actor = context.actor()
    watched = _watched(actor, run_id)
    if watched is None or watched.stage != stage or address.word("report"):
        st.rerun()
    _bar(watched, zone)
    if watched.run.goal is not RunGoal.REHEARSAL or watched.moves:
        _counts(watched.run)
        run_customers.draw(actor, watched.run)


def _bar(watched: Watched, zone: str) -> None:
    run = watched.run
    of = f"{formats.count(run.done)} of {formats.counted(run.total, 'customer')}"
    if run.running:
        per_minute = round(run.per_minute)
        rate = f" · {formats.count(per_minute)} a minute" if run.worked_on and per_minute else ""
        left = "" if run.seconds_left is None else f" · about {wording.seconds(run.seconds_left)} left"
        st.progress(run.done / run.total, of + rate + left)
        _hands(watched)
    elif run.paused_at is not None:
        st.progress(run.done / run.total, of)
        tell, why = (st.warning, f" {md(run.pause_reason)}.") if run.pause_reason else (st.info, "")
        tell(
            f"Paused since {formats.instant(run.paused_at, zone)}.{why} No further customer is taken up until somebody "
            "resumes it.",
            icon=":material/pause:",
        )
    elif run.cancelled_at is not None:
        st.progress(run.done / run.total, of)
        st.warning(
            f"Stopped on {formats.instant(run.cancelled_at, zone)}: {formats.counted(run.waiting, 'customer')} left "
            "out.",
            icon=":material/block:",
        )
    elif run.failed:
        st.warning(
            f"Done, except for {formats.counted(run.failed, 'customer')} who failed: the reasons are below.",
            icon=":material/warning:",
        )
    else:
        st.success(f"Done: {of}.", icon=":material/check_circle:")


def _hands(watched: Watched) -> None:
    """Who works on it. No time is promised for a run that nobody works on."""
    working = watched.run.worked_on
    if working:
        hands = "1 process works" if working == 1 else f"{formats.count(working)} processes work"
        st.caption(f"{hands} on it. It goes on when you leave this page.")
    elif watched.held:
        st.warning(
            "Bill runs are paused for everybody. An administrator resumes them on the page “Jobs”.",
            icon=":material/pause_circle:",
        )
    elif watched.anybody:
        st.caption(":material/hourglass_empty: No process is working on this run yet. The next one that is free will.")
    else:
        st.warning(
            "No process is working on this run. It goes on as soon as one runs.", icon=":material/hourglass_disabled:"
        )


def _counts(run: Progress) -> None:
    """What came of it so far."""
    invoices = run.goal in (RunGoal.DRAFTS, RunGoal.SENT)
    amounts, made = (run.invoiced, "Invoiced") if invoices else (run.billed, "Billed")
    with st.container(horizontal=True, gap="medium"):
        for label, count in wording.counts(run).items():
            st.metric(label, formats.count(count), width="content")
        for currency, minor in sorted(amounts.items()):
            st.metric(f"{made}, {currency}", formats.amount(minor, currency), width="content")
    if invoices and run.uninvoiced:
        got = formats.counted(run.uninvoiced, "customer")
        what = (
            "usage comes to 0, or is billed"
            if run.source is RunSource.USAGE
            else "report comes to 0, or is on an invoice"
        )
        st.caption(f"{got} got no invoice from this run: their {what} already. The reason stands with each.")
