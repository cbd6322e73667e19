"""A payment that looks like one that was recorded before, as a header of the answer. It may be right all the same."""

from typing import Any, Final

from sqlalchemy.orm import Session

from billing_core.identity import Actor
from billing_core.money import Money
from billing_core.payments import queries
from billing_core.payments.models import Payment

HEADER: Final = "Payment-Recorded-Before"
DESCRIBED: Final[dict[str, Any]] = {
    HEADER: {
        "description": "The first payment of this customer over the same amount that came in on the same day, where "
        "there is one: the payment that was recorded now may be that money once more",
        "schema": {"type": "string"},
    }
}


def headers(session: Session, actor: Actor, payment: Payment | None) -> dict[str, str]:
    """Empty where none looks like ``payment``, which was recorded just now."""
    if payment is None:
        return {}
    amount = Money(payment.amount_minor, payment.currency)
    first = queries.alike(
        session, actor, payment.customer_id, amount, received_on=payment.received_on, reference=payment.reference
    )
    return {HEADER: first.public_id} if first is not None and first.id != payment.id else {}
