"""Parts of a period's price: whole days of the billing zone over the whole period's days (settled point 38).

The day of a change belongs to the new terms, the day of a cancellation counts as used.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from billing_core.dates import Period
from billing_core.money import nearest


@dataclass(frozen=True, slots=True)
class Cut:
    """A period cut by a day: ``used`` days before it, and ``left`` from it on, which add up to the period's."""

    used: int
    left: int

    @property
    def days(self) -> int:
        return self.used + self.left


def changed_on(period: Period, day: date) -> Cut:
    """The cut of a change on this day, which has the new terms already."""
    left = min(max((period.end - day).days + 1, 0), period.days)
    return Cut(period.days - left, left)


def cancelled_on(period: Period, day: date) -> Cut:
    """The cut of a cancellation on this day, which was used."""
    return changed_on(period, day + timedelta(days=1))


def share(minor: int, days: int, of_days: int) -> int:
    """What so many days of a price for ``of_days`` come to, in minor units, rounded once."""
    return nearest(minor * days, of_days)


def unused(charged_minor: int, credited_minor: int, cut: Cut) -> int:
    """What is to be credited of a charge whose days are cut, in minor units: the unused share of it, and never more
    than what earlier credits have left.
    """
    return min(share(charged_minor, cut.left, cut.days), charged_minor - credited_minor)
