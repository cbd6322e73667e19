"""Cards on file in the sandbox: kept for a customer, and charged without them. No money moves."""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.online_payments import declines
from billing_core.online_payments.gateway import (
    AttachedMethod,
    Charged,
    ChargeOutcome,
    Declined,
    GatewayCustomer,
    OffSessionCharge,
)
from billing_core.online_payments.models import ChargeAttempt, SandboxCharge
from billing_core.online_payments.sandbox import cards, events, fees
from billing_core.online_payments.sandbox.cards import FAILURES, OFF_SESSION_FAILURES, Outcome
from billing_core.online_payments.sandbox.events import Tried


def attach(customer: GatewayCustomer, method_id: str, *, key: str, now: datetime) -> AttachedMethod:
    """A card of its own, made of the test method: its id tells which it was, so that nothing needs to be kept."""
    brand, last4 = cards.of_method(method_id)
    if method_id == cards.REFUSED_METHOD:
        raise Declined(FAILURES[Outcome.DECLINED])
    good_until = cards.last_month(method_id, today=now.date())
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    return AttachedMethod(
        gateway_customer_id=customer.gateway_id or f"cus_sandbox_{customer.public_id.removeprefix('cus_')}",
        gateway_id=f"{method_id}_{name}",
        brand=brand,
        last4=last4,
        exp_month=good_until.month,
        exp_year=good_until.year,
    )


def charge(session: Session, asked: OffSessionCharge, *, key: str, now: datetime) -> Charged:
    """Charge the card, and send the event of it; the same attempt again gives what came of it."""
    locked = select(ChargeAttempt).where(ChargeAttempt.public_id == key).with_for_update()
    attempt = session.scalars(locked).one_or_none()
    if attempt is None:
        raise Declined("The sandbox only knows charges of this product")
    of_attempt = select(SandboxCharge).where(SandboxCharge.attempt_id == attempt.id)
    return _charged(session.scalars(of_attempt).one_or_none() or _charge(session, attempt, asked, now))


def _charge(session: Session, attempt: ChargeAttempt, asked: OffSessionCharge, now: datetime) -> SandboxCharge:
    outcome = cards.when_charged(asked.gateway_method_id.rpartition("_")[0])
    succeeded = outcome is Outcome.SUCCEEDS
    charge = SandboxCharge(
        intent_id=f"pi_sandbox_{secrets.token_hex(12)}",
        charge_id=f"ch_sandbox_{secrets.token_hex(12)}",
        attempt_id=attempt.id,
        succeeded=succeeded,
        failure=OFF_SESSION_FAILURES.get(outcome, ""),
        currency=asked.currency,
        amount_minor=asked.amount_minor,
        fee_minor=fees.of_payment(asked.amount_minor) if succeeded else 0,
        refunded_minor=0,
        created_at=now,
    )
    session.add(charge)
    session.flush()
    tried = Tried(session.get_one(Invoice, attempt.invoice_id), charge, attempt=attempt)
    events.tell_payment(session, SYSTEM, tried, now=now)
    return charge


def _charged(charge: SandboxCharge) -> Charged:
    if charge.succeeded:
        return Charged(ChargeOutcome.SUCCEEDED, charge.intent_id, charge.charge_id, charge.fee_minor)
    code, decline_code = cards.codes(charge.failure)
    return Charged(
        declines.outcome(code, decline_code),
        charge.intent_id,
        charge.charge_id,
        decline_code=decline_code,
        message=declines.reason(charge.failure, decline_code),
        hard=declines.is_hard(decline_code),
    )
