"""What customers owe, by days overdue; part payments are taken into account."""

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, Subquery, and_, case, func, not_, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.ordering import chosen, ordered
from billing_core.dates import Day, passed
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.receivables import debts


@dataclass(frozen=True, slots=True)
class Bucket:
    """From ``first`` to ``last`` days of being overdue; None: unbounded on that side."""

    key: str
    title: str
    first: int | None
    last: int | None

    def holds(self, owed: Subquery, seen_from: Day) -> ColumnElement[bool]:
        """In SQL: as at that day, an amount that is in time until ``late_after`` is in this bucket."""
        late_after, business_id = owed.c.late_after, owed.c.business_id
        limits = []
        if self.first is not None:
            limits.append(passed(late_after, business_id, seen_from, days_ago=self.first - 1))
        if self.last is not None:
            limits.append(not_(passed(late_after, business_id, seen_from, days_ago=self.last)))
        return and_(*limits)


BUCKETS: Final = (
    Bucket("current", "Current", None, 0),
    Bucket("late_1_30", "1–30 days", 1, 30),
    Bucket("late_31_60", "31–60 days", 31, 60),
    Bucket("late_61_90", "61–90 days", 61, 90),
    Bucket("late_over_90", "Over 90 days", 91, None),
)


@dataclass(frozen=True, slots=True)
class AgeingRow:
    """``amounts``: minor units in the order of ``BUCKETS``. The customer is empty in a currency's total row."""

    currency: str
    invoices: int
    amounts: tuple[int, ...]
    customer_id: int | None = None
    customer_name: str = ""

    @property
    def total_minor(self) -> int:
        return sum(self.amounts)


def by_currency(session: Session, actor: Actor, scope: Scope, *, business_id: int | None = None) -> list[AgeingRow]:
    """One row per currency: now (``scope.today``), as at a day, as known at an instant. ``business_id`` None: what is
    owed to all our businesses together.
    """
    actor.require(Permission.INVOICE_READ)
    scope = _for(actor, scope)
    days = debts.by_due_date(scope, business_id=business_id)
    sums = [func.sum(days.c.invoices), *_by_bucket(days, debts.day(scope))]
    rows = session.execute(select(days.c.currency, *sums).group_by(days.c.currency).order_by(days.c.currency))
    return [AgeingRow(currency, int(invoices), tuple(map(int, amounts))) for currency, invoices, *amounts in rows]


def by_customer(
    session: Session,
    actor: Actor,
    scope: Scope,
    *,
    order_by: str = "-overdue",
    limit: int = 50,
    offset: int = 0,
) -> list[AgeingRow]:
    """One page of the rows by customer and currency, ordered by "name", "total" or "overdue" ("-": descending)."""
    statement = listing(actor, scope, order_by).limit(limit).offset(offset)
    return [row_of(row) for row in session.execute(statement)]


def customer_count(session: Session, actor: Actor, scope: Scope) -> int:
    """How many rows ``by_customer`` has."""
    actor.require(Permission.INVOICE_READ)
    owed = debts.owed(_for(actor, scope))
    rows = select(owed.c.customer_id).group_by(owed.c.currency, owed.c.customer_id).subquery()
    return session.scalar(select(func.count()).select_from(rows)) or 0


def row_of(row: Any) -> AgeingRow:
    customer_id, customer_name, currency, invoices, *amounts = row
    return AgeingRow(currency, invoices, tuple(map(int, amounts)), customer_id, customer_name)


def listing(actor: Actor, scope: Scope, order_by: str = "-overdue") -> Select[*tuple[Any, ...]]:
    """The rows of ``by_customer`` without a limit, for an export; ``row_of`` reads one."""
    actor.require(Permission.INVOICE_READ)
    scope = _for(actor, scope)
    owed = debts.owed(scope)
    sums = [func.count().label("invoices"), *_by_bucket(owed, debts.day(scope))]
    # Summed before the names are joined: there are fewer customers than invoices. By currency first, or SQLite takes
    # the index of customers and fetches each invoice.
    summed = select(owed.c.customer_id, owed.c.currency, *sums).group_by(owed.c.currency, owed.c.customer_id).subquery()
    amounts = [summed.c[bucket.key] for bucket in BUCKETS]
    overdue = sum(amounts[2:], start=amounts[1])
    orderings: dict[str, tuple[SQLColumnExpression[Any], ...]] = {
        "name": (Customer.name_order,),
        "total": (summed.c.currency, amounts[0] + overdue),
        "overdue": (summed.c.currency, overdue),
    }
    first = ordered(order_by, *chosen(orderings, order_by))
    return (
        select(summed.c.customer_id, Customer.name, summed.c.currency, summed.c.invoices, *amounts)
        .join(Customer, Customer.id == summed.c.customer_id)
        .order_by(*first, Customer.name_order, summed.c.customer_id, summed.c.currency)
    )


def _by_bucket(owed: Subquery, seen_from: Day) -> list[ColumnElement[int]]:
    """The amount in each bucket."""
    return [
        func.sum(case((bucket.holds(owed, seen_from), owed.c.amount), else_=0)).label(bucket.key) for bucket in BUCKETS
    ]


def _for(actor: Actor, scope: Scope) -> Scope:
    scope = debts.at_its_end(scope)
    return scope if actor.customer_id is None else replace(scope, customer_id=actor.customer_id)
