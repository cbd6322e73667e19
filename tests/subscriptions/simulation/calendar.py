"""When paid periods begin, a second time: by walking the calendar."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tests.subscriptions.simulation.contracts import Plan

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7}


@dataclass(frozen=True)
class Anchor:
    """The local day and time of day at which the period ``number`` begins, from which all others follow."""

    day: date
    time: time
    number: int = 0

    def first_day(self, plan: Plan, number: int) -> date:
        """Of the period with this number."""
        steps = (number - self.number) * plan.count
        if plan.interval in _DAYS:
            return self.day + timedelta(days=steps * _DAYS[plan.interval])
        year, month, day = self.day.year, self.day.month, self.day.day
        for _ in range(steps * _MONTHS[plan.interval]):
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        while True:
            try:
                return date(year, month, day)
            except ValueError:
                day -= 1

    def begins(self, plan: Plan, number: int, zone: str) -> datetime:
        return instant(self.first_day(plan, number), self.time, zone)


def instant(day: date, at: time, zone: str) -> datetime:
    """An hour that the clocks leave out is as much later."""
    return datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)


def there(moment: datetime, zone: str) -> datetime:
    """To the second."""
    return moment.replace(microsecond=0).astimezone(ZoneInfo(zone))


def after_days(moment: datetime, days: int, zone: str) -> datetime:
    """At the same local time so many days later."""
    begun = there(moment, zone)
    return instant(begun.date() + timedelta(days=days), begun.time().replace(fold=0), zone)


def anchored(moment: datetime, zone: str, number: int = 0) -> Anchor:
    begun = there(moment, zone)
    return Anchor(begun.date(), begun.time().replace(fold=0), number)
