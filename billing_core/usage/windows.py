"""The window of time that a statement is about: instants in UTC, both ends included."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Self

from billing_core.dates import EARLIEST_DAY, LATEST_DAY, Period, in_utc
from billing_core.errors import Invalid

DUE_AFTER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Window:
    """An ``end`` given to the second includes that whole second."""

    start: datetime
    end: datetime

    @classmethod
    def asked(cls, start: datetime | None, end: datetime | None, *, now: datetime) -> Self:
        """What was asked for; without an offset in UTC. By default the current month until now.

        Invalid where it is empty, or no day of ours.
        """
        until = now.replace(microsecond=0) if end is None else _utc(end)
        since = _utc(start) if start else now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        for field, moment in (("billing_period_start", since), ("billing_period_end", until)):
            if not EARLIEST_DAY <= moment.date() <= LATEST_DAY:
                reason = f"must lie in the years {EARLIEST_DAY.year} to {LATEST_DAY.year}"
                raise Invalid(f"{field}: {reason}", fields={field: reason})
        if since > until:
            named = "billing_period_start" if start else "billing_period_end"
            reason = f"the period would end before it begins, at {until:%Y-%m-%dT%H:%M:%S}"
            raise Invalid(f"{named}: {reason}", fields={named: reason})
        return cls(since, until)

    @classmethod
    def of_days(cls, period: Period) -> Self:
        """Whole days, to the last second of the last one."""
        return cls(datetime.combine(period.start, time(), UTC), datetime.combine(period.end, time(23, 59, 59), UTC))

    @property
    def days(self) -> Period:
        """The UTC days that it touches."""
        return Period(self.start.date(), self.end.date())

    @property
    def due_at(self) -> datetime:
        return self.end + DUE_AFTER

    def within(self, period: Period) -> "Window":
        """As much of it as lies on these days."""
        whole = Window.of_days(period)
        return Window(max(self.start, whole.start), self.end if period.end == self.end.date() else whole.end)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else in_utc(moment)
