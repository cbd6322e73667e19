"""Which buckets each meter had when: a bill goes by those of its time."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.metering.models import BucketChange, Meter, MeterBucket, UsageDay, UsagePeriod, ZoneKind


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

    def has_changed(self, meter_id: int, change_id: int | None) -> bool:
        """Whether the meter has other buckets now than after this change; None: it is not known, and may have."""
        if change_id is None:
            return bool(self.by_meter.get(meter_id))
        then, now = ({(one.id, one.filters) for one in self.at(meter_id, id_)} for id_ in (change_id, self.latest))
        return then != now


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


def changed_since(session: Session, period_ids: Collection[int]) -> dict[int, str]:
    """Of these billed periods, by id: the name of a meter that was used in one and has had other buckets since its
    bill, or may have had: of former bills nobody knows.
    """
    if not period_ids:
        return {}
    used = (
        select(UsagePeriod.id, UsagePeriod.bucket_change_id, Meter.id, Meter.name)
        .join(UsageDay, UsageDay.customer_id == UsagePeriod.customer_id)
        .join(Meter, Meter.id == UsageDay.meter_id)
        .where(
            among(UsagePeriod.id, period_ids),
            UsageDay.zone_kind == ZoneKind.BILLING,
            UsageDay.day.between(UsagePeriod.first_day, UsagePeriod.last_day),
        )
        .distinct()
        .order_by(Meter.id)
    )
    rows = session.execute(used).all()
    changes = of_meters(session, {meter_id for _, _, meter_id, _ in rows})
    found: dict[int, str] = {}
    for period_id, change_id, meter_id, name in rows:
        if changes.has_changed(meter_id, change_id):
            found.setdefault(period_id, name)
    return found
