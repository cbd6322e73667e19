"""The outcome of an attempt to charge a card on file.

The charge's own answer and the gateway's event tell it, in any order and any number of times: both end here, with one
effect. Money that came in counts whatever was told before.
"""

from typing import Any

from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices.lifecycle import Change
from billing_core.invoices.models import EventKind, InvoiceState
from billing_core.money import Money
from billing_core.online_payments import declines
from billing_core.online_payments.models import AttemptState, ChargeAttempt
from billing_core.online_payments.webhooks.facts import Failed
from billing_core.online_payments.webhooks.matching import Match
from billing_core.payments.models import Payment

STARTED, SUCCEEDED = AttemptState.STARTED, AttemptState.SUCCEEDED


def note_success(session: Session, actor: Actor, match: Match, payment: Payment) -> None:
    """The attempt brought this payment. Does nothing where the payment came by another way."""
    actor.require(Permission.PAYMENT_WRITE)
    attempt = match.attempt
    if attempt is None or attempt.state is SUCCEEDED:
        return
    before = attempt.state
    attempt.state, attempt.payment_id, attempt.finished_at = SUCCEEDED, payment.id, match.now
    attempt.intent_id = payment.intent_id or attempt.intent_id
    attempt.decline_code, attempt.failure, attempt.hard = "", "", False
    session.flush()
    _trace(session, actor, match, attempt, before, {"payment_id": payment.id})


def note_failure(session: Session, actor: Actor, match: Match, failed: Failed) -> str:
    """Nothing was charged; returns what that did, in a sentence. The open invoice then shows the failure."""
    actor.require(Permission.PAYMENT_WRITE)
    attempt = match.attempt
    if attempt is None or attempt.state is not STARTED:
        return "The outcome of this charge was recorded before"
    outcome = declines.outcome(failed.code, failed.decline_code)
    attempt.state, attempt.finished_at = AttemptState(outcome.value), match.now
    attempt.intent_id = failed.intent_id
    attempt.decline_code, attempt.failure = failed.decline_code or failed.code, failed.reason
    attempt.hard = declines.is_hard(attempt.decline_code)
    session.flush()
    facts = {"decline_code": attempt.decline_code, "failure": attempt.failure, "hard": attempt.hard}
    _trace(session, actor, match, attempt, STARTED, facts)
    _mark(session, actor, match, failed)
    return f"The payment failed: {failed.reason}"[:200]


def _mark(session: Session, actor: Actor, match: Match, failed: Failed) -> None:
    """A draft is shown to nobody: it does not fail."""
    invoice = match.invoice
    if invoice.state is not InvoiceState.OPEN:
        return
    newest = (failed.at, failed.reason)
    if invoice.payment_failed_at is not None:
        newest = max(newest, (invoice.payment_failed_at, invoice.payment_failure))
    change = Change(
        invoice, {"payment_failed_at": newest[0], "payment_failure": newest[1]}, data={"reason": failed.reason}
    )
    event = EventKind.PAYMENT_FAILED
    lifecycle.change(session, actor, [change], event=event, action="payment.failed", now=match.now)


def _trace(
    session: Session,
    actor: Actor,
    match: Match,
    attempt: ChargeAttempt,
    before: AttemptState,
    facts: dict[str, Any],
) -> None:
    named = match.invoice.number or match.invoice.customer_name
    audit.record(
        session,
        actor,
        "charge.finish",
        ("charge_attempt", attempt.id),
        label=f"{named}, {Money(attempt.amount_minor, attempt.currency)}",
        before={"state": before.value},
        after={"state": attempt.state.value, **facts},
        now=match.now,
    )
