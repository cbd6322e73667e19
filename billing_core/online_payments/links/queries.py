"""Reads of payment links: lists, counts, a single one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.customers.queries import visible_to
from billing_core.database.amounts import has_amount
from billing_core.database.functions import mentions
from billing_core.database.ordering import chosen, ordered
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import CollectionWay, LinkState, Mode, PaymentLink


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link with data of its invoice. ``url`` is the gateway's own address; customers get ``address_of``."""

    id: int
    public_id: str
    token: str
    invoice_id: int
    invoice_number: str | None
    customer_id: int
    customer_name: str
    currency: str
    amount_minor: int
    state: LinkState
    mode: Mode
    way: CollectionWay
    url: str | None
    gateway_id: str | None
    stripe_invoice_id: str | None
    expires_at: datetime
    activated_at: datetime | None
    ended_at: datetime | None
    ended_because: str
    clicks: int
    last_clicked_at: datetime | None
    last_failed_at: datetime | None
    last_failure: str
    last_paid_at: datetime | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class LinkFilter:
    """Empty fields do not limit. ``text`` occurs in the invoice's number or reference or the customer's name or
    e-mail address, or is the amount. ``order_by`` is one of ``ORDERINGS``, with a leading "-" for descending.
    """

    state: tuple[LinkState, ...] = ()
    mode: tuple[Mode, ...] = ()
    customer_id: int | None = None
    business_id: int | None = None
    text: str = ""
    order_by: str = "-created_at"


@dataclass(frozen=True, slots=True)
class StateCount:
    """The number of links of one state and currency, and their total."""

    state: LinkState
    currency: str
    links: int
    amount_minor: int


_OF_INVOICE = {
    "invoice_number": Invoice.number,
    "customer_id": Invoice.customer_id,
    "customer_name": Invoice.customer_name,
}
COLUMNS: tuple[Any, ...] = tuple(
    _OF_INVOICE[field.name] if field.name in _OF_INVOICE else getattr(PaymentLink, field.name)
    for field in fields(LinkRow)
)
ORDERINGS: dict[str, tuple[InstrumentedAttribute[Any], ...]] = {
    # Ids follow the order of creation: along the primary key nothing has to be sorted.
    "created_at": (),
    "amount": (PaymentLink.currency, PaymentLink.amount_minor),
    "customer_name": (PaymentLink.customer_name_order,),
    "expires_at": (PaymentLink.expires_at,),
    "clicks": (PaymentLink.clicks,),
}


def address_of(token: str, address: str) -> str:
    """Where the customer pays: our own address, which redirects to the gateway's. ``address`` is the product's."""
    return f"{address}/pay/{token}"


def page(session: Session, actor: Actor, filters: LinkFilter, *, limit: int = 50, offset: int = 0) -> list[LinkRow]:
    """One page of the matching links, in the requested order."""
    actor.require(Permission.PAYMENT_READ)
    statement = _from(*COLUMNS).where(*_matching(actor, filters)).order_by(*_ordering(filters.order_by))
    return _rows(session, statement.limit(limit).offset(offset))


def count(session: Session, actor: Actor, filters: LinkFilter) -> int:
    actor.require(Permission.PAYMENT_READ)
    return session.scalar(_counted(actor, filters, func.count()).where(*_matching(actor, filters))) or 0


def counts(session: Session, actor: Actor, filters: LinkFilter | None = None) -> list[StateCount]:
    """The number of links per state and currency, and their amounts, ignoring the filter's own state."""
    actor.require(Permission.PAYMENT_READ)
    criteria = filters or LinkFilter()
    columns = (PaymentLink.state, PaymentLink.currency, func.count(), func.sum(PaymentLink.amount_minor))
    statement = (
        _counted(actor, criteria, *columns)
        .where(*_matching(actor, criteria, states=False))
        .group_by(PaymentLink.state, PaymentLink.currency)
        .order_by(PaymentLink.state, PaymentLink.currency)
    )
    return [
        StateCount(state, currency, links, int(sum_)) for state, currency, links, sum_ in session.execute(statement)
    ]


def one(session: Session, actor: Actor, link_id: int) -> LinkRow:
    """A link; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.PAYMENT_READ)
    rows = _rows(session, _from(*COLUMNS).where(PaymentLink.id == link_id, _visible(actor)))
    if not rows:
        raise NotFound(f"There is no payment link {link_id}")
    return rows[0]


def of_invoice(session: Session, actor: Actor, invoice_id: int, *, limit: int = 20) -> list[LinkRow]:
    """The links that an invoice had, newest first."""
    actor.require(Permission.PAYMENT_READ)
    statement = _from(*COLUMNS).where(PaymentLink.invoice_id == invoice_id, _visible(actor))
    return _rows(session, statement.order_by(PaymentLink.id.desc()).limit(limit))


def _from(*columns: Any) -> Select[*tuple[Any, ...]]:
    return select(*columns).select_from(PaymentLink).join(Invoice, Invoice.id == PaymentLink.invoice_id)


def _counted(actor: Actor, filters: LinkFilter, *columns: Any) -> Select[*tuple[Any, ...]]:
    """Joins invoices only where the filter needs them: looking each up takes longer than counting."""
    of_invoice = (actor.customer_id, filters.customer_id, filters.business_id, filters.text.strip() or None)
    alone = all(limit is None for limit in of_invoice)
    return select(*columns).select_from(PaymentLink) if alone else _from(*columns)


def _rows(session: Session, statement: Select[*tuple[Any, ...]]) -> list[LinkRow]:
    return [LinkRow(*row) for row in session.execute(statement)]


def _visible(actor: Actor) -> ColumnElement[bool]:
    return visible_to(actor, Invoice.customer_id)


def _matching(actor: Actor, filters: LinkFilter, *, states: bool = True) -> Sequence[ColumnElement[bool]]:
    conditions = [_visible(actor)] if actor.customer_id is not None else []
    if filters.state and states:
        conditions.append(PaymentLink.state.in_(filters.state))
    if filters.mode:
        conditions.append(PaymentLink.mode.in_(filters.mode))
    if filters.customer_id is not None:
        conditions.append(Invoice.customer_id == filters.customer_id)
    if filters.business_id is not None:
        conditions.append(Invoice.business_id == filters.business_id)
    if sought := filters.text.strip():
        named = mentions(sought, Invoice.number, Invoice.customer_name, Invoice.customer_email, Invoice.reference)
        conditions.append(named | has_amount(sought, PaymentLink.currency, PaymentLink.amount_minor))
    return conditions


def _ordering(order_by: str) -> list[ColumnElement[Any]]:
    return ordered(order_by, *chosen(ORDERINGS, order_by), PaymentLink.id)
