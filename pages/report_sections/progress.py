"""How far a bill run is. It goes on without this page, which can be left and come back to."""

import streamlit as st

from billing_core import runtime
from billing_core.bill_runs import planning, progress
from billing_core.bill_runs.progress import ItemRow, Progress
from billing_core.dates import utc_now
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.jobs import bill_run
from pages.ui import formats, opened, tables
from pages.ui.context import transaction
from pages.ui.reads import Reader
from pages.ui.text import md

OUTCOMES = {"Waiting": "gray", "Created": "green", "Unchanged": "blue", "Failed": "red"}


def draw(actor: Actor, named: str) -> None:
    opened.back("Another run", "run")
    run_id = opened.parsed(named)
    if run_id is None:
        st.error("There is no such run.", icon=":material/error:")
        return
    run = _progress(actor, run_id)
    if run is None:
        st.error(f"There is no run {run_id}.", icon=":material/error:")
        return
    st.subheader(f"Reports for {md(formats.period(run.period))}", anchor=False)
    if run.running:
        st.fragment(_running, run_every=1.0)(actor, run_id)
    else:
        _ended(actor, run)


def recent_runs(read: Reader) -> None:
    """The newest runs; a click opens one."""
    with runtime.sessions()() as session:
        runs = progress.recent(session, read.actor, limit=10, now=utc_now())
    if not runs:
        return
    st.markdown("**Recent runs**")
    zone = read.company.time_zone
    tables.show(
        runs,
        [
            tables.computed("Period", lambda run: formats.period(run.period)),
            tables.count("Customers", "total"),
            tables.count("New reports", "created"),
            tables.count("Unchanged", "unchanged"),
            tables.count("Failed", "failed"),
            tables.computed("State", _state),
            tables.instant("Started", "created_at", zone),
            tables.text("By", "created_by"),
        ],
        key="recent_runs",
        alt="Recent runs",
        opens=_open_run if read.actor.may(Permission.REPORT_GENERATE) else None,
    )


def _running(actor: Actor, run_id: int) -> None:
    run = _progress(actor, run_id)
    if run is None or not run.running:
        st.rerun()
    left = "" if run.seconds_left is None else f", about {_seconds(run.seconds_left)} left"
    st.progress(
        run.done / run.total,
        f"{formats.count(run.done)} of {formats.counted(run.total, 'customer')}{left}",
    )
    st.caption("This continues when you leave the page. Come back through Reports, Generate, Recent runs.")
    if st.button("Stop after this customer", icon=":material/stop_circle:"):
        with transaction() as session:
            planning.cancel(session, actor, run_id, now=utc_now())
        st.rerun()


def _ended(actor: Actor, run: Progress) -> None:
    words = (
        f"{formats.counted(run.created, 'new report')}, {formats.count(run.unchanged)} unchanged"
        + (f", {formats.count(run.failed)} failed" if run.failed else "")
        + (f", {formats.count(run.waiting)} not done" if run.waiting else "")
    )
    if run.failed or run.waiting:
        st.warning(words, icon=":material/warning:")
        if st.button("Continue with the rest", icon=":material/resume:", type="primary"):
            go_on = planning.retry_failed if run.failed else planning.resume
            with transaction() as session:
                go_on(session, actor, run.run_id, now=utc_now())
            bill_run.begin(run.run_id)
            st.rerun()
    else:
        st.success(f"Done: {words}.", icon=":material/check_circle:")
    skipped = tables.pager(run.total, key="run_items_page", noun="customer")
    with runtime.sessions()() as session:
        rows = progress.items(session, actor, run.run_id, limit=tables.PAGE_SIZE, offset=skipped)
    tables.show(
        rows,
        [
            tables.text("Customer", "customer_name"),
            tables.badge("Outcome", lambda row: formats.words(row.outcome), OUTCOMES),
            tables.computed("Report", lambda row: f"#{row.report_id}" if row.report_id else ""),
            tables.money("Total", "total_minor"),
            tables.currency_of(),
            tables.count("Questions", "question_count"),
            tables.text("Reason", "reason"),
        ],
        key="run_items",
        alt="What became of each customer of this run",
        opens=_open_report,
    )


def _progress(actor: Actor, run_id: int) -> Progress | None:
    try:
        with runtime.sessions()() as session:
            return progress.progress(session, actor, run_id, now=utc_now())
    except NotFound:
        return None


def _state(run: Progress) -> str:
    if run.running:
        return f"Running, {formats.count(run.done)} of {formats.count(run.total)}"
    return "Stopped" if run.cancelled_at and run.waiting else "Done"


def _seconds(seconds: int) -> str:
    return f"{seconds} s" if seconds < 90 else f"{-(-seconds // 60)} min"


def _open_report(row: ItemRow) -> None:
    if row.report_id:
        st.query_params["report"] = str(row.report_id)


def _open_run(run: Progress) -> None:
    st.query_params["run"] = str(run.run_id)
