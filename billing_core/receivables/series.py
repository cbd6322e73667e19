"""Money over time, for charts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.orm import Session

from billing_core.dates import first_of_month
from billing_core.figures import Scope
from billing_core.receivables import flows


@dataclass(frozen=True, slots=True)
class MonthOfMoney:
    """What was invoiced and what came in, in minor units; ``month`` is its first day."""

    month: date
    currency: str
    invoiced_minor: int
    collected_minor: int


def by_month(session: Session, scope: Scope) -> list[MonthOfMoney]:
    """The figures Invoiced and Collected by month and currency, for months with any movement."""
    parts = (
        ("invoiced", flows.by_day(scope, *flows.INVOICED)),
        ("collected", flows.by_day(scope, *flows.COLLECTED)),
    )
    statement = union_all(
        *(
            select(literal(what), rows.c.effective_on, rows.c.currency, func.sum(rows.c.amount)).group_by(
                rows.c.effective_on, rows.c.currency
            )
            for what, rows in parts
        )
    )
    # Grouped into months here: databases differ in how they truncate a date.
    return _months((what, on, currency, int(amount)) for what, on, currency, amount in session.execute(statement))


def _months(days: Iterable[tuple[str, date, str, int]]) -> list[MonthOfMoney]:
    sums: Counter[tuple[date, str, str]] = Counter()
    for what, on, currency, amount in days:
        sums[first_of_month(on), currency, what] += amount
    places = sorted({(month, currency) for month, currency, _ in sums})
    return [MonthOfMoney(*place, sums[*place, "invoiced"], sums[*place, "collected"]) for place in places]
