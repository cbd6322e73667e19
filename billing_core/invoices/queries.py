"""Reads of invoices: the list with its filters, one invoice with lines and timeline, and locking it for a change."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, TextClause, bindparam, case, false, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.customers.queries import visible_to
from billing_core.database.functions import equals
from billing_core.database.ordering import chosen, ordered
from billing_core.dates import Day
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices.content import early_payment, searching
from billing_core.invoices.content.content import Content, DraftLine
from billing_core.invoices.content.early_payment import Offer
from billing_core.invoices.content.totals import Totals
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import LISTED, Invoice, InvoiceEvent, InvoiceLineItem, InvoiceState
from billing_core.invoices.rows import CurrencyTotal, EventRow, InvoiceRow, InvoiceView, LineRow, StatusTotal
from billing_core.money import LARGEST_MINOR, currencies, decimal_places


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """Empty fields do not limit; days are included. ``smallest`` and ``largest`` bound the total in major units.
    ``text`` occurs in the number, the customer's name or e-mail address, the reference, or a line's text or the code of
    its service, or is the total or what is due. ``order_by`` is one of ``ORDERINGS``, with a leading "-" for
    descending.
    """

    status: tuple[InvoiceStatus, ...] = ()
    customer_id: int | None = None
    business_id: int | None = None
    issued_from: date | None = None
    issued_to: date | None = None
    due_from: date | None = None
    due_to: date | None = None
    currency: str = ""
    smallest: Decimal | None = None
    largest: Decimal | None = None
    text: str = ""
    order_by: str = "-issued_on"


ORDERINGS: dict[str, tuple[InstrumentedAttribute[Any], ...]] = {
    "issued_on": (Invoice.issued_on,),
    "due_on": (Invoice.due_on,),
    "created_at": (Invoice.created_at,),
    "number": (Invoice.business_id, Invoice.number_order),
    "total_amount": (Invoice.currency, Invoice.total_minor),
    "amount_due": (Invoice.currency, Invoice.due_minor),
    "customer_name": (Invoice.customer_name_order,),
    "currency": (Invoice.currency,),
    "id": (),
}
# Nobody pages further, and counting more would take longer than the page itself.
COUNTED = 100_000

_BEYOND = Decimal(LARGEST_MINOR)
# The largest id a database can hold; it refuses to compare with larger ones.
_LARGEST_ID = 2**31 - 1

ROW = tuple(getattr(Invoice, field.name) for field in fields(InvoiceRow))
COLUMNS = tuple(getattr(Invoice, field.name) for field in fields(InvoiceView))
LINES = tuple(getattr(InvoiceLineItem, field.name) for field in fields(LineRow))
EVENTS = tuple(getattr(InvoiceEvent, field.name) for field in fields(EventRow))
_DRAFT_LINE = tuple(getattr(InvoiceLineItem, field.name) for field in fields(DraftLine))
# Built once: building a statement takes as long as running it, and every sent invoice needs these.
_LINES_OF = (
    select(InvoiceLineItem.invoice_id, *_DRAFT_LINE)
    .where(InvoiceLineItem.invoice_id.in_(bindparam("ids", expanding=True)))
    .order_by(InvoiceLineItem.invoice_id, InvoiceLineItem.position)
)
_LOCKED = (
    select(Invoice)
    .where(Invoice.id.in_(bindparam("ids", expanding=True)))
    .order_by(Invoice.id)
    # Writers of rows that only refer to the invoice, such as mails, do not wait for this lock.
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)
_HEADER = tuple(field.name for field in fields(Content) if field.name != "lines")


def page(
    session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, limit: int = 50, offset: int = 0
) -> list[InvoiceRow]:
    """One page of the matching invoices, in the requested order; discarded drafts are left out.

    The page's ids are read first, along an index: skipped rows are neither sorted nor read column by column.
    """
    chosen = page_ids(session, actor, filters, today=today, limit=limit, offset=offset).subquery()
    statement = select(*ROW).join(chosen, chosen.c.id == Invoice.id).order_by(*_ordering(filters.order_by))
    return [InvoiceRow(*row) for row in session.execute(statement)]


def page_ids(
    session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, limit: int, offset: int = 0
) -> Select[int]:
    """The statement for the ids of one page, in the requested order."""
    actor.require(Permission.INVOICE_READ)
    order = _ordering(filters.order_by)
    listed = select(Invoice.id).where(*matching(session, actor, replace(filters, text=""), today)).order_by(*order)
    if sought := filters.text.strip():
        listed = listed.where(searching.found_first(session, sought, listed, limit + offset))
    return listed.limit(limit).offset(offset)


def listing(
    session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, columns: Sequence[Any] = ROW
) -> Select[*tuple[Any, ...]]:
    """These columns of all that match (those of an ``InvoiceRow``), sorted, without a limit, for streamed exports."""
    actor.require(Permission.INVOICE_READ)
    return (
        select(*columns)
        .select_from(Invoice)
        .where(*matching(session, actor, filters, today))
        .order_by(*_ordering(filters.order_by))
    )


def count(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, at_most: int = COUNTED) -> int:
    """How many match; ``at_most`` stands for that many or more."""
    actor.require(Permission.INVOICE_READ)
    counted = select(Invoice.id).where(*matching(session, actor, filters, today)).limit(at_most).subquery()
    return session.scalar(select(func.count()).select_from(counted)) or 0


def totals(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day) -> list[CurrencyTotal]:
    """The sums of all that match, per currency."""
    actor.require(Permission.INVOICE_READ)
    statement = (
        select(Invoice.currency, func.count(), func.sum(Invoice.total_minor), func.sum(Invoice.due_minor))
        .where(*matching(session, actor, filters, today))
        .group_by(Invoice.currency)
        .order_by(Invoice.currency)
    )
    return [
        CurrencyTotal(code, invoices, int(total), int(due)) for code, invoices, total, due in session.execute(statement)
    ]


def totals_by_status(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day) -> list[StatusTotal]:
    """The sums of all that match, per status and currency, ignoring the filter's own status: one pass for a list's
    tabs, count and sums.
    """
    actor.require(Permission.INVOICE_READ)
    statement = (
        select(
            lifecycle.status_sql(today).label("published"),
            Invoice.currency,
            func.count(),
            func.sum(Invoice.total_minor),
            func.sum(Invoice.due_minor),
        )
        .where(*matching(session, actor, replace(filters, status=()), today))
        # By name: as an expression it would have its own parameters, and differ from the selected column.
        .group_by("published", Invoice.currency)
        .order_by(Invoice.currency)
    )
    return [
        StatusTotal(InvoiceStatus(status), currency, invoices, int(total), int(due))
        for status, currency, invoices, total, due in session.execute(statement)
    ]


def ids(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, limit: int = 5_000) -> list[int]:
    """The ids of those that match, in the requested order, for bulk actions."""
    return list(session.scalars(page_ids(session, actor, filters, today=today, limit=limit)))


def one(session: Session, actor: Actor, invoice_id: int | str) -> InvoiceView:
    """An invoice by its id or public id; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.INVOICE_READ)
    named: ColumnElement[bool]
    if isinstance(invoice_id, int):
        named = Invoice.id == invoice_id if _is_id(invoice_id) else false()
    elif invoice_id.isascii() and invoice_id.isdigit() and len(invoice_id) <= 9:
        named = Invoice.id == int(invoice_id)
    else:
        named = Invoice.public_id == invoice_id.replace("\0", "")
    row = session.execute(select(*COLUMNS).where(named, visible_to(actor, Invoice.customer_id))).one_or_none()
    if row is None:
        raise NotFound(f"There is no invoice {invoice_id}")
    return InvoiceView(*row)


