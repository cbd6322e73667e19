"""What was done of subscriptions, in words for those who had it done."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.mailing.models import MailKind
from billing_core.outbox import queries as outbox
from billing_core.outbox.models import MessageState
from billing_core.subscriptions.collecting import Collected
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice, SubscriptionPeriod
from billing_core.subscriptions.renewals import Done


class Told(NamedTuple):
    """``step``: what was done; ``status``: the subscription's afterwards. ``period``: its days, such as ``2026-03-01 to
    2026-03-31``. Empty where there is none.
    """

    subscription: str
    step: str
    period: str
    invoice: str
    attempt: str
    status: str


def tell(session: Session, done: Sequence[Done | Collected]) -> list[Told]:
    """Of each step, in their order."""
    invoice_ids = {one.invoice_id for one in done if one.invoice_id is not None}
    numbered = select(Invoice.id, Invoice.number, SubscriptionInvoice).join(
        SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id
    )
    rows = session.execute(numbered.where(among(Invoice.id, invoice_ids))).all()
    numbers = {invoice_id: number for invoice_id, number, _ in rows}
    billed = {invoice_id: one for invoice_id, _, one in rows}
    ids = {one.subscription_id for one in (*billed.values(), *done) if not isinstance(one, Collected)}
    subscriptions = {one.id: one for one in session.scalars(select(Subscription).where(among(Subscription.id, ids)))}
    periods = select(SubscriptionPeriod).where(among(SubscriptionPeriod.subscription_id, ids))
    days = {(one.subscription_id, one.number): f"{one.first_day} to {one.last_day}" for one in session.scalars(periods)}
    asked = [one.invoice_id for one in done if isinstance(one, Collected) and not one.outcome]
    mails = outbox.newest_states(session, SYSTEM, "invoice", asked, [MailKind.INVOICE, MailKind.CHARGE_FAILED])
    told = []
    for one in done:
        number = numbers.get(one.invoice_id) or "" if one.invoice_id is not None else ""
        if isinstance(one, Done):
            subscription, period_number = subscriptions[one.subscription_id], one.period_number
            step, attempt = one.step.value, ""
        else:
            of_one = billed[one.invoice_id]
            subscription, period_number = subscriptions[of_one.subscription_id], of_one.period_number
            step, attempt = one.outcome.value if one.outcome else _mail(mails.get(one.invoice_id)), one.attempt or ""
        period = days.get((subscription.id, period_number), "") if period_number is not None else ""
        told.append(Told(subscription.public_id, step, period, number, attempt, subscription.state.value))
    return told


def _mail(state: MessageState | None) -> str:
    """What became of the mail with an invoice that no card is charged for; None: there is none, such as without an
    address.
    """
    if state in (MessageState.WAITING, MessageState.DELIVERED):
        return "mailed"
    return "not mailed" if state is None else f"mail {state.word}"
