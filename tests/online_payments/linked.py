"""An invoice with an active link, and events applied to it."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.invoices import payment_links
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import CollectionWay, LinkState, Mode, PaymentLink
from billing_core.online_payments.models import WebhookEvent
from billing_core.online_payments.webhooks import inbox
from tests.online_payments.stripe.events import Paying, payload
from tests.payments.books import NOW, a_customer, an_open_invoice

BY_LINK, HOSTED = CollectionWay.PAYMENT_LINK, CollectionWay.HOSTED_INVOICE
# After what the events tell, on the same day.
LATER = datetime(2026, 3, 10, 18, tzinfo=UTC)


def a_link(session: Session, invoice: Invoice, *, way: CollectionWay = BY_LINK) -> PaymentLink:
    """An active link for what is due, in Stripe's test mode."""
    link = PaymentLink(
        public_id=payment_links.new_public_id(),
        token=payment_links.new_token(),
        invoice_id=invoice.id,
        customer_name_order=invoice.customer_name_order,
        mode=Mode.TEST,
        way=way,
        state=LinkState.ACTIVE,
        currency=invoice.currency,
        amount_minor=invoice.due_minor,
        charge={},
        url="https://pay.example/1",
        expires_at=NOW + timedelta(days=60),
        activated_at=NOW,
        created_at=NOW,
        created_by="Grace Hopper",
    )
    link.gateway_id = f"{'in' if way is HOSTED else 'plink'}_{link.public_id}"
    link.stripe_invoice_id = link.gateway_id if way is HOSTED else None
    session.add(link)
    session.flush()
    payment_links.show(session, link, invoice)
    return link


def linked(session: Session, *prices: str, tax_rate: str = "0", currency: str = "EUR", ref: str = "C1", **link):
    """(invoice, its link) of a new customer: 100.00 EUR unless said otherwise."""
    invoice = an_open_invoice(session, a_customer(session, ref), *prices, tax_rate=tax_rate, currency=currency)
    return invoice, a_link(session, invoice, **link)


def paying(link: PaymentLink, invoice: Invoice, *, amount: int = 10_000, currency: str = "eur", **facts) -> Paying:
    """A payment by that link, with the ids that we gave to the gateway."""
    metadata = {"link_id": link.public_id, "invoice_id": invoice.public_id}
    of_link = {"hosted": link.gateway_id} if link.way is HOSTED else {"link": link.gateway_id}
    return Paying(amount=amount, currency=currency, metadata=metadata, **of_link, **facts)


def tell(sessions, *told, now: datetime = LATER, mode: Mode = Mode.TEST) -> None:
    """Store these events one after the other, apply each at once, and then what waits for a later try."""
    for one in told:
        with sessions.begin() as session:
            inbox.store(session, one, payload(one), now=now)
        inbox.apply_due(sessions, mode, now_of=lambda: now)
    wait(sessions, now=now, mode=mode)


def wait(sessions, *, now: datetime = LATER, mode: Mode = Mode.TEST) -> None:
    """Let time pass until no event waits any more."""
    for _ in range(20):
        with sessions() as session:
            due = session.scalar(select(func.max(WebhookEvent.not_before)).where(WebhookEvent.state == inbox.WAITING))
        if due is None:
            return
        now = max(now, due)
        inbox.apply_due(sessions, mode, now_of=lambda now=now: now)
    raise AssertionError("an event waits for ever")


def became(sessions, told) -> WebhookEvent:
    with sessions() as session:
        return session.scalars(select(WebhookEvent).where(WebhookEvent.event_id == told["id"])).one()
