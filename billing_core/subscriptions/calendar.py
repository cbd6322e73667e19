"""When the periods of a subscription begin and end: each from the anchor, never from the boundary before it.

So 31 January is followed by 28 February and by 31 March. Periods are half open, and tile: each ends where the next one
begins.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from billing_core.dates import add_months, in_utc
from billing_core.plans.models import PlanInterval

_DAYS: Final = {PlanInterval.DAY: 1, PlanInterval.WEEK: 7}
_MONTHS: Final = {PlanInterval.MONTH: 1, PlanInterval.QUARTER: 3, PlanInterval.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Cycle:
    """``count`` intervals from boundary to boundary. The anchor is a day and a time of day in ``zone``: a time that a
    day lacks, because clocks go forward, is as much later; of one that it has twice it is the first.
    """

    anchor_day: date
    anchor_time: time
    zone: str
    interval: PlanInterval
    count: int = 1

    @classmethod
    def of_days(cls, anchor_day: date, interval: PlanInterval, count: int) -> Self:
        """Where days alone are asked for, which are the same in every zone."""
        return cls(anchor_day, time.min, "UTC", interval, count)

    def day(self, number: int) -> date:
        """The local day of a boundary: the anchor's is 0."""
        steps = number * self.count
        if days := _DAYS.get(self.interval):
            return self.anchor_day + timedelta(days=steps * days)
        return add_months(self.anchor_day, steps * _MONTHS[self.interval])

    def boundary(self, number: int) -> datetime:
        """The instant (UTC) of a boundary, at which one period ends and the next begins."""
        return instant(self.day(number), self.anchor_time, self.zone)

    def first_from(self, day: date) -> int:
        """The number of the first boundary that lies on this local day or later, from 0 on."""
        longest = _DAYS.get(self.interval) or _MONTHS[self.interval] * 31
        number = max((day - self.anchor_day).days // (longest * self.count), 0)
        while self.day(number) < day:
            number += 1
        return number

    def last_day(self, number: int) -> date:
        """The last whole day of the period that begins at a boundary."""
        return self.day(number + 1) - timedelta(days=1)


def instant(day: date, at: time, zone: str) -> datetime:
    """The instant (UTC) of a local day and time of day."""
    return in_utc(datetime.combine(day, at, ZoneInfo(zone)))


def local(moment: datetime, zone: str) -> tuple[date, time]:
    """The local day and time of day of an instant, as an anchor keeps them: to the second."""
    there = moment.astimezone(ZoneInfo(zone)).replace(microsecond=0)
    return there.date(), there.time()


def days_later(moment: datetime, days: int, zone: str) -> datetime:
    """The same local time so many days later, in UTC."""
    day, at = local(moment, zone)
    return instant(day + timedelta(days=days), at, zone)
