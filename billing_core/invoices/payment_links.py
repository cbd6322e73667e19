"""Where an invoice can be paid online: at most one link at a time, and what ends it.

Creating one crosses the network and is in ``online_payments``; ending it belongs to the change that invalidates it.
"""

import enum
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, bindparam, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.orm.attributes import set_committed_value

from billing_core.audit import service as audit
from billing_core.database import Base
from billing_core.database.types import ReadingOrder
from billing_core.dates import day_in, start_of_day
from billing_core.identity import Actor, Permission
from billing_core.invoices.content import early_payment
from billing_core.invoices.content.early_payment import Offer
from billing_core.invoices.models import Invoice
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message
from billing_core.settings import settings

# The outbox's channel for messages to payment gateways.
GATEWAY: Final = "gateway"
DEACTIVATE: Final = "deactivate_link"


class LinkState(enum.StrEnum):
    """CREATING: requested, and the gateway's answer is not recorded yet. FAILED: the gateway declined."""

    CREATING = "creating"
    ACTIVE = "active"
    PAID = "paid"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"
    FAILED = "failed"


class Mode(enum.StrEnum):
    """SANDBOX: our own, no money moves. TEST and LIVE: Stripe's, as the secret key says."""

    SANDBOX = "sandbox"
    TEST = "test"
    LIVE = "live"


class CollectionWay(enum.StrEnum):
    """How Stripe collects; a setting of each business."""

    PAYMENT_LINK = "payment_link"
    HOSTED_INVOICE = "hosted_invoice"


LIVING: Final = (LinkState.CREATING, LinkState.ACTIVE)
# Why a link ended that the customer paid in full while it was active.
PAID_BY_IT: Final = "The customer has paid"
_ONE_LIVING = text("state IN ('creating', 'active')")


def new_public_id() -> str:
    return f"lnk_{secrets.token_hex(8)}"


def new_token() -> str:
    return secrets.token_urlsafe(24)


class PaymentLink(Base):
    """``charge`` is exactly what the gateway was asked to collect (an ``online_payments`` ``Charge``), so that the
    request can be repeated. ``token`` is in our own address ``/pay/{token}``, which counts ``clicks`` and redirects to
    ``url``. ``gateway_id`` is the gateway's own id (``plink_…``, ``in_…``). ``customer_name_order``, where it stands in
    lists, is its invoice's. Amounts in minor units.

    The latest instants in the gateway's events, in whatever order these arrive: ``last_failed_at`` (of any attempt),
    ``last_pending_at`` (of a payment on its way), ``last_paid_at``.
    """

    __tablename__ = "payment_links"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("state <> 'active' OR url IS NOT NULL", name="active_has_url"),
        Index(
            "uq_payment_links_living", "invoice_id", unique=True, sqlite_where=_ONE_LIVING, postgresql_where=_ONE_LIVING
        ),
        Index("ix_payment_links_amount", "currency", "amount_minor", "id"),
        Index("ix_payment_links_customer_name_order", "customer_name_order", "id"),
        Index("ix_payment_links_invoice_id", "invoice_id", "id"),
        Index("ix_payment_links_state", "state", "expires_at", "id"),
        Index("ix_payment_links_expires_at", "expires_at", "id"),
        Index("ix_payment_links_clicks", "clicks", "id"),
        Index("ix_payment_links_gateway_id", "gateway_id"),
        Index("ix_payment_links_stripe_invoice_id", "stripe_invoice_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=new_public_id)
    token: Mapped[str] = mapped_column(String(64), unique=True, default=new_token)
    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    customer_name_order: Mapped[str] = mapped_column(ReadingOrder, server_default="")
    mode: Mapped[Mode]
    way: Mapped[CollectionWay]
    state: Mapped[LinkState] = mapped_column(default=LinkState.CREATING)
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    charge: Mapped[dict[str, Any]]
    url: Mapped[str | None] = mapped_column(String(2000))
    gateway_id: Mapped[str | None] = mapped_column(String(255))
    stripe_invoice_id: Mapped[str | None] = mapped_column(String(255))
    expires_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str] = mapped_column(String(500), default="")
    clicks: Mapped[int] = mapped_column(default=0)
    last_clicked_at: Mapped[datetime | None]
    last_pending_at: Mapped[datetime | None]
    last_failed_at: Mapped[datetime | None]
    last_failure: Mapped[str] = mapped_column(String(500), default="")
    last_paid_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))


