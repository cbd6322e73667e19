"""Usage kept and counted as one would on paper: events in a list, decimals, a loop."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing_core.metering.ingestion import Recorded
from billing_core.metering.queries import Usage


@dataclass(frozen=True)
class Told:
    """One event of the customer with this place in ``Naive.zones``; a bad one has a negative quantity."""

    customer: int
    id: str
    at: datetime
    user: str
    response_time: Decimal | None
    quantity: Decimal


@dataclass
class Naive:
    """What customers with these billing zones used. Of the first the days from one to the other were billed."""

    zones: Sequence[str]
    billed: tuple[date, date]
    events: list[Told] = field(default_factory=list)
    late: set[tuple[int, str]] = field(default_factory=set)
    withdrawn: set[tuple[int, str]] = field(default_factory=set)

    def record(self, batch: Iterable[Told]) -> Recorded:
        """``refused`` has indices instead of refusals."""
        accepted, repeated, late, refused = 0, 0, 0, []
        for index, event in enumerate(batch):
            same_id = [kept for kept in self.events if (kept.customer, kept.id) == (event.customer, event.id)]
            if event.quantity < 0 or (same_id and same_id != [event]):
                refused.append(index)
            elif same_id:
                repeated += 1
            else:
                accepted += 1
                self.events.append(event)
                if event.customer == 0 and self.billed[0] <= self.day(event, "billing") <= self.billed[1]:
                    late += 1
                    self.late.add((0, event.id))
        return Recorded(accepted, repeated, late, tuple(refused))

    def day(self, event: Told, zone_kind: str) -> date:
        zone = UTC if zone_kind == "utc" else ZoneInfo(self.zones[event.customer])
        return event.at.astimezone(zone).date()

    def counted(self) -> Iterator[Told]:
        for event in self.events:
            if (event.customer, event.id) not in self.withdrawn:
                yield event

    def usage(self, customer: int, start: datetime, end: datetime) -> Usage:
        """``end`` counts to its last microsecond: given to the second, to that of the second."""
        until = end if end.microsecond else end + timedelta(microseconds=999_999)
        own = [event for event in self.counted() if event.customer == customer and event.at <= until]
        inside = [event for event in own if event.at >= start]
        timed = [event.response_time for event in inside if event.response_time is not None]
        return Usage(
            len({event.user for event in own} - {""}),
            len({event.user for event in inside} - {""}),
            len(inside),
            sum((event.quantity for event in inside), Decimal(0)),
            sum(timed, Decimal(0)),
            len(timed),
        )

    def days(self) -> dict[tuple[int, str, date, str], tuple[int, Decimal, Decimal, int]]:
        """Calls, quantity, response times and how many told one, by customer, kind of zone, day and user."""
        groups = defaultdict(list)
        for event in self.counted():
            for zone_kind in ("utc", "billing"):
                groups[event.customer, zone_kind, self.day(event, zone_kind), event.user].append(event)
        return {
            place: (
                len(events),
                sum((event.quantity for event in events), Decimal(0)),
                sum((event.response_time or Decimal(0) for event in events), Decimal(0)),
                sum(event.response_time is not None for event in events),
            )
            for place, events in groups.items()
        }
