"""What became of each customer of a run."""

from functools import partial

import streamlit as st

from billing_core import runtime
from billing_core.bill_runs import progress
from billing_core.bill_runs.models import RunGoal, RunOutcome, RunSource
from billing_core.bill_runs.progress import ItemRow, Progress
from billing_core.identity import Actor, Permission
from pages.bill_run_sections import wording
from pages.ui import address, formats, opened, tables
from pages.ui.inputs import filters

_PAGE_KEY = "run_items_page"


def draw(actor: Actor, run: Progress) -> None:
    outcome = _outcome(run.source)
    total = run.total if outcome is None else wording.count_of(run, outcome)
    skipped = tables.pager(total, key=_PAGE_KEY, noun="customer", of=run.run_id)
    with runtime.sessions()() as session:
        rows = progress.items(
            session, actor, run.run_id, outcome=outcome, limit=tables.PAGE_SIZE, offset=min(skipped, total)
        )
    tables.show(
        rows,
        _columns(actor, run, rows, failed_alone=outcome is RunOutcome.FAILED),
        key="run_items",
        alt="What became of each customer of this run",
    )


def _columns(actor: Actor, run: Progress, rows: list[ItemRow], *, failed_alone: bool) -> list[tables.Column]:
    """Reasons are sentences: the failed alone have no figures beside theirs, so that each can be read."""
    columns = [tables.text("Customer", "customer_name", width="medium")]
    if not failed_alone:
        outcome = tables.badge("Outcome", partial(wording.outcome, run), wording.OUTCOME_COLORS)
        columns += [outcome, tables.money("Total", "total_minor", width=105)]
        columns += [*wording.late_usage(rows), tables.currency_of()]
    if run.source is RunSource.ORDERS:
        columns += [] if failed_alone else [tables.count("Questions", "question_count")]
        columns += [tables.button("Report", _report, opens=_open_report, width=95)]
    if run.goal in (RunGoal.DRAFTS, RunGoal.SENT) and actor.may(Permission.INVOICE_READ):
        columns += [tables.button("Invoice", _invoice, opens=_open_invoice, width=150)]
        if any(row.late_invoice_id for row in rows):
            columns += [tables.button("Late usage alone", _late_invoice, opens=_open_late_invoice, width=150)]
    if any(row.reason for row in rows):
        columns += [tables.computed("Reason", lambda row: formats.with_days(row.reason), width="large")]
    return columns


def _outcome(source: RunSource) -> RunOutcome | None:
    """The filter. Its options stay as they are while their counts change."""
    names = {outcome.value: name for outcome, name in wording.OUTCOMES[source].items()}
    address.read("run_outcome", "Outcome", partial(address.called, names), None, sets=True)
    chosen = st.pills(
        "Outcome",
        list(names),
        format_func=lambda one: names.get(one, one),
        key="run_outcome",
        bind="query-params",
        on_change=filters.first_page,
        args=(_PAGE_KEY,),
        label_visibility="collapsed",
    )
    address.stop_in_doubt()
    return RunOutcome(chosen) if chosen else None


def _report(row: ItemRow) -> str | None:
    return f":material/open_in_new: {row.report_id}" if row.report_id else None


def _invoice(row: ItemRow) -> str | None:
    return None if row.invoice_id is None else f":material/open_in_new: {row.invoice_number or 'Draft'}"


def _late_invoice(row: ItemRow) -> str | None:
    return None if row.late_invoice_id is None else f":material/open_in_new: {row.late_invoice_number or 'Draft'}"


def _open_report(row: ItemRow) -> None:
    st.query_params["report"] = str(row.report_id)


def _open_invoice(row: ItemRow) -> None:
    if row.invoice_id is not None:
        opened.go_to_invoice(row.invoice_id)


def _open_late_invoice(row: ItemRow) -> None:
    if row.late_invoice_id is not None:
        opened.go_to_invoice(row.late_invoice_id)
