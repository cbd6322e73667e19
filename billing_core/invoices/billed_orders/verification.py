"""The proof that orders are billed once, in a few statements over everything."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, String, and_, cast, exists, func, not_, or_, select
from sqlalchemy.orm import Session, aliased

from billing_core import proof
from billing_core.invoices.billed_orders.keeping import billing
from billing_core.invoices.billed_orders.models import BilledOrder
from billing_core.invoices.models import CreditNote, Invoice, InvoicedReport, InvoiceState
from billing_core.orders.models import Order
from billing_core.proof import Check
from billing_core.rating.models import Service

_CREDITED = (
    select(func.sum(CreditNote.total_minor))
    .where(CreditNote.invoice_id == Invoice.id, CreditNote.withdrawn_at.is_(None))
    .scalar_subquery()
)
# In SQL: the invoice still bills what its reports charged.
_STANDS = not_(
    or_(
        and_(Invoice.state == InvoiceState.CANCELLED, Invoice.written_off_minor == 0),
        func.coalesce(_CREDITED, -1) == Invoice.total_minor,
    )
)


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _billed_once(session)
    yield _kept_off(session)
    yield _as_lines_say(session)
    yield _released(session)


def _billed_once(session: Session) -> Check:
    """What is billed again has a reason, which an admin gave."""
    again, first, other = aliased(BilledOrder), aliased(BilledOrder), aliased(Invoice)
    same = and_(
        first.order_id == again.order_id, first.service_id == again.service_id, first.invoice_id < again.invoice_id
    )
    link = and_(InvoicedReport.invoice_id == again.invoice_id, InvoicedReport.report_id == again.report_id)
    statement = (
        select(
            Order.number,
            Service.name,
            func.coalesce(Invoice.number, _a_draft(Invoice)),
            func.coalesce(other.number, _a_draft(other)),
        )
        .select_from(again)
        .join(first, same)
        .join(InvoicedReport, link)
        .join(Invoice, Invoice.id == first.invoice_id)
        .join(other, other.id == again.invoice_id)
        .join(Order, Order.id == again.order_id)
        .join(Service, Service.id == again.service_id)
        .where(again.again != 0, InvoicedReport.again_reason == "")
        .order_by(Order.number, Service.name, again.invoice_id, first.invoice_id)
    )
    return Check(
        "Each order's service is billed once, unless somebody said why it is billed again",
        proof.count(session, BilledOrder),
        proof.named(session, statement, "order {0}, {1}: on {2} and on {3}"),
    )


def _kept_off(session: Session) -> Check:
    """By the key of the first one. Without it the order could be billed again with nobody to say why."""
    first = aliased(BilledOrder)
    same = and_(first.order_id == BilledOrder.order_id, first.service_id == BilledOrder.service_id)
    key_is_free = and_(BilledOrder.again != 0, ~exists().where(same, first.again == 0))
    statement = (
        select(Order.number, Service.name, BilledOrder.invoice_id)
        .join_from(BilledOrder, Order, Order.id == BilledOrder.order_id)
        .join(Service, Service.id == BilledOrder.service_id)
        .where(key_is_free)
        .order_by(Order.number, Service.name, BilledOrder.invoice_id)
    )
    return Check(
        "Where an order's service is billed, one invoice keeps all others off",
        proof.count(session, BilledOrder),
        proof.named(session, statement, "order {0}, {1}: billed again on invoice id {2}, and first on none"),
    )


def _a_draft(invoice: type[Invoice]) -> ColumnElement[str]:
    return "draft no. " + cast(invoice.id, String)


def _as_lines_say(session: Session) -> Check:
    stored = select(BilledOrder.order_id, BilledOrder.service_id, BilledOrder.invoice_id)
    lines = billing().where(InvoicedReport.released_at.is_(None)).subquery("lines")
    counted = select(lines.c.order_id, lines.c.service_id, lines.c.invoice_id)
    return Check(
        "What is kept as billed of orders is what the lines of invoices bill of their reports",
        proof.count(session, BilledOrder),
        proof.named(session, proof.either_way(stored, counted), "order id {0}, service {1}: invoice id {2}"),
    )


def _released(session: Session) -> Check:
    statement = (
        select(InvoicedReport.report_id, Invoice.id)
        .join(Invoice, Invoice.id == InvoicedReport.invoice_id)
        .where(InvoicedReport.released_at.is_(None) != _STANDS)
        .order_by(Invoice.id, InvoicedReport.report_id)
    )
    return Check(
        "A report can be invoiced again once its invoice is cancelled or wholly credited, and not before",
        proof.count(session, InvoicedReport),
        proof.named(session, statement, "report {0} on invoice id {1}"),
    )
