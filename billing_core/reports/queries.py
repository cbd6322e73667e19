"""Reads of reports: the list with its filters, and one report's header.

A report's content is in ``contents``; its functions take the ``Report`` that ``one`` returned.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, func, literal, or_, select, true, tuple_
from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database import functions
from billing_core.database.amounts import has_amount
from billing_core.database.functions import among, equals, mentions, month_of
from billing_core.database.ordering import chosen, natural, no_such_start, ordered
from billing_core.dates import Period, start_of_day
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.money import Money
from billing_core.reading_order import reading_order
from billing_core.reports.models import BillingReport


@dataclass(frozen=True, slots=True)
class Report:
    """A report's header. ``services``: the service ids it was limited to, such as "1,4"; empty for all."""

    id: int
    uuid: str
    customer_id: int
    customer_name: str
    period_start: date
    period_end: date
    services: str
    version: int
    currency: str
    total_minor: int
    order_count: int
    charge_count: int
    question_count: int
    output_format: str
    created_at: datetime
    created_by_id: int | None
    created_by: str
    superseded_at: datetime | None
    superseded_by_id: int | None

    @property
    def period(self) -> Period:
        return Period(self.period_start, self.period_end)

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @property
    def current(self) -> bool:
        """Only current reports count in sums."""
        return self.superseded_at is None

    @property
    def service_ids(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.services.split(",") if part)


COLUMNS = tuple(getattr(BillingReport, name) for name in Report.__dataclass_fields__)
# Built once: building it takes longer than running it.
_REPORTS = select(*COLUMNS)

# The documents' field names, as both dialects spell them.
ORDERINGS: dict[str, tuple[Any, ...]] = {
    "id": (),
    "customer_id": (BillingReport.customer_id,),
    "customer": (BillingReport.customer_id,),
    "customer_name": (BillingReport.customer_name_order,),
    "start_date": (BillingReport.period_start,),
    "end_date": (BillingReport.period_end,),
    "created_at": (BillingReport.created_at,),
    "generated_at": (BillingReport.created_at,),
    "created_by": (natural(BillingReport.created_by),),
    "total_amount": (BillingReport.currency, BillingReport.total_minor),
    "order_count": (BillingReport.order_count,),
    "question_count": (BillingReport.question_count,),
    "currency": (BillingReport.currency,),
    "output_format": (BillingReport.output_format,),
}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# More than any id, and still within what a database can compare.
_LONGEST_ID = 18


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Empty fields do not limit. ``start_date``/``end_date`` bound the report's period,
    ``created_after``/``created_before`` the instant at which it was made; a bare date there includes the whole day
    where the business is. ``text`` occurs in the customer's name or ref, the author's name, or is the report's id
    or total.
    ``order_by`` is one of ``ORDERINGS``, with a leading "-" for descending.
    """

    customer_id: int | None = None
    start_date: date | None = None
    end_date: date | None = None
    created_after: date | datetime | None = None
    created_before: date | datetime | None = None
    currency: str = ""
    created_by: str = ""
    text: str = ""
    current_only: bool = True
    order_by: str = "-created_at"


def page(
    session: Session,
    actor: Actor,
    filters: ReportFilter,
    *,
    limit: int = 50,
    offset: int = 0,
    starting_after: str = "",
) -> list[Report]:
    """One page of the reports that match, in the requested order.

    ``starting_after`` names the last report of the page before, by id or UUID: what was made since moves nothing.
    """
    statement = listing(session, actor, filters).limit(limit).offset(offset)
    if starting_after:
        statement = statement.where(_beyond(session, filters.order_by, _last(session, actor, starting_after)))
    return [Report(*row) for row in session.execute(statement)]


def listing(session: Session, actor: Actor, filters: ReportFilter) -> Select[*tuple[Any, ...]]:
    """The statement behind ``page``: ``COLUMNS``, sorted, without a limit, for streamed exports."""
    actor.require(Permission.REPORT_READ)
    order = ordered(filters.order_by, *chosen(ORDERINGS, filters.order_by), BillingReport.id)
    return _REPORTS.where(*_conditions(session, actor, filters)).order_by(*order)


def count(session: Session, actor: Actor, filters: ReportFilter) -> int:
    actor.require(Permission.REPORT_READ)
    statement = select(func.count()).select_from(BillingReport).where(*_conditions(session, actor, filters))
    return session.scalar(statement) or 0


def totals(session: Session, actor: Actor, filters: ReportFilter) -> list[Money]:
    """The sum of the matching reports, one Money per currency."""
    actor.require(Permission.REPORT_READ)
    statement = (
        select(func.sum(BillingReport.total_minor), BillingReport.currency)
        .where(*_conditions(session, actor, filters))
        .group_by(BillingReport.currency)
        .order_by(BillingReport.currency)
    )
    return [Money(int(minor), currency) for minor, currency in session.execute(statement)]


def one(session: Session, actor: Actor, report_id: int | str) -> Report:
    """A report by its integer id or its UUID; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.REPORT_READ)
    row = None
    if (named := _named(str(report_id).lower())) is not None:
        row = session.execute(_REPORTS.where(named, visible_to(actor, BillingReport.customer_id))).one_or_none()
    if row is None:
        raise NotFound(f"There is no report {report_id}")
    return Report(*row)


def _named(text: str) -> ColumnElement[bool] | None:
    """In SQL: the report has this id or UUID; None for a text that is neither."""
    if text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID:
        return BillingReport.id == int(text)
    return BillingReport.uuid == text if _UUID.fullmatch(text) else None


