"""Prepaid credit pays an invoice of usage when it is sent, as far as there is any.

Customers are locked before their invoices, as by everybody who spends credit.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import ColumnElement, Select, String, bindparam, or_, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database.functions import among, listed
from billing_core.dates import day_in
from billing_core.identity import Actor
from billing_core.invoices import lifecycle, postings
from billing_core.invoices.models import EventKind, Invoice, InvoiceLineItem
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Side
from billing_core.metering import rollups
from billing_core.payments.models import Allocation, AllocationKind
from billing_core.payments.prepaid import bookkeeping
from billing_core.payments.prepaid.bookkeeping import Move
from billing_core.payments.prepaid.models import MovementKind, PrepaidGrant
from billing_core.payments.prepaid.spending import Available, spread

# Whose credit pays which invoices: a customer's with one of our businesses in one currency.
_Owner = tuple[int, int, str]


def usable_on(day: date) -> ColumnElement[bool]:
    """In SQL: something is left of the grant, and may be used on this day."""
    return (PrepaidGrant.remaining_minor > 0) & or_(PrepaidGrant.expires_on.is_(None), PrepaidGrant.expires_on >= day)


def bills_usage() -> ColumnElement[bool]:
    """In SQL: the invoice has a line that bills usage."""
    of_usage = (InvoiceLineItem.invoice_id == Invoice.id, InvoiceLineItem.usage_line_id.is_not(None))
    return select(InvoiceLineItem.id).where(*of_usage).exists()


def lock_owners(session: Session, invoice_ids: Collection[int]) -> bool:
    """Lock the customers whose credit may pay some of these invoices, before the invoices themselves are locked;
    whether there are any.
    """
    return bool(session.execute(_OWNERS, {"invoices": listed(invoice_ids)}).all())


def would_pay(session: Session, invoice: Invoice) -> bool:
    """Whether there is credit that may pay some of this draft once it is sent."""
    owned = (
        PrepaidGrant.customer_id == invoice.customer_id,
        PrepaidGrant.business_id == invoice.business_id,
        PrepaidGrant.currency == invoice.currency,
        PrepaidGrant.remaining_minor > 0,
    )
    found = select(PrepaidGrant.id).join(Invoice, Invoice.id == invoice.id).where(*owned, bills_usage())
    return session.scalar(found.limit(1)) is not None


def use(session: Session, actor: Actor, invoices: Sequence[Invoice], *, now: datetime) -> None:
    """Let credit pay those of these invoices, which have just been sent, that bill usage.

    The calling verb has checked the permission to send them, and locked their customers.
    """
    owing = [invoice for invoice in invoices if invoice.due_minor]
    of_usage = set(session.scalars(_OF_USAGE, {"invoices": listed(one.id for one in owing)})) if owing else set()
    chosen = [invoice for invoice in owing if invoice.id in of_usage]
    if not chosen:
        return
    customer_ids = {invoice.customer_id for invoice in chosen}
    grants, billing_zones = _grants(session, customer_ids), rollups.zones_of(session, customer_ids)
    zones = dict(session.execute(select(Business.id, Business.time_zone)).all())
    for invoice in chosen:
        today = day_in(zones[invoice.business_id], now)
        # A last day is one of those in which the customer's usage is billed.
        day = day_in(billing_zones[invoice.customer_id], now)
        own = grants.get((invoice.customer_id, invoice.business_id, invoice.currency), {})
        usable = [
            Available(grant.id, grant.remaining_minor, grant.expires_on, grant.origin)
            for grant in own.values()
            if grant.expires_on is None or grant.expires_on >= day
        ]
        if parts := spread(invoice.due_minor, usable):
            _pay(session, actor, invoice, [(own[grant_id], minor) for grant_id, minor in parts], today, now)


def _owners() -> Select[int]:
    left = select(PrepaidGrant.id).where(
        PrepaidGrant.customer_id == Invoice.customer_id, PrepaidGrant.remaining_minor > 0
    )
    owners = select(Invoice.customer_id).where(among(Invoice.id, _INVOICES), left.exists(), bills_usage())
    locked = select(Customer.id).where(Customer.id.in_(owners)).order_by(Customer.id)
    return locked.with_for_update(key_share=True)


# Put together once, which takes longer than carrying it out.
_INVOICES = bindparam("invoices", type_=String)
_OWNERS = _owners()
_OF_USAGE = select(Invoice.id).where(among(Invoice.id, _INVOICES), bills_usage())


def _grants(session: Session, customer_ids: Collection[int]) -> dict[_Owner, dict[int, PrepaidGrant]]:
    statement = (
        select(PrepaidGrant)
        .where(among(PrepaidGrant.customer_id, customer_ids), PrepaidGrant.remaining_minor > 0)
        .order_by(PrepaidGrant.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found: dict[_Owner, dict[int, PrepaidGrant]] = defaultdict(dict)
    for grant in session.scalars(statement):
        found[grant.customer_id, grant.business_id, grant.currency][grant.id] = grant
    return found


def _pay(
    session: Session,
    actor: Actor,
    invoice: Invoice,
    parts: Sequence[tuple[PrepaidGrant, int]],
    today: date,
    now: datetime,
) -> None:
    amount = sum(minor for _, minor in parts)
    # Nothing is owed before the invoice's own date, which may be in the future.
    applied_on = max(today, invoice.issued_on)
    sides = [Side(Account.PREPAID_CREDIT, amount), Side(Account.RECEIVABLE, -amount, invoice_id=invoice.id)]
    memo = "prepaid credit used"
    entry = postings.entry(invoice, EntryKind.CREDIT_APPLIED, sides, effective_on=applied_on, memo=memo)
    entry_id = ledger.post(session, actor, entry, now=now)
    allocation = Allocation(
        kind=AllocationKind.PREPAID,
        payment_id=None,
        invoice_id=invoice.id,
        amount_minor=amount,
        allocated_on=applied_on,
        entry_id=entry_id,
        created_at=now,
        created_by=actor.name,
    )
    session.add(allocation)
    session.flush()
    moves = [Move(grant, -minor, applied_on) for grant, minor in parts]
    bookkeeping.keep(session, actor, MovementKind.USED, moves, entry_id=entry_id, allocation_id=allocation.id, now=now)
    data = {"amount_minor": amount, "prepaid": True}
    lifecycle.settle(session, actor, invoice, paid=amount, event=EventKind.CREDIT_APPLIED, data=data, now=now)
    after = {**data, "currency": invoice.currency, "grants": [grant.id for grant, _ in parts]}
    audit.record(
        session, actor, "prepaid.use", ("invoice", invoice.id), label=invoice.number or "", after=after, now=now
    )
