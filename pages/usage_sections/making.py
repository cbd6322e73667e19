"""Making the invoices of a month's usage: a bill run, rehearsed first or not. The address names the open one."""

import streamlit as st

from billing_core.bill_runs.models import RunSource
from billing_core.identity import Actor
from pages.bill_run_sections import recent, run, starting
from pages.bill_run_sections.starting import Chosen
from pages.ui import address
from pages.ui.inputs import customer_names, filters, usage_months
from pages.ui.reads import Reader


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
        period = usage_months.choose_past(read, "Month to bill", key="making_month")
        names = customer_names.offered(read, key="making_customers", active_only=True)
        with st.container(width=480):
            ids = filters.several(
                "Organizations", names, key="making_customers", placeholder="All with usage or a plan"
            )
    return Chosen(ids or None, period, source=RunSource.USAGE)