def versions(session: Session, report: Report) -> list[Report]:
    """Every version of this report, newest first."""
    statement = _REPORTS.where(
        BillingReport.customer_id == report.customer_id,
        BillingReport.period_start == report.period_start,
        BillingReport.period_end == report.period_end,
        BillingReport.services == report.services,
    )
    return [Report(*row) for row in session.execute(statement.order_by(BillingReport.version.desc()))]


def previous_version(session: Session, report: Report) -> Report | None:
    """The version that this one replaced."""
    row = session.execute(_REPORTS.where(BillingReport.superseded_by_id == report.id)).one_or_none()
    return Report(*row) if row else None


def previous_period(session: Session, report: Report) -> Report | None:
    """The current report of the same customer and services over the preceding period."""
    before = report.period.before()
    row = session.execute(
        _REPORTS.where(
            BillingReport.customer_id == report.customer_id,
            BillingReport.period_start == before.start,
            BillingReport.period_end == before.end,
            BillingReport.services == report.services,
            BillingReport.superseded_at.is_(None),
        )
    ).one_or_none()
    return Report(*row) if row else None


def newest_months(session: Session, actor: Actor, *, limit: int) -> list[date]:
    """The first days of the newest months with a current report of a day or more within them, the newest first."""
    actor.require(Permission.REPORT_READ)
    statement = functions.newest_months(
        BillingReport.period_start,
        # As in ``_conditions``.
        BillingReport.superseded_at.is_(None).is_(true()),
        month_of(BillingReport.period_start) == month_of(BillingReport.period_end),
        visible_to(actor, BillingReport.customer_id),
        limit=limit,
    )
    return list(session.scalars(statement))


def named(session: Session, actor: Actor, report_ids: Sequence[int]) -> list[Report]:
    """Those of these ids that this actor may see, by the names of their customers."""
    actor.require(Permission.REPORT_READ)
    statement = _REPORTS.where(among(BillingReport.id, report_ids), visible_to(actor, BillingReport.customer_id))
    return [
        Report(*row) for row in session.execute(statement.order_by(BillingReport.customer_name_order, BillingReport.id))
    ]


def authors(session: Session, actor: Actor) -> list[str]:
    """The authors of reports, for a filter."""
    actor.require(Permission.REPORT_READ)
    statement = select(BillingReport.created_by).where(visible_to(actor, BillingReport.customer_id))
    return sorted(session.scalars(statement.distinct()), key=reading_order)


def must_be_author(session: Session, actor: Actor, name: str) -> None:
    """Invalid where a filter asks for the reports of somebody who made none; an empty one asks for nobody's."""
    if name and name not in authors(session, actor):
        reason = f"no report is by {name}"
        raise Invalid(f"created_by: {reason}", fields={"created_by": reason})


def _conditions(session: Session, actor: Actor, filters: ReportFilter) -> list[ColumnElement[bool]]:
    conditions = [visible_to(actor, BillingReport.customer_id)]
    if filters.current_only:
        # Most are: without this, SQLite takes them from their own index, and sorts them all for each page.
        conditions.append(BillingReport.superseded_at.is_(None).is_(true()))
    if filters.customer_id is not None:
        conditions.append(BillingReport.customer_id == filters.customer_id)
    if filters.start_date is not None:
        conditions.append(BillingReport.period_start >= filters.start_date)
    if filters.end_date is not None:
        conditions.append(BillingReport.period_end <= filters.end_date)
    if filters.created_after is not None or filters.created_before is not None:
        conditions += _created(default_business(session).time_zone, filters.created_after, filters.created_before)
    if filters.currency:
        conditions.append(equals(BillingReport.currency, filters.currency))
    if filters.created_by:
        conditions.append(equals(BillingReport.created_by, filters.created_by))
    if text := filters.text.strip():
        conditions.append(_mentions(text))
    return conditions


def _created(zone: str, after: date | None, before: date | None) -> list[ColumnElement[bool]]:
    conditions = []
    if isinstance(after, datetime):
        conditions.append(BillingReport.created_at >= after)
    elif after is not None:
        conditions.append(BillingReport.created_at >= start_of_day(zone, after))
    if isinstance(before, datetime):
        conditions.append(BillingReport.created_at <= before)
    elif before is not None and before < date.max:
        conditions.append(BillingReport.created_at < start_of_day(zone, before + timedelta(days=1)))
    return conditions


def _mentions(text: str) -> ColumnElement[bool]:
    text = text.replace("\0", "")
    of_customer = select(Customer.id).where(mentions(text, Customer.ref))
    return or_(
        mentions(text, BillingReport.customer_name, BillingReport.created_by),
        BillingReport.customer_id.in_(of_customer),
        has_amount(text, BillingReport.currency, BillingReport.total_minor),
        equals(cast(BillingReport.id, String), text.removeprefix("#")),
    )


def _last(session: Session, actor: Actor, named: str) -> Report:
    try:
        return one(session, actor, named)
    except NotFound:
        raise no_such_start() from None


def _beyond(session: Session, order_by: str, last: Report) -> ColumnElement[bool]:
    """In SQL: the report stands after the last one."""
    keys = (*chosen(ORDERINGS, order_by), BillingReport.id)
    reached = session.execute(select(*keys).where(BillingReport.id == last.id)).one()
    place = tuple_(*(literal(value, key.type) for value, key in zip(reached, keys, strict=True)))
    return tuple_(*keys) < place if order_by.startswith("-") else tuple_(*keys) > place
