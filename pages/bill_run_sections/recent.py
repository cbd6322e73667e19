"""The newest runs."""

import streamlit as st

from billing_core import runtime
from billing_core.bill_runs import progress
from billing_core.bill_runs.models import RunOutcome, RunSource
from billing_core.bill_runs.progress import Progress
from billing_core.dates import utc_now
from pages.bill_run_sections import wording
from pages.ui import formats, tables
from pages.ui.reads import Reader

_SHOWN = 10


def draw(read: Reader, source: RunSource) -> None:
    """What they are, how far they have come and by whom; a button opens one. Read anew: work writes no audit entry."""
    with runtime.sessions()() as session:
        runs = progress.recent(session, read.actor, source=source, limit=_SHOWN, now=utc_now())
    if not runs:
        return
    st.markdown("**Recent runs**")
    tables.show(
        runs,
        [
            tables.button("Run", lambda run: f":material/open_in_new: {run.run_id}", opens=_open, width=80),
            tables.computed("Period", lambda run: formats.period(run.period)),
            tables.computed("What", _what),
            tables.computed("State", wording.state),
            tables.count("Customers", "total"),
            tables.count("New", "created"),
            tables.count(wording.OUTCOMES[source][RunOutcome.UNCHANGED], "unchanged"),
            tables.count("Failed", "failed"),
            tables.text("By", "created_by"),
            tables.instant("Started", "created_at", read.company.time_zone),
        ],
        key="recent_runs",
        alt="Recent runs, the newest first",
    )


def _what(run: Progress) -> str:
    return wording.NAMES[run.goal] + (" with links" if run.with_links else "")


def _open(run: Progress) -> None:
    st.query_params["run"] = str(run.run_id)
