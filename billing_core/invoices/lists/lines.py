"""The lines of the invoices that match, each with its part of the invoice's discount and of the tax at its rate."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.dates import Day
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, queries
from billing_core.invoices.content.tax_rows import InvoiceTax
from billing_core.invoices.content.totals import spread
from billing_core.invoices.models import Invoice, InvoiceLineItem
from billing_core.invoices.queries import InvoiceFilter
from billing_core.rating.models import Service
from billing_core.reports.exports import rows as exports_rows
from billing_core.reports.exports import tables
from billing_core.reports.exports.formats import Download
from billing_core.reports.exports.tables import amount, amount_column, day_column, number_column, plain, text_column

COLUMNS: Final = (
    text_column("invoice_id", "Invoice id", 22),
    text_column("invoice_number", "Number"),
    text_column("status", "Status", 11),
    text_column("business", "Business", 22),
    number_column("customer_id", "Customer id"),
    text_column("customer_name", "Customer", 28),
    day_column("issued_date", "Issued"),
    day_column("due_date", "Due"),
    number_column("line", "Line", 6),
    text_column("description", "Description", 40),
    text_column("type", "Type", 10),
    text_column("service_code", "Service", 14),
    text_column("service_name", "Service name", 22),
    number_column("report_id", "Report"),
    number_column("quantity", "Quantity"),
    number_column("unit_price", "Unit price"),
    number_column("discount_percent", "Discount %"),
    amount_column("discount_amount", "Discount"),
    amount_column("line_amount", "Amount"),
    text_column("currency", "Currency", 9),
    amount_column("net_amount", "Net"),
    number_column("tax_rate", "Tax %"),
    amount_column("tax_amount", "Tax"),
    amount_column("total_amount", "Total"),
    text_column("prices_include_tax", "Prices include tax", 9),
)
_OF_INVOICE: Final = (
    Invoice.id,
    Invoice.public_id,
    Invoice.number,
    Invoice.business_id,
    Invoice.customer_id,
    Invoice.customer_name,
    Invoice.issued_on,
    Invoice.due_on,
    Invoice.currency,
    Invoice.prices_include_tax,
)
_OF_LINE: Final = (
    InvoiceLineItem.position,
    InvoiceLineItem.description,
    InvoiceLineItem.type,
    Service.code.label("service_code"),
    Service.name.label("service_name"),
    InvoiceLineItem.report_id,
    InvoiceLineItem.quantity,
    InvoiceLineItem.unit_price,
    InvoiceLineItem.discount_percent,
    InvoiceLineItem.discount_minor,
    InvoiceLineItem.amount_minor,
    InvoiceLineItem.tax_rate,
    # Of all lines at this rate together.
    InvoiceTax.net_minor.label("net_at_rate"),
    InvoiceTax.tax_minor.label("tax_at_rate"),
)


def as_csv(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, for_excel: bool = False) -> Download:
    """A row for each line, in the order of the list of invoices."""
    rows = _rows(session, actor, filters, today)
    return tables.as_csv("invoice-lines", COLUMNS, rows, for_excel=for_excel)


def workbook(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, now: datetime) -> Download:
    rows = _rows(session, actor, filters, today)
    sheets = tables.as_sheets("Lines", COLUMNS, _count(session, actor, filters, today), rows)
    return tables.as_workbook("invoice-lines", "Invoice lines", sheets, now=now)


def _count(session: Session, actor: Actor, filters: InvoiceFilter, today: Day) -> int:
    of_invoice = InvoiceLineItem.invoice_id == Invoice.id
    matching = queries.matching(session, actor, filters, today)
    statement = select(func.count()).select_from(Invoice).join(InvoiceLineItem, of_invoice).where(*matching)
    return session.scalar(statement) or 0


def _rows(session: Session, actor: Actor, filters: InvoiceFilter, today: Day) -> Iterator[Sequence[Any]]:
    actor.require(Permission.EXPORT)
    status = lifecycle.status_sql(today).label("status")
    statement = (
        queries.listing(session, actor, filters, today=today, columns=(*_OF_INVOICE, status, *_OF_LINE))
        .join(InvoiceLineItem, InvoiceLineItem.invoice_id == Invoice.id)
        .join(
            InvoiceTax,
            and_(InvoiceTax.invoice_id == Invoice.id, InvoiceTax.tax_rate == InvoiceLineItem.tax_rate),
        )
        .outerjoin(Service, Service.id == InvoiceLineItem.service_id)
        .order_by(InvoiceLineItem.position)
    )
    return _written(session, statement)


def _written(session: Session, statement: Any) -> Iterator[Sequence[Any]]:
    names = businesses.names(session)
    for _, of_invoice in groupby(exports_rows.each(session, statement), key=lambda row: row.id):
        lines = list(of_invoice)
        for line, (net_minor, tax_minor) in zip(lines, parts(lines), strict=True):
            yield _row(line, names[line.business_id], net_minor, tax_minor)


def parts(lines: Sequence[Any]) -> list[tuple[int, int]]:
    """(net, tax) of each line of an invoice: at each rate they add up to what the invoice comes to at that rate."""
    found = [(0, 0)] * len(lines)
    for rate in {line.tax_rate for line in lines}:
        places = [place for place, line in enumerate(lines) if line.tax_rate == rate]
        first, listed = lines[places[0]], [lines[place].amount_minor for place in places]
        if first.prices_include_tax:
            whole = spread(first.net_at_rate + first.tax_at_rate, listed, of=sum(listed))
            nets = spread(first.net_at_rate, whole, of=sum(whole))
            taxes = [gross - net for gross, net in zip(whole, nets, strict=True)]
        else:
            nets = spread(first.net_at_rate, listed, of=sum(listed))
            # What cancels out at a rate is not taxed: its lines have no parts of a tax of 0.
            taxes = spread(first.tax_at_rate, nets, of=first.net_at_rate) if first.tax_at_rate else [0] * len(nets)
        for place, net, tax in zip(places, nets, taxes, strict=True):
            found[place] = (net, tax)
    return found


def _row(line: Any, business: str, net_minor: int, tax_minor: int) -> Sequence[Any]:
    currency = line.currency
    discount = line.discount_minor
    return (
        *(line.public_id, line.number, line.status, business, line.customer_id, line.customer_name),
        *(line.issued_on, line.due_on, line.position, line.description, line.type.value),
        *(line.service_code, line.service_name, line.report_id, plain(line.quantity), plain(line.unit_price)),
        None if line.discount_percent is None else plain(line.discount_percent),
        None if discount is None else amount(discount, currency),
        *(amount(line.amount_minor, currency), currency, amount(net_minor, currency), plain(line.tax_rate)),
        *(amount(tax_minor, currency), amount(net_minor + tax_minor, currency)),
        "yes" if line.prices_include_tax else "no",
    )