def by_token(session: Session, token: str) -> InvoiceView:
    """The invoice behind a customer's link, without signing in. NotFound also while it is a draft."""
    named = Invoice.token == token.replace("\0", "")
    row = session.execute(select(*COLUMNS).where(named, Invoice.sent_at.is_not(None))).one_or_none()
    if row is None:
        raise NotFound("There is no such invoice")
    return InvoiceView(*row)


def lines(session: Session, invoice_id: int) -> list[LineRow]:
    """The lines in order, of an invoice returned by ``one``."""
    statement = select(*LINES).where(InvoiceLineItem.invoice_id == invoice_id).order_by(InvoiceLineItem.position)
    return [LineRow(*row) for row in session.execute(statement)]


def events(session: Session, invoice_id: int, *, limit: int = 200) -> list[EventRow]:
    """The history, newest first, of an invoice returned by ``one``."""
    newest_first = InvoiceEvent.at.desc(), InvoiceEvent.id.desc()
    statement = select(*EVENTS).where(InvoiceEvent.invoice_id == invoice_id).order_by(*newest_first)
    return [EventRow(*row) for row in session.execute(statement.limit(limit))]


def early_offers(session: Session, actor: Actor, invoice_ids: Collection[int]) -> dict[int, list[Offer]]:
    """What each of these costs whoever pays it early, by its id; those that nobody can pay for less are left out."""
    actor.require(Permission.INVOICE_READ)
    ids, found = sorted(filter(_is_id, set(invoice_ids))), {}
    payable = select(Invoice).where(
        Invoice.state == InvoiceState.OPEN, Invoice.payment_terms != "", visible_to(actor, Invoice.customer_id)
    )
    for start in range(0, len(ids), 500):
        for invoice in session.scalars(payable.where(Invoice.id.in_(ids[start : start + 500]))):
            if offered := early_payment.offers(invoice):
                found[invoice.id] = offered
    return found


