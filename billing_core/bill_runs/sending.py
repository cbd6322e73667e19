"""The last part of a run that sends: the draft is mailed, and where it gets a payment link stops for that first."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import RunGoal, RunOutcome
from billing_core.bill_runs.taking import Facts, Taken, Terms
from billing_core.errors import BillingError
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.mailing import service as mailing

# Built once: building a statement takes as long as running it.
_STATE = select(Invoice.state).where(Invoice.id == bindparam("invoice"))


def stands(session: Session, invoice_id: int) -> bool:
    """Whether the invoice was not cancelled."""
    return session.scalar(_STATE, {"invoice": invoice_id}) is not InvoiceState.CANCELLED


def outcome(taken: Taken) -> RunOutcome:
    """Of a customer whom an earlier try brought as far as its invoice."""
    return RunOutcome.CREATED if taken.made else RunOutcome.UNCHANGED


def invoice_ids(facts: Facts) -> list[int]:
    """Those that were made for the customer."""
    return [facts[name] for name in ("invoice_id", "late_invoice_id") if facts.get(name) is not None]


def all_sent(session: Session, terms: Terms, facts: Facts, *, now: datetime, fresh: bool) -> Facts:
    """``sent`` for each invoice that was made. Where one cannot be mailed none gets a link."""
    each = [sent(session, terms, one, facts, now=now, fresh=fresh) for one in invoice_ids(facts)]
    return _together(facts, each)


def all_mailed(session: Session, terms: Terms, taken: Taken, *, now: datetime) -> Facts:
    """Mail the invoices that were sent with their payment links."""
    facts: Facts = {"outcome": outcome(taken)}
    each = [facts | mailed(session, terms, one, now=now, fresh=False) for one in taken.invoice_ids]
    return _together(facts, each)


def _together(facts: Facts, each: Sequence[Facts]) -> Facts:
    """A failure of one is the customer's, and so is that one waits."""
    for one in each:
        if one["outcome"] is RunOutcome.FAILED:
            return one
    return next((one for one in each if one["outcome"] is RunOutcome.WAITING), facts)


def sent(session: Session, terms: Terms, invoice_id: int, facts: Facts, *, now: datetime, fresh: bool) -> Facts:
    """As far as the goal goes. ``fresh``: the draft was made in this transaction, so nobody can have mailed it."""
    if terms.goal is not RunGoal.SENT:
        return facts
    if not terms.with_links:
        return facts | mailed(session, terms, invoice_id, now=now, fresh=fresh)
    # A link sends the draft: nobody gets one who then cannot be told of it.
    (planned,) = mailing.rehearse(session, terms.actor, [invoice_id], today=terms.today(now))
    if planned.reason and planned.before.last_at is None:
        return facts | _refused(planned.reason)
    return facts | {"outcome": RunOutcome.WAITING}


def mailed(session: Session, terms: Terms, invoice_id: int, *, now: datetime, fresh: bool) -> Facts:
    """Mail the invoice, sending the draft first. Nothing to do where there is a mail already, made by hand perhaps,
    whatever became of it.
    """
    today = terms.today(now)
    if not fresh:
        (planned,) = mailing.rehearse(session, terms.actor, [invoice_id], today=today)
        if planned.before.last_at is not None:
            return {}
    try:
        with session.begin_nested():
            done = mailing.send_many(session, terms.actor, [invoice_id], now=now, today=today)
    except BillingError as refusal:
        return _refused(str(refusal))
    return _refused(done.left_out[0].reason) if done.left_out else {}


def _refused(reason: str) -> Facts:
    return {"outcome": RunOutcome.FAILED, "reason": f"The invoice cannot be mailed: {reason}"}
