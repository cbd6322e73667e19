"""The invoice of a period: what is due at its beginning, with the usage of the days before, each once.

It is dated with the day of the period, whenever it is made, so that a late run makes the same invoices.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import delete
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.identity import Actor
from billing_core.invoices import queries as invoices
from billing_core.invoices import service as drafts
from billing_core.invoices.content.content import DraftLine, blank_for
from billing_core.invoices.models import Invoice
from billing_core.money import decimal_places
from billing_core.payments import credit, sending
from billing_core.subscriptions import metered
from billing_core.subscriptions.models import InvoiceKind, Subscription, SubscriptionCharge, SubscriptionInvoice
from billing_core.subscriptions.pricing import Item
from billing_core.subscriptions.wording import item_words


def draft(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    items: Sequence[Item],
    *,
    number: int,
    kind: InvoiceKind,
    issued_on: date,
    now: datetime,
    change_id: int = 0,
    usage_days: Period | None = None,
) -> SubscriptionInvoice:
    """Write a draft of these items, and of the usage on ``usage_days``; none where nothing has a price. The database
    refuses a second one for the same period, kind and change.
    """
    made = SubscriptionInvoice(
        subscription_id=subscription.id, period_number=number, kind=kind, change_id=change_id, created_at=now
    )
    session.add(made)
    # Before anything else is written of it: whoever comes second stops here.
    session.flush()
    of_usage = None
    if usage_days is not None:
        of_usage = metered.bill(session, actor, subscription, usage_days, issued_on=issued_on, now=now)
    priced = [item for item in items if item.gross_minor]
    if not priced:
        made.invoice_id = of_usage
        return made
    made.invoice_id = _write(session, actor, subscription, priced, of_usage, issued_on, now)
    session.add_all(_charge(subscription, item, number, made.invoice_id) for item in priced)
    return made


def send(session: Session, actor: Actor, invoice_id: int, *, kept_minor: int = 0, now: datetime) -> Invoice:
    """Give the draft its number; what credit the customer has pays it, as far as it goes, but for what is kept due to
    be paid otherwise.
    """
    invoice = sending.send(session, actor, invoice_id, now=now)
    credit.spend(session, actor, invoice, today=invoice.issued_on, now=now, kept_minor=kept_minor)
    return invoice


def issue(session: Session, actor: Actor, made: SubscriptionInvoice, *, now: datetime) -> None:
    """Send what was drafted, if anything was, and have what is due on it collected."""
    if made.invoice_id is None:
        return
    # Written with the invoice's id: mostly something is due.
    made.collect_at = now
    if not send(session, actor, made.invoice_id, now=now).due_minor:
        made.collect_at = None


def withdraw_draft(session: Session, actor: Actor, made: SubscriptionInvoice, *, now: datetime) -> None:
    """Nothing of it is billed."""
    invoice_id = made.invoice_id
    session.execute(delete(SubscriptionCharge).where(SubscriptionCharge.invoice_id == invoice_id))
    session.delete(made)
    session.flush()
    if invoice_id is not None:
        drafts.discard(session, actor, invoice_id, now=now)


def abandon(session: Session, actor: Actor, made: SubscriptionInvoice, *, now: datetime) -> None:
    """Nothing of a draft is billed for which a card is charged; what comes of that is recorded when it is heard."""
    assert made.invoice_id is not None  # noqa: S101  # it is charged for
    session.execute(delete(SubscriptionCharge).where(SubscriptionCharge.invoice_id == made.invoice_id))
    made.kind, made.change_id, made.collect_at = InvoiceKind.OTHER, made.invoice_id, now
    session.flush()
    drafts.discard(session, actor, made.invoice_id, now=now)


def amount_to_pay(session: Session, actor: Actor, invoice_id: int) -> int:
    """What is left to pay of a draft once the customer's credit has paid what it can, in minor units."""
    invoice = invoices.one(session, actor, invoice_id)
    left = credit.balance(session, invoice.business_id, invoice.customer_id, invoice.currency).minor
    return max(invoice.total_minor - left, 0)


def _write(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    items: Sequence[Item],
    of_usage: int | None,
    issued_on: date,
    now: datetime,
) -> int:
    customer = session.get_one(Customer, subscription.customer_id)
    lines = tuple(line(item, customer.locale, subscription.currency, subscription.tax_rate) for item in items)
    if of_usage is None:
        business = session.get_one(Business, subscription.business_id)
        blank = blank_for(customer, business, issued_on)
        content = replace(blank, currency=subscription.currency, lines=lines)
        return drafts.create_many(session, actor, [content], now=now)[0]
    invoice = invoices.for_change(session, actor, of_usage)
    of_both = invoices.content(session, invoice)
    of_both = replace(of_both, lines=(*lines, *of_both.lines))
    return drafts.edit(session, actor, invoice.id, of_both, drawn_from=invoice.version, now=now).id


def line(item: Item, language: str, currency: str, tax_rate: Decimal) -> DraftLine:
    places = decimal_places(currency)
    quantity, unit_minor = (item.quantity, item.unit_minor) if item.is_whole else (1, item.gross_minor)
    return DraftLine(
        item_words(item, currency, language),
        Decimal(quantity),
        Decimal(unit_minor).scaleb(-places),
        tax_rate=tax_rate,
        discount_minor=item.discount_minor or None,
    )


def _charge(subscription: Subscription, item: Item, number: int, invoice_id: int) -> SubscriptionCharge:
    return SubscriptionCharge(
        subscription_id=subscription.id,
        period_number=number,
        kind=item.kind,
        code=item.code,
        quantity=item.quantity,
        first_day=item.days.start,
        last_day=item.days.end,
        invoice_id=invoice_id,
        net_minor=item.net_minor,
        discount_minor=item.discount_minor,
        forfeited_minor=item.forfeited_minor,
    )
