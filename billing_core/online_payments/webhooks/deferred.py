"""Events about an unknown payment: they wait for it, and are applied once it is known.

Until then they may not be ours: another program may collect through the same account.
"""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.errors import NotFound
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.payments.models import Payment


class PaymentUnknown(NotFound):
    """About a charge of which no payment is known."""

    def __init__(self, charge_id: str) -> None:
        super().__init__("No payment with this charge is known")
        self.charge_id = charge_id


def name(
    session: Session, payment: Payment, *, intent_id: str | None = None, charge_id: str | None = None, now: datetime
) -> None:
    """Store the gateway's ids of the payment as far as they were not known, and apply the events that waited for its
    charge, however long ago they came.
    """
    payment.intent_id = payment.intent_id or intent_id
    payment.charge_id = payment.charge_id or charge_id
    if payment.charge_id is None:
        return
    unused = WebhookEvent.state.in_([WebhookState.WAITING, WebhookState.IGNORED])
    # One that is being applied finds the payment by itself; waiting for it could be a deadlock.
    free = select(WebhookEvent.id).where(WebhookEvent.waits_for == payment.charge_id, unused)
    event_ids = session.scalars(free.order_by(WebhookEvent.id).with_for_update(skip_locked=True)).all()
    again = {"state": WebhookState.WAITING, "attempts": 0, "not_before": now, "outcome": "", "handled_at": None}
    for_all = update(WebhookEvent).where(WebhookEvent.id.in_(event_ids)).values(again)
    session.execute(for_all.execution_options(synchronize_session=False))
