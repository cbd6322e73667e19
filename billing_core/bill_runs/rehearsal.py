"""What a run makes, or would make, beside what the period before was billed: by customer, as SQL.

It reads what is stored of the run, so it serves rehearsals and runs that made something alike.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from billing_core.bill_runs import progress
from billing_core.bill_runs.models import BillRunCustomer, RunOutcome, RunSource
from billing_core.bill_runs.progress import Progress
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.dates import Period
from billing_core.identity.permissions import Actor
from billing_core.metering.models import UsagePeriod
from billing_core.reports.models import BillingReport
from billing_core.usage.models import UsageLine


class Change(enum.StrEnum):
    """Against the period before. NEW: not billed then. MISSING: billed then, and not in this run. OPEN: not computed,
    since the customer waits or failed. UNBILLED: it has orders and comes to 0, as a
    rule because rates are missing. OTHER_CURRENCY: the totals cannot be compared.
    """

    NEW = "new"
    MISSING = "missing"
    MORE = "more"
    LESS = "less"
    SAME = "same"
    OTHER_CURRENCY = "other currency"
    OPEN = "open"
    UNBILLED = "unbilled"


@dataclass(frozen=True, slots=True)
class Compared:
    """One customer. Amounts in minor units before tax; ``previous_…`` are those of the current report for the period
    before, or of its billed usage, without what came late. ``late_minor`` is what came late for earlier periods and
    goes onto invoices besides, ``credited_minor`` what is credited of those.

    ``outcome`` is None, as is what this run made, where the customer is missing from it.
    """

    customer_id: int
    customer_name: str
    change: Change
    outcome: RunOutcome | None
    reason: str
    report_id: int | None
    currency: str | None
    total_minor: int | None
    late_minor: int | None
    credited_minor: int | None
    order_count: int | None
    question_count: int | None
    twice_count: int | None
    previous_report_id: int | None
    previous_currency: str | None
    previous_total_minor: int | None
    previous_order_count: int | None

    @property
    def difference_minor(self) -> int | None:
        """This total less the previous one, of which 0 stands for none; None where they cannot be compared."""
        if self.change in (Change.OPEN, Change.OTHER_CURRENCY):
            return None
        return (self.total_minor or 0) - (self.previous_total_minor or 0)


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """All customers of the comparison in one currency; ``customers`` are those billed in it now. ``late_minor`` and
    ``credited_minor`` as in ``Compared``.
    """

    currency: str
    customers: int
    total_minor: int
    previous_customers: int
    previous_total_minor: int
    late_minor: int = 0
    credited_minor: int = 0

    @property
    def on_invoices_minor(self) -> int:
        """What the invoices come to that the run makes."""
        return self.total_minor + self.late_minor

    @property
    def difference_minor(self) -> int:
        return self.total_minor - self.previous_total_minor


def page(
    session: Session,
    actor: Actor,
    run_id: int,
    *,
    change: Change | None = None,
    limit: int = 50,
    offset: int = 0,
    now: datetime,
) -> list[Compared]:
    """One page of the comparison; ``change`` shows only those. What somebody has to look at comes first, then the
    largest difference whichever its sign.
    """
    rows = _compared(actor, progress.progress(session, actor, run_id, now=now)).subquery()
    unclear = rows.c.change.in_([Change.OPEN.value, Change.UNBILLED.value, Change.OTHER_CURRENCY.value])
    difference = func.coalesce(rows.c.total_minor, 0) - func.coalesce(rows.c.previous_total_minor, 0)
    statement = select(rows).order_by(
        case((unclear, 0), else_=1),
        case((unclear, 0), else_=func.abs(difference)).desc(),
        rows.c.customer_name,
        rows.c.customer_id,
    )
    if change is not None:
        statement = statement.where(rows.c.change == change.value)
    found = session.execute(statement.limit(limit).offset(offset)).mappings()
    return [
        Compared(
            **dict(row)
            | {
                "change": Change(row["change"]),
                "outcome": None if row["outcome"] is None else RunOutcome(row["outcome"]),
            }
        )
        for row in found
    ]


def counts(session: Session, actor: Actor, run_id: int, *, now: datetime) -> dict[Change, int]:
    """How many customers there are of each kind of change."""
    rows = _compared(actor, progress.progress(session, actor, run_id, now=now)).subquery()
    counted = session.execute(select(rows.c.change, func.count()).group_by(rows.c.change))
    return {Change(change): customers for change, customers in counted}


def totals(session: Session, actor: Actor, run_id: int, *, now: datetime) -> list[CurrencyTotal]:
    """The sums of the comparison, by currency."""
    rows = _compared(actor, progress.progress(session, actor, run_id, now=now)).subquery()
    sides = union_all(
        select(
            rows.c.currency.label("currency"),
            rows.c.total_minor.label("now"),
            literal(0, BigInteger).label("before"),
            literal(1).label("in_this"),
            literal(0).label("in_previous"),
            func.coalesce(rows.c.late_minor, 0).label("late"),
            func.coalesce(rows.c.credited_minor, 0).label("credited"),
        ).where(rows.c.currency.is_not(None)),
        select(
            rows.c.previous_currency,
            literal(0, BigInteger),
            rows.c.previous_total_minor,
            literal(0),
            literal(1),
            literal(0, BigInteger),
            literal(0, BigInteger),
        ).where(rows.c.previous_currency.is_not(None)),
    ).subquery()
    summed = (
        select(
            sides.c.currency,
            func.sum(sides.c.in_this),
            func.sum(sides.c.now),
            func.sum(sides.c.in_previous),
            func.sum(sides.c.before),
            func.sum(sides.c.late),
            func.sum(sides.c.credited),
        )
        .group_by(sides.c.currency)
        .order_by(sides.c.currency)
    )
    return [CurrencyTotal(row[0], *(int(number) for number in row[1:])) for row in session.execute(summed)]


def _compared(actor: Actor, run: Progress) -> Select[tuple[object, ...]]:
    """A row a customer: those of the run, and where it bills everybody also those who are missing from it."""
    previous = (_usage(run.period.before()) if run.source is RunSource.USAGE else _reports(run)).subquery()
    here = BillRunCustomer
    then = (
        previous.c.report_id.label("previous_report_id"),
        previous.c.currency.label("previous_currency"),
        previous.c.total_minor.label("previous_total_minor"),
        previous.c.order_count.label("previous_order_count"),
    )
    change: ColumnElement[str] = case(
        (here.total_minor.is_(None), Change.OPEN.value),
        (and_(here.total_minor == 0, here.order_count > 0), Change.UNBILLED.value),
        (previous.c.customer_id.is_(None), Change.NEW.value),
        (previous.c.currency != here.currency, Change.OTHER_CURRENCY.value),
        (here.total_minor > previous.c.total_minor, Change.MORE.value),
        (here.total_minor < previous.c.total_minor, Change.LESS.value),
        else_=Change.SAME.value,
    )
    billed = (
        select(
            Customer.id.label("customer_id"),
            Customer.name.label("customer_name"),
            change.label("change"),
            cast(here.outcome, String).label("outcome"),
            here.reason.label("reason"),
            here.report_id.label("report_id"),
            here.currency.label("currency"),
            here.total_minor.label("total_minor"),
            here.late_minor.label("late_minor"),
            here.credited_minor.label("credited_minor"),
            here.order_count.label("order_count"),
            here.question_count.label("question_count"),
            here.twice_count.label("twice_count"),
            *then,
        )
        .join(here, here.customer_id == Customer.id)
        .outerjoin(previous, previous.c.customer_id == Customer.id)
        .where(here.run_id == run.run_id, visible_to(actor))
    )
    missing = (
        select(
            Customer.id,
            Customer.name,
            literal(Change.MISSING.value),
            cast(null(), String),
            literal(""),
            cast(null(), Integer),
            cast(null(), String),
            cast(null(), BigInteger),
            cast(null(), BigInteger),
            cast(null(), BigInteger),
            cast(null(), Integer),
            cast(null(), Integer),
            cast(null(), Integer),
            *then,
        )
        .join(previous, previous.c.customer_id == Customer.id)
        .outerjoin(here, and_(here.customer_id == Customer.id, here.run_id == run.run_id))
        .where(here.run_id.is_(None), previous.c.total_minor > 0, visible_to(actor))
    )
    both = union_all(billed, missing).subquery() if run.all_customers else billed.subquery()
    return select(both)


def _reports(run: Progress) -> Select[*tuple[Any, ...]]:
    """What the period before was billed: the current report of each customer."""
    before = run.period.before()
    return select(
        BillingReport.customer_id,
        BillingReport.id.label("report_id"),
        BillingReport.currency,
        BillingReport.total_minor,
        BillingReport.order_count,
    ).where(
        BillingReport.period_start == before.start,
        BillingReport.period_end == before.end,
        BillingReport.services == run.services,
        BillingReport.superseded_at.is_(None),
    )


def _usage(before: Period) -> Select[*tuple[Any, ...]]:
    """The same of usage: what stands of it, without what came late. A period is billed in one currency."""
    return (
        select(
            UsagePeriod.customer_id,
            cast(null(), Integer).label("report_id"),
            UsageLine.currency,
            cast(func.sum(UsageLine.amount_minor), BigInteger).label("total_minor"),
            cast(null(), Integer).label("order_count"),
        )
        .join(UsageLine, UsageLine.period_id == UsagePeriod.id)
        .where(
            UsagePeriod.first_day == before.start,
            UsagePeriod.last_day == before.end,
            UsagePeriod.replaced_at.is_(None),
            UsageLine.settlement_id.is_(None),
        )
        .group_by(UsagePeriod.customer_id, UsageLine.currency)
    )
