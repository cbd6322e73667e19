"""What the demo company billed: a report for each customer and closed month, made early in the next one."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from billing_core.dates import Period, add_months, first_of_month, start_of_day
from billing_core.demo.definitions import CustomerDefinition
from billing_core.demo.order_book import DemoOrder
from billing_core.identity import Actor
from billing_core.reports import service

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


def bill_closed_months(session: Session, actor: Actor, customers: Iterable[CustomerDefinition], books: Books) -> int:
    """Generate the reports of every whole month before today's; returns how many."""
    open_month = first_of_month(books.today)
    last_closed = add_months(open_month, -1)
    reports = 0
    for number, customer in enumerate(customers):
        if customer.quirk == "no_rate":
            continue
        month = add_months(books.first_day, customer.joins)
        while month < open_month:
            if month < last_closed or number % 5 not in _STILL_TO_BILL:
                made_at = books.month_after(month) + number * _BETWEEN_TWO_REPORTS
                reports += _bill(session, actor, books.customers[customer.ref], month, now=made_at)
            month = add_months(month, 1)
    return reports


def bill_again(session: Session, actor: Actor, late: Collection[DemoOrder], books: Books) -> int:
    """New versions of the reports on which these orders are missing; returns how many."""
    touched = sorted({(order.customer, first_of_month(order.row["order_date"])) for order in late})
    return sum(
        _bill(session, actor, books.customers[ref], month, now=books.month_after(month) + _SECOND_LOOK)
        for ref, month in touched
    )


def _bill(session: Session, actor: Actor, customer_id: int, month: date, *, now: datetime) -> int:
    """How many reports that made: one, or none where the same report was there already."""
    period = Period.month_of(month)
    return int(service.generate(session, actor, customer_id=customer_id, period=period, now=now).created)
