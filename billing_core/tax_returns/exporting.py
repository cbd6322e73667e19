"""The tax return and its documents as files."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.dates import Period
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.reports.exports import tables
from billing_core.reports.exports.formats import Download
from billing_core.reports.exports.tables import amount, amount_column, day_column, number_column, plain, text_column
from billing_core.tax_returns import queries

COLUMNS: Final = (
    text_column("business", "Business", 22),
    day_column("start_date", "From"),
    day_column("end_date", "To"),
    text_column("currency", "Currency", 9),
    text_column("country", "Country", 9),
    number_column("tax_rate", "Tax %"),
    text_column("zero_tax_reason", "Reason for 0 %", 24),
    amount_column("invoiced_net", "Invoiced, net"),
    amount_column("invoiced_tax", "Invoiced, tax"),
    amount_column("credited_net", "Credited, net"),
    amount_column("credited_tax", "Credited, tax"),
    amount_column("net_amount", "Taxable"),
    amount_column("tax_amount", "Tax"),
)
DOCUMENT_COLUMNS: Final = (
    text_column("business", "Business", 22),
    day_column("date", "Date"),
    text_column("kind", "Kind", 12),
    text_column("number", "Number"),
    text_column("invoice_number", "Invoice"),
    number_column("customer_id", "Customer id"),
    text_column("customer_name", "Customer", 28),
    text_column("customer_tax_id", "Tax id"),
    text_column("country", "Country", 9),
    text_column("currency", "Currency", 9),
    number_column("tax_rate", "Tax %"),
    text_column("zero_tax_reason", "Reason for 0 %", 24),
    amount_column("net_amount", "Net"),
    amount_column("tax_amount", "Tax"),
)


def as_csv(
    session: Session, actor: Actor, scope: Scope, *, business_id: int | None = None, for_excel: bool = False
) -> Download:
    """A row for each business, currency, country, rate and reason."""
    rows = _rows(session, actor, scope, business_id)
    return tables.as_csv(_name("tax-return", scope.period), COLUMNS, rows, for_excel=for_excel)


def documents_as_csv(
    session: Session, actor: Actor, scope: Scope, *, business_id: int | None = None, for_excel: bool = False
) -> Download:
    """A row for each document and rate; what takes off is negative, so that they add up to the return."""
    rows = _documents(session, actor, scope, business_id)
    return tables.as_csv(_name("tax-documents", scope.period), DOCUMENT_COLUMNS, rows, for_excel=for_excel)


def workbook(
    session: Session, actor: Actor, scope: Scope, *, business_id: int | None = None, now: datetime
) -> Download:
    """The return on one sheet, its documents on the next."""
    rows = _rows(session, actor, scope, business_id)
    count = queries.document_count(session, actor, scope, business_id=business_id)
    documents = _documents(session, actor, scope, business_id)
    sheets = tables.as_sheets("Tax", COLUMNS, len(rows), rows)
    sheets += tables.as_sheets("Documents", DOCUMENT_COLUMNS, count, documents)
    return tables.as_workbook(_name("tax-return", scope.period), "Tax by country and rate", sheets, now=now)


def _name(what: str, period: Period | None) -> str:
    return what if period is None else f"{what}-{period.start}-{period.end}"


def _rows(session: Session, actor: Actor, scope: Scope, business_id: int | None) -> Sequence[Sequence[Any]]:
    actor.require(Permission.EXPORT)
    names = businesses.names(session)
    days = (scope.period.start, scope.period.end) if scope.period else (None, None)
    return [
        (
            *(names[row.business_id], *days, row.currency, row.country, plain(row.rate), row.reason),
            *(amount(row.invoiced_net_minor, row.currency), amount(row.invoiced_tax_minor, row.currency)),
            *(amount(row.credited_net_minor, row.currency), amount(row.credited_tax_minor, row.currency)),
            *(amount(row.net_minor, row.currency), amount(row.tax_minor, row.currency)),
        )
        for row in queries.tax_return(session, actor, scope, business_id=business_id)
    ]


def _documents(session: Session, actor: Actor, scope: Scope, business_id: int | None) -> Iterator[Sequence[Any]]:
    actor.require(Permission.EXPORT)
    names = businesses.names(session)
    return (
        (
            *(names[row.business_id], row.day, row.kind, row.number, row.invoice_number, row.customer_id),
            *(row.customer_name, row.customer_tax_id, row.country, row.currency, plain(row.rate), row.reason),
            *(amount(row.net_minor, row.currency), amount(row.tax_minor, row.currency)),
        )
        for row in queries.each_document(session, actor, scope, business_id=business_id)
    )
