"""What differs between two reports of a customer: two versions, or two periods. By service and by order."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Enum, Integer, Select, case, cast, func, literal, null, or_, select, type_coerce, union_all
from sqlalchemy.orm import Session

from billing_core.errors import Invalid
from billing_core.reports import snapshot
from billing_core.reports.models import ReportOrder, ReportServiceTotal
from billing_core.reports.queries import Report


class Change(enum.StrEnum):
    """DETAILS: the amount is the same, but something else differs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    DETAILS = "details"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """Amounts in minor units of the reports' currency; None where the service is not on that report."""

    service_id: int
    service_name: str
    before_minor: int | None
    after_minor: int | None
    change: Change

    @property
    def difference_minor(self) -> int:
        return (self.after_minor or 0) - (self.before_minor or 0)


@dataclass(frozen=True, slots=True)
class OrderChange:
    order_id: int
    order_number: str
    order_date: date
    before_minor: int | None
    after_minor: int | None
    change: Change

    @property
    def difference_minor(self) -> int:
        return (self.after_minor or 0) - (self.before_minor or 0)


@dataclass(frozen=True, slots=True)
class Difference:
    """``total_minor`` is after minus before; ``orders`` counts the differing orders by kind of change."""

    total_minor: int
    orders: dict[Change, int]

    @property
    def order_count(self) -> int:
        return sum(self.orders.values())


_CHANGE = Enum(Change, native_enum=False, values_callable=lambda members: [member.value for member in members])


def between(session: Session, before: Report, after: Report) -> Difference:
    """The sum of the changes. Invalid where the two reports are not of one customer and currency."""
    _comparable(before, after)
    rows = _orders(before, after).subquery()
    counted = session.execute(select(rows.c.change, func.count().label("orders")).group_by(rows.c.change))
    return Difference(after.total_minor - before.total_minor, {row.change: row.orders for row in counted})


def services(session: Session, before: Report, after: Report) -> list[ServiceChange]:
    """Every service of either report, by name."""
    _comparable(before, after)
    both = _sides(ReportServiceTotal, before, after, ("service_id", "service_name", "quantity", "order_count"))
    statement = select(
        both.c.service_id,
        func.max(both.c.service_name),
        *_amounts(both),
        _kind(both, ("quantity", "order_count")).label("change"),
    ).group_by(both.c.service_id)
    rows: Sequence[Any] = session.execute(statement).all()
    return sorted((ServiceChange(*row) for row in rows), key=lambda row: (row.service_name, row.service_id))


def orders(
    session: Session, before: Report, after: Report, *, kind: Change | None = None, limit: int = 50, offset: int = 0
) -> list[OrderChange]:
    """One page of the orders that differ, the largest difference first."""
    _comparable(before, after)
    rows = _orders(before, after).subquery()
    size = func.abs(func.coalesce(rows.c.after, 0) - func.coalesce(rows.c.before, 0))
    statement = select(rows).order_by(size.desc(), rows.c.order_id)
    if kind is not None:
        statement = statement.where(rows.c.change == kind)
    compared: Sequence[Any] = session.execute(statement.limit(limit).offset(offset)).all()
    return [OrderChange(*row) for row in compared]


def _comparable(before: Report, after: Report) -> None:
    if (before.customer_id, before.currency) != (after.customer_id, after.currency):
        raise Invalid("Only reports of the same customer and currency can be compared")


def _orders(before: Report, after: Report) -> Select[*tuple[Any, ...]]:
    """order_id, order_number, order_date, before, after, change: one row for each order that differs."""
    both = _sides(ReportOrder, before, after, ("order_id", *snapshot.ORDER_DETAILS))
    kind = _kind(both, snapshot.ORDER_DETAILS)
    return (
        select(
            both.c.order_id,
            func.max(both.c.order_number).label("order_number"),
            func.max(both.c.order_date).label("order_date"),
            *_amounts(both),
            kind.label("change"),
        )
        .group_by(both.c.order_id)
        .having(kind != Change.SAME)
    )


def _sides(table: Any, before: Report, after: Report, columns: Sequence[str]) -> Any:
    """The rows of both reports under each other; ``before`` and ``after`` hold the amount of the side it is on."""
    amount = table.total_minor if table is ReportOrder else table.amount_minor
    nothing = cast(null(), Integer)

    def side(report: Report, *amounts: Any) -> Select[*tuple[Any, ...]]:
        return select(*(getattr(table, name) for name in columns), *amounts).where(table.report_id == report.id)

    return union_all(
        side(before, amount.label("before"), nothing.label("after")),
        side(after, nothing.label("before"), amount.label("after")),
    ).subquery()


def _amounts(both: Any) -> tuple[Any, Any]:
    return func.max(both.c.before).label("before"), func.max(both.c.after).label("after")


def _kind(both: Any, details: Sequence[str]) -> Any:
    """The kind of change of a group of at most two rows, one from each side."""
    before, after = func.max(both.c.before), func.max(both.c.after)
    other = or_(
        *(
            or_(func.min(both.c[name]) != func.max(both.c[name]), func.count(both.c[name]) == literal(1))
            for name in details
        )
    )
    kind = case(
        (before.is_(None), Change.ADDED.value),
        (after.is_(None), Change.REMOVED.value),
        (before != after, Change.CHANGED.value),
        (other, Change.DETAILS.value),
        else_=Change.SAME.value,
    )
    return type_coerce(kind, _CHANGE)
