"""What is made of one customer's orders: report, draft, sent invoice, or the figures of a rehearsal."""

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from billing_core.bill_runs import sending
from billing_core.bill_runs.models import RunGoal, RunOutcome
from billing_core.bill_runs.taking import Facts, Taken, Terms
from billing_core.errors import BillingError
from billing_core.invoices import from_reports
from billing_core.invoices.billed_orders.keeping import AlreadyBilled, BilledBefore, before
from billing_core.reports import service
from billing_core.reports.service import Generated

NOTHING_TO_INVOICE: Final = "The report comes to 0: there is nothing to invoice"


def bill(session: Session, terms: Terms, taken: Taken, *, now: datetime) -> Facts:
    """Take the customer as far as one transaction can."""
    if terms.goal is RunGoal.REHEARSAL:
        return _rehearsed(session, terms, taken, now=now)
    if taken.invoice_id is not None and sending.stands(session, taken.invoice_id):
        # An earlier try came so far. Another report now would only be refused.
        found = {"outcome": sending.outcome(taken), "invoice_id": taken.invoice_id}
        return sending.sent(session, terms, taken.invoice_id, found, now=now, fresh=False)
    made = service.generate(
        session,
        terms.actor,
        customer_id=taken.customer_id,
        period=terms.period,
        service_ids=terms.service_ids,
        now=now,
    )
    made_by_run = made.created or (taken.made and taken.report_id == made.report_id)
    facts: Facts = {
        "outcome": RunOutcome.CREATED if made_by_run else RunOutcome.UNCHANGED,
        "report_id": made.report_id,
        "made": made_by_run,
        "invoice_id": None,
        "total_minor": made.total_minor,
        "currency": made.currency,
        "order_count": made.order_count,
        "question_count": made.question_count,
    }
    if terms.goal is RunGoal.REPORTS:
        return facts
    if not made.total_minor:
        return facts | {"reason": NOTHING_TO_INVOICE}
    try:
        with session.begin_nested():
            (invoice_id,) = from_reports.draft_many(
                session,
                terms.actor,
                [made.report_id],
                by=terms.line_grouping,
                tax_rate=terms.tax_rate,
                now=now,
                today=terms.today(now),
            )
    except AlreadyBilled as refusal:
        reason = f"{refusal}: look at this one, and invoice by hand what is right"
        return facts | {"outcome": RunOutcome.FAILED, "twice_count": refusal.charge_count, "reason": reason}
    except BillingError as refusal:
        return facts | _without_draft(session, made, refusal)
    return sending.sent(session, terms, invoice_id, facts | {"invoice_id": invoice_id}, now=now, fresh=True)


def _rehearsed(session: Session, terms: Terms, taken: Taken, *, now: datetime) -> Facts:
    billed: list[BilledBefore] = []
    seen = service.preview(
        session,
        terms.actor,
        customer_id=taken.customer_id,
        period=terms.period,
        service_ids=terms.service_ids,
        also=lambda report_id: billed.extend(before(session, [report_id])),
        now=now,
    )
    invoiced = from_reports.earlier(session, [seen.current.id]) if seen.current else []
    # Of one report with itself there is nothing to ask.
    named = {one.invoice_id for one in invoiced}
    twice = [one for one in billed if one.invoice_id not in named]
    because = twice[0].sentence if twice else ""
    return {
        "outcome": RunOutcome.UNCHANGED if seen.unchanged else RunOutcome.CREATED,
        "report_id": seen.current.id if seen.current else None,
        "total_minor": seen.report.total_minor,
        "currency": seen.report.currency,
        "order_count": seen.report.order_count,
        "question_count": seen.report.question_count,
        "twice_count": max(seen.overlaps.charge_count, sum(one.charge_count for one in twice)),
        "reason": f"Invoiced already, on {invoiced[0].invoice}" if invoiced else because,
    }


def _without_draft(session: Session, made: Generated, refusal: BillingError) -> Facts:
    """Why there is no draft. That this very report is on an invoice is as it should be."""
    invoiced = from_reports.earlier(session, [made.report_id])
    if same := [one for one in invoiced if one.billed_version == made.version]:
        return {"reason": f"Report {made.report_id} is on {same[0].invoice} already"}
    if invoiced:
        settle = "settle the difference there, or invoice the new report by hand"
        reason = f"The report has changed, and its version {invoiced[0].billed_version} is on {invoiced[0].invoice}"
        return {"outcome": RunOutcome.FAILED, "reason": f"{reason}: {settle}"}
    return {"outcome": RunOutcome.FAILED, "reason": str(refusal)}
