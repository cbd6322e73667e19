"""Cards on file and attempts to charge them, by the scripted gateway or by the sandbox, and what became of them."""

from datetime import UTC, datetime

from billing_core.identity import SYSTEM
from billing_core.online_payments.models import ChargeAttempt
from billing_core.online_payments.off_session import attempts, methods
from tests.online_payments.stripe.events import NOON, event
from tests.payments.books import NOW

# While the charge is made, and when it is answered.
LATER = datetime(2026, 3, 10, 18, tzinfo=UTC)


def put_on_file(sessions, gateway, customer_id, method_id="pm_card_visa") -> int:
    return methods.attach(sessions, SYSTEM, gateway, customer_id, method_id, now=NOW)


def begin(sessions, invoice_id, method_id) -> int:
    with sessions.begin() as session:
        return attempts.begin(session, SYSTEM, invoice_id, method_id, now=NOW)


def record(sessions, attempt_id, charged) -> ChargeAttempt:
    with sessions.begin() as session:
        return attempts.record(session, SYSTEM, attempt_id, charged, now=LATER)


def charge(sessions, gateway, attempt_id) -> ChargeAttempt:
    """Charge the card and record the outcome."""
    return record(sessions, attempt_id, attempts.charge(sessions, gateway, attempt_id))


def seen(sessions, attempt_id) -> ChargeAttempt:
    with sessions() as session:
        return attempts.one(session, SYSTEM, attempt_id)


def told(attempt: ChargeAttempt, *, code: str = "", decline_code: str = "", message: str = "", amount: int = 10_000):
    """Stripe's event about the intent of the scripted gateway's charge: paid, or declined where there is a code."""
    error = {"type": "card_error", "code": code, "decline_code": decline_code or None, "message": message}
    intent = {
        "id": f"pi_{attempt.public_id}",
        "object": "payment_intent",
        "amount": amount,
        "amount_received": 0 if code else amount,
        "currency": "eur",
        "latest_charge": f"ch_{attempt.public_id}",
        "last_payment_error": error if code else None,
        "metadata": {"attempt_id": attempt.public_id},
        "status": "requires_payment_method" if code else "succeeded",
        "created": NOON,
    }
    return event(f"payment_intent.{'payment_failed' if code else 'succeeded'}", intent, at=NOON)