def content(session: Session, invoice: Invoice | InvoiceView) -> Content:
    """The invoice's content, as the editor takes it."""
    header = {name: getattr(invoice, name) for name in _HEADER}
    return Content(**header, lines=lines_of(session, [invoice.id])[invoice.id])


def totals_of(session: Session, invoice: Invoice | InvoiceView) -> Totals:
    """The totals of its lines, per line type and tax rate; the sums are on the invoice too."""
    return content(session, invoice).totals()


def lines_of(session: Session, invoice_ids: Sequence[int]) -> dict[int, tuple[DraftLine, ...]]:
    """The lines of several invoices, each in their order."""
    lines: dict[int, list[DraftLine]] = {invoice_id: [] for invoice_id in invoice_ids}
    for start in range(0, len(invoice_ids), 500):
        chunk = {"ids": invoice_ids[start : start + 500]}
        for invoice_id, *line in session.connection().execute(_LINES_OF, chunk):
            lines[invoice_id].append(DraftLine(*line))
    return {invoice_id: tuple(of_one) for invoice_id, of_one in lines.items()}


def for_change(session: Session, actor: Actor, invoice_id: int) -> Invoice:
    """The invoice with its row locked until the transaction ends; NotFound as in ``one``."""
    return many_for_change(session, actor, [invoice_id])[0]


def many_for_change(session: Session, actor: Actor, invoice_ids: Collection[int]) -> list[Invoice]:
    """Several invoices, locked in the order of their ids to avoid a deadlock; in the requested order."""
    ids = sorted(filter(_is_id, set(invoice_ids)))
    bound = actor.customer_id is not None
    statement = _LOCKED.where(visible_to(actor, Invoice.customer_id)) if bound else _LOCKED
    invoices: dict[int, Invoice] = {}
    for start in range(0, len(ids), 500):
        chunk = {"ids": ids[start : start + 500]}
        invoices |= {invoice.id: invoice for invoice in session.scalars(statement, chunk)}
    if missing := sorted(set(invoice_ids) - invoices.keys()):
        raise NotFound(f"There is no invoice {missing[0]}")
    return [invoices[invoice_id] for invoice_id in dict.fromkeys(invoice_ids)]


def _is_id(number: int) -> bool:
    return 0 < number <= _LARGEST_ID


def matching(
    session: Session, actor: Actor, filters: InvoiceFilter, today: Day
) -> list[ColumnElement[bool] | TextClause]:
    """The conditions of a list: the filter's, and what this actor may see."""
    actor.require(Permission.INVOICE_READ)
    conditions: list[ColumnElement[bool] | TextClause | None] = [
        text(f"({LISTED})"),
        visible_to(actor, Invoice.customer_id),
        lifecycle.has_status(filters.status, today) if filters.status else None,
        Invoice.customer_id == filters.customer_id if filters.customer_id is not None else None,
        Invoice.business_id == filters.business_id if filters.business_id is not None else None,
        Invoice.issued_on >= filters.issued_from if filters.issued_from else None,
        Invoice.issued_on <= filters.issued_to if filters.issued_to else None,
        Invoice.due_on >= filters.due_from if filters.due_from else None,
        Invoice.due_on <= filters.due_to if filters.due_to else None,
        equals(Invoice.currency, filters.currency) if filters.currency else None,
        Invoice.total_minor >= _minor(filters.smallest, filters.currency, ROUND_CEILING)
        if filters.smallest is not None
        else None,
        Invoice.total_minor <= _minor(filters.largest, filters.currency, ROUND_FLOOR)
        if filters.largest is not None
        else None,
        searching.found(session, sought) if (sought := filters.text.strip()) else None,
    ]
    return [condition for condition in conditions if condition is not None]


def _minor(amount: Decimal, currency: str, rounding: str) -> ColumnElement[int] | int:
    """The bound in minor units: of the requested currency, otherwise of each invoice's own."""
    units = {
        places: int(min(max(amount, -_BEYOND), _BEYOND).scaleb(places).to_integral_value(rounding))
        for places in (0, 2, 3)
    }
    if currency:
        return units[decimal_places(currency)]
    unusual = {places: [code for code in currencies() if decimal_places(code) == places] for places in (0, 3)}
    return case(*((Invoice.currency.in_(codes), units[places]) for places, codes in unusual.items()), else_=units[2])


def _ordering(order_by: str) -> list[ColumnElement[Any]]:
    return ordered(order_by, *chosen(ORDERINGS, order_by), Invoice.id)
