"""Reads of the tax return: its rows, and the documents behind them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Select, case, cast, func, select
from sqlalchemy.orm import Session

from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.reports.exports import rows as exports_rows
from billing_core.tax_returns.documents import INVOICE, Cell, documents


@dataclass(frozen=True, slots=True)
class TaxRow:
    """Minor units. ``credited_…`` is 0 or less: credit notes and cancellations. ``rate`` in percent; ``reason`` is
    empty but at 0 %.
    """

    business_id: int
    currency: str
    country: str
    rate: Decimal
    reason: str
    invoiced_net_minor: int
    invoiced_tax_minor: int
    credited_net_minor: int
    credited_tax_minor: int

    @property
    def net_minor(self) -> int:
        return self.invoiced_net_minor + self.credited_net_minor

    @property
    def tax_minor(self) -> int:
        return self.invoiced_tax_minor + self.credited_tax_minor


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One document at one rate. Minor units; what takes off is negative."""

    kind: str
    number: str
    invoice_id: int
    invoice_number: str
    customer_id: int
    business_id: int
    currency: str
    country: str
    rate: Decimal
    reason: str
    day: date
    net_minor: int
    tax_minor: int
    customer_name: str
    customer_tax_id: str


def tax_return(session: Session, actor: Actor, scope: Scope, *, business_id: int | None = None) -> list[TaxRow]:
    """By business, currency, country, rate and reason: as many rows as there are of these, and no more."""
    found = documents(_visible(actor, scope), Cell(business_id)).c
    key = (found.business_id, found.currency, found.country, found.rate, found.reason)

    def summed(column: Any, *, invoiced: bool) -> Any:
        kinds = found.kind == INVOICE if invoiced else found.kind != INVOICE
        return cast(func.sum(case((kinds, column), else_=0)), BigInteger)

    statement = (
        select(
            *key,
            summed(found.net, invoiced=True),
            summed(found.tax, invoiced=True),
            summed(found.net, invoiced=False),
            summed(found.tax, invoiced=False),
        )
        .group_by(*key)
        .order_by(*key)
    )
    return [TaxRow(*row) for row in session.execute(statement)]


def newest_day(session: Session, actor: Actor, *, business_id: int | None = None) -> date | None:
    """The day of the newest invoice that was sent; None where there is none."""
    conditions = _conditions(_visible(actor, Scope()), business_id)
    return session.scalar(select(func.max(Invoice.issued_on)).where(Invoice.sent_at.is_not(None), *conditions))


def document_count(session: Session, actor: Actor, scope: Scope, *, business_id: int | None = None) -> int:
    found = _listed(actor, scope, business_id).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def each_document(
    session: Session, actor: Actor, scope: Scope, *, business_id: int | None = None
) -> Iterator[DocumentRow]:
    """Every document at each of its rates, by day, for exports: only one batch is in memory."""
    statement = _listed(actor, scope, business_id)
    columns = statement.selected_columns
    order = (columns.business_id, columns.day, columns.invoice_id, columns.kind, columns.rate)
    for row in exports_rows.each(session, statement.order_by(*order)):
        yield DocumentRow(*row)


def _listed(actor: Actor, scope: Scope, business_id: int | None) -> Select[Any]:
    """A cancelled invoice that was credited in part has several rows, which are one here."""
    found = documents(_visible(actor, scope), Cell(business_id)).c
    key = [column for column in found if column.key not in ("net", "tax")]
    sums = (cast(func.sum(column), BigInteger).label(column.key) for column in (found.net, found.tax))
    return (
        select(*key, *sums, Invoice.customer_name, Invoice.customer_tax_id)
        .join(Invoice, Invoice.id == found.invoice_id)
        .group_by(*key, Invoice.customer_name, Invoice.customer_tax_id)
    )


def _conditions(scope: Scope, business_id: int | None) -> list[Any]:
    facts = ((Invoice.customer_id, scope.customer_id), (Invoice.business_id, business_id))
    return [column == fact for column, fact in facts if fact is not None]


def _visible(actor: Actor, scope: Scope) -> Scope:
    actor.require(Permission.INVOICE_READ)
    return scope if actor.customer_id is None else replace(scope, customer_id=actor.customer_id)
