"""Every charge of many reports, each explained, with its order and its customer: by customer, report and order."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.rating.models import CostType, Rate
from billing_core.reports.exports.explained import Explaining, terms_of
from billing_core.reports.exports.rows import charge_columns, each
from billing_core.reports.exports.together.selection import Chosen, Selection
from billing_core.reports.models import BillingReport, ReportCharge, ReportOrder, ReportServiceTotal

_NO_MORE: tuple[tuple[int, int], Iterator[Row[*tuple[Any, ...]]]] = ((0, 0), iter(()))


class Charged(NamedTuple):
    """A row in which ``quantity`` (in thousandths) × ``unit_price`` (with ``explained.UNIT_PRICE_PLACES``) is
    ``minor``.
    """

    order_number: str
    reference_number: str
    order_date: date
    customer_ref: str
    customer_name: str
    service_name: str
    cost_type: CostType
    quantity: int
    unit_price: int
    tier: int | None
    bound: str | None
    matched: str | None
    currency: str
    minor: int
    report_id: int


def count(session: Session, selection: Selection) -> int:
    """How many rows ``rows`` has."""
    total = sum(report.charges for report in selection.reports)
    for batch in selection.batches():
        for currency, explaining in _explaining(session, batch).items():
            ids = [report.id for report in batch if report.currency == currency]
            total += explaining.more(session, among(ReportCharge.report_id, ids))
    return total


def rows(session: Session, selection: Selection) -> Iterator[Charged]:
    for batch in selection.batches():
        found = _by_key(session, batch)
        if len(batch) == 1:
            yield from found
            continue
        by_report: dict[int, list[Charged]] = defaultdict(list)
        for row in found:
            by_report[row.report_id].append(row)
        for report in batch:
            yield from by_report[report.id]


def _by_key(session: Session, batch: Sequence[Chosen]) -> Iterator[Charged]:
    """In the order of the tables' keys, in which both are read side by side: joining them would take many times as long
    as reading them.
    """
    ids = [report.id for report in batch]
    explaining, customers, services = _explaining(session, batch), _customers(session, ids), _services(session, ids)
    charges = groupby(each(session, _charges(ids)), key=itemgetter(-1, 0))
    (of_report, of_order), charged = next(charges, _NO_MORE)
    for report_id, order_id, number, reference, day in each(session, _orders(ids)):
        if (report_id, order_id) != (of_report, of_order):
            continue
        ref, name, currency = customers[report_id]
        for service_id, quantity, price, tier, bound, matched, minor in explaining[currency].rows(charged):
            service, cost_type = services[report_id, service_id]
            yield Charged._make(
                (
                    *(number, reference, day, ref, name, service, cost_type),
                    *(quantity, price, tier, bound, matched, currency, minor, report_id),
                )
            )
        (of_report, of_order), charged = next(charges, _NO_MORE)


def _explaining(session: Session, batch: Sequence[Chosen]) -> dict[str, Explaining]:
    """By currency."""
    of_batch = select(BillingReport.customer_id).where(among(BillingReport.id, [report.id for report in batch]))
    terms = terms_of(session, Rate.customer_id.in_(of_batch))
    return {currency: Explaining(terms, currency) for currency in sorted({report.currency for report in batch})}


def _customers(session: Session, report_ids: Sequence[int]) -> dict[int, tuple[str, str, str]]:
    """Of each report the customer's key, name, and the currency."""
    statement = (
        select(BillingReport.id, Customer.ref, BillingReport.customer_name, BillingReport.currency)
        .join(Customer, Customer.id == BillingReport.customer_id)
        .where(among(BillingReport.id, report_ids))
    )
    return {report_id: (ref, name, currency) for report_id, ref, name, currency in session.execute(statement)}


def _services(session: Session, report_ids: Sequence[int]) -> dict[tuple[int, int], tuple[str, CostType]]:
    """By report and service: what it was called, and how it was counted."""
    columns = (getattr(ReportServiceTotal, name) for name in ("report_id", "service_id", "service_name", "cost_type"))
    statement = select(*columns).where(among(ReportServiceTotal.report_id, report_ids))
    return {
        (report_id, service_id): (name, cost_type)
        for report_id, service_id, name, cost_type in session.execute(statement)
    }


def _orders(report_ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            ReportOrder.report_id,
            ReportOrder.order_id,
            ReportOrder.order_number,
            ReportOrder.reference_number,
            ReportOrder.order_date,
        )
        .where(among(ReportOrder.report_id, report_ids))
        .order_by(ReportOrder.report_id, ReportOrder.order_id)
    )


def _charges(report_ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    """The columns of ``explained_charges``, and the report's id."""
    return (
        select(*charge_columns(), ReportCharge.report_id)
        .where(among(ReportCharge.report_id, report_ids))
        .order_by(ReportCharge.report_id, ReportCharge.order_id, ReportCharge.service_id)
    )
