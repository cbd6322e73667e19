"""Which buckets each meter had when: a bill goes by those of its time."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.metering.models import BucketChange, MeterBucket


@dataclass(frozen=True, slots=True)
class Changes:
    """Of some meters, by their ids, each's in order."""

    by_meter: Mapping[int, Sequence[BucketChange]]

    @property
    def latest(self) -> int:
        """The id of the last one; 0: there is none."""
        return max((changes[-1].id for changes in self.by_meter.values()), default=0)

    def at(self, meter_id: int, change_id: int) -> list[MeterBucket]:
        """The meter's buckets after the change with this id, which may be another meter's."""
        changes = self.by_meter.get(meter_id, ())
        place = bisect_right([change.id for change in changes], change_id)
        kept = changes[place - 1].buckets if place else []
        # Not as they stand in their table, with the filters of today.
        return [MeterBucket(id=one["id"], meter_id=meter_id, filters=one["filters"]) for one in kept]


def note(session: Session, meter_id: int, live: Iterable[MeterBucket]) -> None:
    """The meter has these buckets from now on. It is locked, and so are the customers who used it."""
    kept = [{"id": bucket.id, "filters": bucket.filters} for bucket in live]
    session.add(BucketChange(meter_id=meter_id, buckets=kept))
    session.flush()


def latest(session: Session) -> int:
    """The id of the last change of any meter; 0: there was none."""
    return session.scalar(select(func.max(BucketChange.id))) or 0


def of_meters(session: Session, meter_ids: Collection[int]) -> Changes:
    """All changes of these meters' buckets."""
    found: dict[int, list[BucketChange]] = {}
    if meter_ids:
        changes = select(BucketChange).where(BucketChange.meter_id.in_(meter_ids)).order_by(BucketChange.id)
        for change in session.scalars(changes):
            found.setdefault(change.meter_id, []).append(change)
    return Changes(found)