_NAMES_FOLLOW: Final = (
    update(PaymentLink)
    .where(PaymentLink.invoice_id.in_(bindparam("ids", expanding=True)))
    .values(
        customer_name_order=select(Invoice.customer_name_order)
        .where(Invoice.id == PaymentLink.invoice_id)
        .scalar_subquery()
    )
    .execution_options(synchronize_session=False)
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link asks for (minor units), and whom. The lines and the currency of a sent invoice never change."""

    due_minor: int
    early: tuple[Offer, ...]
    customer_name: str
    customer_email: str


def asked(invoice: Invoice, *, now: datetime) -> Asked:
    # Nowhere on earth does an offer hold longer.
    over_before = now.date() - timedelta(days=1)
    early = tuple(offer for offer in early_payment.offers(invoice) if offer.until >= over_before)
    return Asked(invoice.due_minor, early, invoice.customer_name, invoice.customer_email)


def follow_names(session: Session, invoice_ids: Sequence[int]) -> None:
    """These invoices name their customers otherwise: their links, also former ones, stand in lists where they do."""
    for start in range(0, len(invoice_ids), 500):
        session.execute(_NAMES_FOLLOW, {"ids": list(invoice_ids[start : start + 500])})


def difference(before: Asked, after: Asked) -> str:
    """Why a link of before may not be used any more; empty where it still asks the same customer for the same."""
    if after.due_minor != before.due_minor:
        return "What is due has changed"
    if after.early != before.early:
        return "What early payment takes off has changed"
    return "" if after == before else "The customer's name or e-mail address has changed"


def show(session: Session, link: PaymentLink, invoice: Invoice) -> None:
    """Copy the link's address and gateway id to the invoice. The caller has locked the invoice."""
    _set(session, invoice, payment_url=link.url, stripe_invoice_id=link.stripe_invoice_id)


def active_token(session: Session, invoice_id: int) -> str | None:
    """The token of the link by which the invoice can be paid now, for our own address ``/pay/``.

    A sandbox link is no longer usable once Stripe collects.
    """
    payable = [PaymentLink.invoice_id == invoice_id, PaymentLink.state == LinkState.ACTIVE]
    if settings().stripe_secret_key is not None:
        payable.append(PaymentLink.mode != Mode.SANDBOX)
    return session.scalars(select(PaymentLink.token).where(*payable)).one_or_none()


def prolong(session: Session, actor: Actor, invoice: Invoice, *, days: int, zone: str, now: datetime) -> None:
    """The invoice is due so many days later: its active link for all of that is valid for as much longer.

    The caller has locked the invoice. A link that asks for less ends with the discount, whenever the rest is due.
    """
    link = session.scalars(
        select(PaymentLink).where(
            PaymentLink.invoice_id == invoice.id,
            PaymentLink.state == LinkState.ACTIVE,
            PaymentLink.amount_minor == invoice.due_minor,
        )
    ).one_or_none()
    if link is None:
        return
    before = link.expires_at
    link.expires_at = start_of_day(zone, day_in(zone, before) + timedelta(days=days))
    session.flush()
    was, became = {"expires_at": before.isoformat()}, {"expires_at": link.expires_at.isoformat()}
    trace = audit.Trace(("payment_link", link.id), invoice.number or "", was, became)
    audit.record_many(session, actor, Permission.LINK_WRITE, [trace], now=now)


def end(
    session: Session,
    actor: Actor,
    invoice: Invoice,
    *,
    state: LinkState,
    because: str,
    now: datetime,
    tell_gateway: bool = True,
) -> PaymentLink | None:
    """End the invoice's active link; None where it has none. Unless it was paid, the gateway deactivates it as well.

    The caller has locked the invoice, which then shows no payment address.
    """
    link = session.scalars(
        select(PaymentLink).where(PaymentLink.invoice_id == invoice.id, PaymentLink.state == LinkState.ACTIVE)
    ).one_or_none()
    if link is None:
        return None
    link.state, link.ended_at, link.ended_because = state, now, because[:500]
    _set(session, invoice, payment_url=None)
    if tell_gateway and state is not LinkState.PAID:
        withdraw(session, actor, link, invoice, now=now)
    session.flush()
    return link


def abandon(
    session: Session, actor: Actor, link: PaymentLink, invoice: Invoice, *, because: str, now: datetime
) -> None:
    """Give up a link whose creation was never answered; one may exist at the gateway, and must not stay usable.

    The caller has locked the invoice.
    """
    link.state, link.ended_at, link.ended_because = LinkState.FAILED, now, because[:500]
    withdraw(session, actor, link, invoice, now=now)
    session.flush()


def withdraw(session: Session, actor: Actor, link: PaymentLink, invoice: Invoice, *, now: datetime) -> None:
    """Have the gateway deactivate this link."""
    named = invoice.number or invoice.customer_name
    message = Message(
        channel=GATEWAY,
        topic=DEACTIVATE,
        key=f"{DEACTIVATE}:{link.public_id}",
        recipient=link.mode.value,
        title=f"Deactivate the payment link of {named}",
        subject=("payment_link", link.id),
        content={"link_id": link.id},
        customer_id=invoice.customer_id,
    )
    outbox.put(session, actor, message, now=now)


def _set(session: Session, invoice: Invoice, **facts: str | None) -> None:
    """Without a new version: an open editor shows nothing of this."""
    session.execute(update(Invoice).where(Invoice.id == invoice.id).values(**facts, version=Invoice.version))
    for name, value in facts.items():
        set_committed_value(invoice, name, value)
