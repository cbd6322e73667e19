"""What the demo company billed: a report for each customer and closed month, made early in the next one."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.dates import Period, add_months, first_of_month, start_of_day
from billing_core.demo.definitions import CustomerDefinition
from billing_core.demo.order_book import DemoOrder
from billing_core.identity import Actor
from billing_core.reports import service
from billing_core.reports.models import BillingReport

# In the last closed month the work is not done: of every five customers two are still to be billed.
_STILL_TO_BILL = (3, 4)
_MORNING = timedelta(hours=8, minutes=20)
_BETWEEN_TWO_REPORTS = timedelta(minutes=4)
_SECOND_LOOK = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Books:
    """``customers``: ids by ref. Orders began on ``first_day``; ``zone`` is where the business is."""

    customers: Mapping[str, int]
    first_day: date
    today: date
    zone: str

    def month_after(self, month: date) -> datetime:
        """The morning of the first day on which a month can be billed."""
        return start_of_day(self.zone, add_months(month, 1)) + _MORNING


@dataclass(frozen=True, slots=True)
class Bill:
    """One customer's report of one month, and when somebody made it."""

    customer_id: int
    period: Period
    made_at: datetime


def closed_months(customers: Iterable[CustomerDefinition], books: Books) -> Iterator[Bill]:
    """The reports that were made of every whole month before today's."""
    open_month = first_of_month(books.today)
    last_closed = add_months(open_month, -1)
    for number, customer in enumerate(customers):
        if customer.quirk == "no_rate":
            continue
        month = add_months(books.first_day, customer.joins)
        while month < open_month:
            if month < last_closed or number % 5 not in _STILL_TO_BILL:
                made_at = books.month_after(month) + number * _BETWEEN_TWO_REPORTS
                yield Bill(books.customers[customer.ref], Period.month_of(month), made_at)
            month = add_months(month, 1)


def bill(session: Session, actor: Actor, bills: Iterable[Bill]) -> None:
    """Generate those reports that are not there yet."""
    for each in bills:
        billed = select(BillingReport.id).where(
            BillingReport.customer_id == each.customer_id,
            BillingReport.period_start == each.period.start,
            BillingReport.period_end == each.period.end,
        )
        if session.scalar(billed.limit(1)) is None:
            _generate(session, actor, each)


def bill_again(session: Session, actor: Actor, late: Collection[DemoOrder], books: Books) -> None:
    """New versions of the reports on which these orders are missing."""
    touched = sorted({(order.customer, first_of_month(order.row["order_date"])) for order in late})
    for ref, month in touched:
        made_at = books.month_after(month) + _SECOND_LOOK
        _generate(session, actor, Bill(books.customers[ref], Period.month_of(month), made_at))


def _generate(session: Session, actor: Actor, bill: Bill) -> None:
    service.generate(session, actor, customer_id=bill.customer_id, period=bill.period, now=bill.made_at)
