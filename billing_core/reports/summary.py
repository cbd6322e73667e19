"""What each customer was billed in total: current reports only, one grouped statement."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, Subquery, exists, func, select
from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.customers.queries import matching, visible_to
from billing_core.database.functions import equals
from billing_core.database.ordering import chosen, natural, no_such_start, ordered
from billing_core.dates import day_in
from billing_core.identity.permissions import Actor, Permission
from billing_core.money import Money
from billing_core.reports.lacking import Lack, lacking
from billing_core.reports.models import BillingReport


@dataclass(frozen=True, slots=True)
class CustomerSummary:
    """``first_report`` and ``latest_report`` are the instants at which reports were made. A customer without reports
    has a count and total of 0, no dates and no average.
    """

    customer_id: int
    customer_ref: str
    customer_name: str
    city: str
    country: str
    currency: str
    report_count: int
    total_minor: int
    first_report: datetime | None
    latest_report: datetime | None
    first_billing_date: date | None
    last_billing_date: date | None
    average_minor: int | None
    billed_from: date | None
    billed_until: date | None
    order_count: int
    question_count: int

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @property
    def average(self) -> Money | None:
        """Total ÷ reports, rounded once."""
        return None if self.average_minor is None else Money(self.average_minor, self.currency)


@dataclass(frozen=True, slots=True)
class SummaryFilter:
    """Empty fields do not limit. ``with_reports`` leaves out customers without reports, as the published API does.
    ``active``: only those who are, or only those who are deactivated. ``lacks``: what they need and do not have.
    """

    customer_id: int | None = None
    text: str = ""
    country: str = ""
    currency: str = ""
    with_reports: bool = False
    active: bool | None = None
    lacks: Lack | None = None
    order_by: str = "customer_name"


ORDERINGS = (
    "customer_id",
    "customer_ref",
    "customer_name",
    "city",
    "country",
    "currency",
    "report_count",
    "total_amount",
    "average_amount",
    "first_report",
    "latest_report",
    "question_count",
)
# Customers without such a value come last in either direction.
_MAY_BE_MISSING = {"average_amount", "first_report", "latest_report"}


def page(
    session: Session, actor: Actor, filters: SummaryFilter, *, limit: int = 50, offset: int = 0
) -> list[CustomerSummary]:
    """One page of the summary. Two currencies of one customer are two rows; they are never added up."""
    zone = default_business(session).time_zone
    rows = session.execute(listing(actor, filters).limit(limit).offset(offset))
    return [_row(row, zone) for row in rows]


def count(session: Session, actor: Actor, filters: SummaryFilter) -> int:
    rows = listing(actor, filters).order_by(None).subquery()
    return session.scalar(select(func.count()).select_from(rows)) or 0


def after(
    session: Session, actor: Actor, customer_id: int | None, *, limit: int, only: int | None = None
) -> list[CustomerSummary]:
    """The customers with reports that follow this one by id, for programs that page through the summary; Invalid where
    there is no such customer. None: from the first one on.

    ``limit`` counts customers: the currencies of one stay together. ``only`` is one customer's id.
    """
    actor.require(Permission.REPORT_READ)
    statement = select(BillingReport.customer_id).where(
        BillingReport.superseded_at.is_(None), visible_to(actor, BillingReport.customer_id)
    )
    if customer_id is not None:
        if not session.scalar(select(exists().where(Customer.id == customer_id, visible_to(actor)))):
            raise no_such_start()
        statement = statement.where(BillingReport.customer_id > customer_id)
    if only is not None:
        statement = statement.where(BillingReport.customer_id == only)
    chosen = session.scalars(statement.distinct().order_by(BillingReport.customer_id).limit(limit)).all()
    if not chosen:
        return []
    between = BillingReport.customer_id.between(chosen[0], chosen[-1])
    zone = default_business(session).time_zone
    rows = session.execute(listing(actor, SummaryFilter(with_reports=True, order_by="customer_id"), between))
    return [_row(row, zone) for row in rows]


def listing(actor: Actor, filters: SummaryFilter, *which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """The statement behind ``page``, sorted and without a limit, for exports to stream. ``which`` reports count."""
    actor.require(Permission.REPORT_READ)
    billed = _billed(*which)
    currency = func.coalesce(billed.c.currency, Customer.currency)
    columns = {
        "customer_id": Customer.id,
        "customer_ref": Customer.ref,
        "customer_name": Customer.name,
        "city": Customer.city,
        "country": Customer.country,
        "currency": currency,
        "report_count": func.coalesce(billed.c.report_count, 0),
        "total_amount": func.coalesce(billed.c.total_minor, 0),
        "first_report": billed.c.first_report,
        "latest_report": billed.c.latest_report,
        "billed_from": billed.c.billed_from,
        "billed_until": billed.c.billed_until,
        "order_count": func.coalesce(billed.c.order_count, 0),
        "question_count": func.coalesce(billed.c.question_count, 0),
    }
    average = (2 * billed.c.total_minor + billed.c.report_count) // (2 * billed.c.report_count)
    sortable: dict[str, tuple[SQLColumnExpression[Any], ...]] = {
        **{name: (column,) for name, column in columns.items()},
        "customer_ref": (Customer.ref_order,),
        "customer_name": (Customer.name_order,),
        "city": (natural(Customer.city),),
        "total_amount": (currency, columns["total_amount"]),
        "average_amount": (currency, average),
    }
    statement: Select[*tuple[Any, ...]] = (
        select(*(column.label(label) for label, column in columns.items()))
        .join(billed, billed.c.customer_id == Customer.id, isouter=not filters.with_reports)
        .where(visible_to(actor), matching(filters.text))
    )
    if filters.customer_id is not None:
        statement = statement.where(Customer.id == filters.customer_id)
    if filters.active is not None:
        statement = statement.where(Customer.active.is_(filters.active))
    if filters.lacks is not None:
        statement = statement.where(lacking(filters.lacks))
    if filters.country:
        statement = statement.where(equals(Customer.country, filters.country))
    if filters.currency:
        statement = statement.where(equals(currency, filters.currency))
    keys = chosen({name: sortable[name] for name in ORDERINGS}, filters.order_by)
    missing = [keys[-1].is_(None)] if filters.order_by.removeprefix("-") in _MAY_BE_MISSING else []
    return statement.order_by(*missing, *ordered(filters.order_by, *keys), Customer.id, currency)


def _billed(*which: ColumnElement[bool]) -> Subquery:
    return (
        select(
            BillingReport.customer_id,
            BillingReport.currency,
            func.count().label("report_count"),
            func.sum(BillingReport.total_minor).label("total_minor"),
            func.min(BillingReport.created_at).label("first_report"),
            func.max(BillingReport.created_at).label("latest_report"),
            func.min(BillingReport.period_start).label("billed_from"),
            func.max(BillingReport.period_end).label("billed_until"),
            func.sum(BillingReport.order_count).label("order_count"),
            func.sum(BillingReport.question_count).label("question_count"),
        )
        .where(BillingReport.superseded_at.is_(None), *which)
        .group_by(BillingReport.customer_id, BillingReport.currency)
        .subquery()
    )


def _row(row: Any, zone: str) -> CustomerSummary:
    total, count = int(row.total_amount), int(row.report_count)
    return CustomerSummary(
        customer_id=row.customer_id,
        customer_ref=row.customer_ref,
        customer_name=row.customer_name,
        city=row.city,
        country=row.country,
        currency=row.currency,
        report_count=count,
        total_minor=total,
        first_report=row.first_report,
        latest_report=row.latest_report,
        first_billing_date=day_in(zone, row.first_report) if row.first_report else None,
        last_billing_date=day_in(zone, row.latest_report) if row.latest_report else None,
        average_minor=average(total, count),
        billed_from=row.billed_from,
        billed_until=row.billed_until,
        order_count=int(row.order_count),
        question_count=int(row.question_count),
    )


def average(total_minor: int, count: int) -> int | None:
    """Minor units, rounded once, half up; None where there is nothing to share."""
    return (2 * total_minor + count) // (2 * count) if count else None
