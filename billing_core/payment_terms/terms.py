"""When an invoice is due, and what early payment takes off it."""

import enum
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from billing_core.dates import add_months, first_of_month, last_of_month

LONGEST_DAYS: Final = 730
# Of the text that says them, in characters.
LONGEST_TEXT: Final = 200


class Basis(enum.StrEnum):
    """What the due date is counted from: the issue date, the end of its month, or a day of a following month; or it is
    the end of the month that the days from the issue date lead to.
    """

    ISSUE = "issue"
    MONTH_END = "month_end"
    TO_MONTH_END = "to_month_end"
    DAY_OF_MONTH = "day_of_month"


@dataclass(frozen=True, slots=True)
class EarlyPayment:
    """``percent`` off for whoever pays within ``days`` of the issue date."""

    percent: Decimal
    days: int

    def until(self, issued_on: date) -> date:
        """The last day on which payment takes the discount."""
        return issued_on + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Terms:
    """``days`` count from the issue date, or from the end of its month. ``day`` is that of the ``months``-th month
    after the issue date's, whose last day stands for days that it does not have. 0 days from the issue date: on
    receipt. ``discounts`` in the order of their days.
    """

    basis: Basis = Basis.ISSUE
    days: int = 0
    day: int = 0
    months: int = 0
    discounts: tuple[EarlyPayment, ...] = ()

    def due_on(self, issued_on: date) -> date:
        """The last day on which payment is in time."""
        match self.basis:
            case Basis.ISSUE:
                return issued_on + timedelta(days=self.days)
            case Basis.MONTH_END:
                return last_of_month(issued_on) + timedelta(days=self.days)
            case Basis.TO_MONTH_END:
                return last_of_month(issued_on + timedelta(days=self.days))
            case Basis.DAY_OF_MONTH:
                month = add_months(first_of_month(issued_on), self.months)
                return month.replace(day=min(self.day, last_of_month(month).day))

    @property
    def make_sense(self) -> bool:
        """Whether anybody can have agreed on them: early is before the due date, and the earlier the better."""
        if not (0 <= self.days <= LONGEST_DAYS and all(0 < one.percent < 100 for one in self.discounts)):
            return False
        days = [one.days for one in self.discounts]
        percents = [one.percent for one in self.discounts]
        if days != sorted(set(days)) or percents != sorted(set(percents), reverse=True):
            return False
        return not days or days[-1] <= (LONGEST_DAYS if self.basis is not Basis.ISSUE else self.days - 1)
