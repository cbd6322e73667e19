"""What comes after a run that made reports: files of them, and their invoices."""

import streamlit as st

from billing_core.bill_runs import progress
from billing_core.bill_runs.models import RunGoal, RunSource
from billing_core.bill_runs.progress import Progress
from billing_core.identity import Actor, Permission
from billing_core.reports import queries
from pages.report_sections import chosen_reports, invoicing
from pages.ui import context
from pages.ui.inputs import bulk_selection
from pages.ui.reads import Reader


def draw(read: Reader, actor: Actor, run: Progress) -> None:
    """Of all its reports. More than an address can name are those of its period, where it was over everybody."""
    made = run.created + run.unchanged
    if run.source is not RunSource.ORDERS or run.goal is RunGoal.REHEARSAL or not made:
        return
    # Read anew: work writes no audit entry.
    with context.reading() as session:
        ids = progress.report_ids(session, actor, run.run_id, limit=bulk_selection.MOST + 1)
    fits = len(ids) <= bulk_selection.MOST
    with st.container(horizontal=True, vertical_alignment="center"):
        if actor.may(Permission.EXPORT) and (fits or (run.all_customers and not run.services)):
            of_period = {"start_date": run.period.start, "end_date": run.period.end}
            facts = {"ids": ",".join(map(str, ids))} if fits else of_period
            chosen_reports.files(facts, made)
        if actor.may(Permission.INVOICE_WRITE) and run.goal is RunGoal.REPORTS and fits:
            pressed = st.button("Invoice these reports", icon=":material/request_quote:", key="invoice_run_reports")
            if pressed:
                invoicing.dialog(tuple(read(queries.named, ids)))
