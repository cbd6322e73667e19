"""A payment's fee and the other details that only the gateway knows, queried after the payment is recorded."""

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.identity import Actor, Permission
from billing_core.invoices.payment_links import GATEWAY, Mode
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Entry, Side
from billing_core.money import Money
from billing_core.online_payments.gateway import PaymentDetails
from billing_core.online_payments.webhooks import deferred
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message
from billing_core.payments import queries as payments
from billing_core.payments.models import Payment

FETCH_DETAILS: Final = "fetch_details"


def ask(session: Session, actor: Actor, payment: Payment, *, mode: Mode, now: datetime) -> None:
    """Have the gateway queried for the fee and ids of this payment."""
    actor.require(Permission.PAYMENT_WRITE)
    message = Message(
        channel=GATEWAY,
        topic=FETCH_DETAILS,
        key=f"{FETCH_DETAILS}:{payment.gateway_key}",
        recipient=mode.value,
        title=f"Ask for the fee of the payment {payment.gateway_key}",
        subject=("payment", payment.id),
        content={"payment_id": payment.id},
        customer_id=payment.customer_id,
    )
    outbox.put(session, actor, message, now=now)


def note(session: Session, actor: Actor, payment_id: int, details: PaymentDetails, *, now: datetime) -> None:
    """Record the gateway's answer. The fee is posted once, even of an undone payment: the gateway keeps it."""
    actor.require(Permission.PAYMENT_WRITE)
    payment = payments.for_change(session, actor, payment_id)
    deferred.name(session, payment, intent_id=details.intent_id, charge_id=details.charge_id, now=now)
    fee = details.fee_minor or 0
    if payment.fee_minor or not 0 < fee <= payment.amount_minor:
        return
    payment.fee_entry_id = ledger.post(
        session,
        actor,
        Entry(
            business_id=payment.business_id,
            customer_id=payment.customer_id,
            currency=payment.currency,
            kind=EntryKind.FEE,
            document=f"payment:{payment.public_id}",
            effective_on=payment.received_on,
            sides=[Side(Account.FEES, fee, payment.method), Side(Account.CASH, -fee, payment.method)],
            memo=payment.reference,
        ),
        now=now,
    )
    payment.fee_minor = fee
    session.flush()
    audit.record(
        session,
        actor,
        "payment.note_fee",
        ("payment", payment.id),
        label=str(Money(payment.amount_minor, payment.currency)),
        after={"fee_minor": fee, "currency": payment.currency},
        now=now,
    )
