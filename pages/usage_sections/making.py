"""Making the invoices of a month's usage: a bill run, rehearsed first or not. The address names the open one."""

from datetime import date

import streamlit as st

from billing_core.bill_runs.models import RunSource
from billing_core.dates import Period, add_months, first_of_month
from billing_core.identity import Actor
from pages.bill_run_sections import recent, run, starting
from pages.bill_run_sections.starting import Chosen
from pages.ui import address, formats
from pages.ui.inputs import customer_names, filters
from pages.ui.reads import Reader

_OFFERED = 24


def draw(read: Reader, actor: Actor) -> None:
    if named := address.one("run", "run"):
        run.draw(read, actor, named)
        return
    goals = starting.possible(actor, RunSource.USAGE)
    if goals:
        starting.draw(read, actor, _chosen(read), goals=goals, key="making")
    else:
        st.info("Managers rehearse invoices of usage, administrators make them.", icon=":material/lock:")
    recent.draw(read, RunSource.USAGE)


def _chosen(read: Reader) -> Chosen:
    with filters.row():
        period = _month(read.today)
        names = customer_names.offered(read, key="making_customers", active_only=True)
        with st.container(width=480):
            ids = filters.several(
                "Organizations", names, key="making_customers", placeholder="All with usage or a plan"
            )
    return Chosen(ids or None, period, source=RunSource.USAGE)


def _month(today: date) -> Period:
    """One that is over, the last by default."""
    months = [add_months(first_of_month(today), -back) for back in range(1, _OFFERED + 1)]
    names = {f"{month:%Y-%m}": formats.month(month) for month in months}
    return Period.month_of(filters.month("Month to bill", names, key="making_month"))
