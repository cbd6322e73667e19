"""Holding usage against the thresholds that are watched for, after it was recorded, and whenever a day begins: a month
can begin with fees, or with a quantity that holds on, and terms can begin on any day.

A threshold is reached once a period: what is withdrawn afterwards does not take that back. The period is a month of the
customer's billing-zone days, the present one or the one before, for as long as it is not billed: what comes later is
late, and reaches nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import Select, String, Table, func, or_, select, update
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database.functions import Columns, among, as_rows
from billing_core.database.types import UtcDateTime
from billing_core.database.upserts import insert_into
from billing_core.dates import Period, day_in, start_of_day
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.alerts import AlertMeasure, ReachedThreshold, UsageAlert, UsageCheck, ask
from billing_core.metering.models import API_CALLS, UsagePeriod
from billing_core.metering.rollups import billing_zone, billing_zones
from billing_core.money import Money
from billing_core.outgoing_webhooks.models import EventType
from billing_core.outgoing_webhooks.publishing import Announcement, announce
from billing_core.plans.queries import was_on_plan
from billing_core.usage import alerts
from billing_core.usage.alerts import ReachedRow
from billing_core.usage.charges import Charge, charges_of
from billing_core.usage.overview import total

_DAY: Final = timedelta(days=1)
_DAYS: Final[Columns] = {"zone": String(), "begun_at": UtcDateTime()}
# What the events of outgoing webhooks are about.
REACHED: Final = "usage_threshold"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a customer has used in a period. ``cost`` is of what has a price; None where nothing has one; minimums
    are left out. As many of the calls as ``outside`` are where nothing is included: on no plan, or in a bucket of their
    own.
    """

    calls: int
    included_calls: int
    cost: Money | None
    outside: int = 0

    def reaches(self, measure: AlertMeasure, threshold: int, currency: str) -> bool:
        """Whether the threshold, of a cost in this currency, is reached."""
        match measure:
            case AlertMeasure.ALLOWANCE:
                # Who has no allowance has used no share of it.
                used = self.calls - self.outside
                return self.included_calls > 0 and used * 100 >= self.included_calls * threshold
            case AlertMeasure.CALLS:
                return self.calls >= threshold
            case AlertMeasure.COST:
                return self.cost is not None and self.cost.currency == currency and self.cost.minor >= threshold


@dataclass(frozen=True, slots=True)
class Checked:
    """How many customers were checked, and what they had reached for the first time."""

    customers: int
    reached: list[ReachedRow]


@dataclass(frozen=True, slots=True)
class _Watched:
    """A period of a customer whose days are those of the ``zone``."""

    customer_id: int
    period: Period
    zone: str


def due(session: Session) -> bool:
    """Whether some customer is to be checked."""
    return session.scalar(select(UsageCheck.customer_id).where(UsageCheck.asked_at.is_not(None)).limit(1)) is not None


def check(session: Session, actor: Actor, *, now: datetime, limit: int) -> Checked:
    """Check those who have waited longest, at most ``limit``, and announce what they have reached."""
    actor.require(Permission.PLAN_WRITE)
    waiting = select(UsageCheck.customer_id).where(UsageCheck.asked_at.is_not(None))
    customer_ids = session.scalars(waiting.order_by(UsageCheck.asked_at, UsageCheck.customer_id).limit(limit)).all()
    if not customer_ids:
        return Checked(0, [])
    watched = _locked(session, customer_ids, now)
    session.execute(
        update(UsageCheck)
        .where(among(UsageCheck.customer_id, customer_ids))
        .values(asked_at=None, checked_at=now)
        .execution_options(synchronize_session=False)
    )
    rows = list(_newly_reached(session, _unreached(session, watched), now))
    return Checked(len(customer_ids), _keep(session, actor, rows, now))


def ask_where_a_day_began(session: Session, actor: Actor, *, now: datetime) -> None:
    """Have those checked whose cost is watched for, who are on a plan, and who were not since their day began in the
    zone in which they are billed. Without events nothing else than a cost is reached.
    """
    actor.require(Permission.PLAN_WRITE)
    of_cost = (UsageAlert.removed_at.is_(None), UsageAlert.measure == AlertMeasure.COST)
    # Mostly nobody watches for any, which needs no look at the customers.
    if session.scalar(select(UsageAlert.id).where(*of_cost).limit(1)) is None:
        return
    zones = [(zone, start_of_day(zone, day_in(zone, now))) for zone in billing_zones(session)]
    days = as_rows(session, "days", _DAYS, zones).prefix_with("MATERIALIZED")
    of_customer = or_(UsageAlert.customer_id.is_(None), UsageAlert.customer_id == Customer.id)
    # No zone is farther from UTC than a day.
    around = Period(now.date() - _DAY, now.date() + _DAY)
    waiting = (
        select(Customer.id)
        .join(Business, Business.id == Customer.business_id)
        .join(days, days.c.zone == billing_zone())
        .outerjoin(UsageCheck, UsageCheck.customer_id == Customer.id)
        .where(
            select(UsageAlert.id).where(*of_cost, of_customer).exists(),
            was_on_plan(Customer.id, around),
            UsageCheck.asked_at.is_(None),
            or_(UsageCheck.checked_at.is_(None), UsageCheck.checked_at < days.c.begun_at),
        )
    )
    ask(session, waiting, now=now)


def _locked(session: Session, customer_ids: Sequence[int], now: datetime) -> list[_Watched]:
    """The periods of these customers that are not billed. Their rows are locked: whoever is recording ends before."""
    statement: Select[*tuple[Any, ...]] = (
        select(Customer.id, billing_zone().label("zone"))
        .join(Business, Business.id == Customer.business_id)
        .where(among(Customer.id, customer_ids))
        .order_by(Customer.id)
        .with_for_update(of=Customer, key_share=True)
    )
    zones = session.execute(statement).all()
    last_days = (
        select(UsagePeriod.customer_id, func.max(UsagePeriod.last_day))
        .where(among(UsagePeriod.customer_id, customer_ids), UsagePeriod.replaced_at.is_(None))
        .group_by(UsagePeriod.customer_id)
    )
    billed_until = dict(session.execute(last_days).all())
    watched = []
    for customer_id, zone in zones:
        present = Period.month_of(day_in(zone, now))
        watched += [
            _Watched(customer_id, period, zone)
            for period in (present.before(), present)
            if billed_until.get(customer_id, date.min) < period.end
        ]
    return watched


def _unreached(session: Session, watched: Collection[_Watched]) -> dict[_Watched, list[UsageAlert]]:
    """What of each period is watched for, and was not reached in it."""
    customer_ids = {one.customer_id for one in watched}
    concerning = or_(UsageAlert.customer_id.is_(None), UsageAlert.customer_id.in_(customer_ids))
    of_customer: dict[int | None, list[UsageAlert]] = defaultdict(list)
    for alert in session.scalars(select(UsageAlert).where(UsageAlert.removed_at.is_(None), concerning)):
        of_customer[alert.customer_id].append(alert)
    kept = select(
        ReachedThreshold.customer_id, ReachedThreshold.first_day, ReachedThreshold.alert_id, ReachedThreshold.threshold
    ).where(
        among(ReachedThreshold.customer_id, customer_ids),
        ReachedThreshold.first_day.in_({one.period.start for one in watched}),
    )
    reached = {tuple(row) for row in session.execute(kept)}
    waits = {
        one: [
            alert
            for alert in (*of_customer[None], *of_customer[one.customer_id])
            # A period that had ended by then is nothing to be told of any more.
            if day_in(one.zone, alert.set_at) <= one.period.end
            and (one.customer_id, one.period.start, alert.id, alert.threshold) not in reached
        ]
        for one in watched
    }
    return {one: unreached for one, unreached in waits.items() if unreached}


def _newly_reached(
    session: Session, waits: Mapping[_Watched, Sequence[UsageAlert]], now: datetime
) -> Iterator[dict[str, Any]]:
    """Rows of what is reached of that."""
    periods: dict[Period, list[_Watched]] = defaultdict(list)
    for one in waits:
        periods[one.period].append(one)
    for period, of_period in periods.items():
        charges = charges_of(session, [one.customer_id for one in of_period], period)
        for one in of_period:
            standing = standing_of(charges[one.customer_id])
            for alert in waits[one]:
                if standing.reaches(alert.measure, alert.threshold, alert.currency):
                    yield _row(one, alert, standing, now)


def _row(one: _Watched, alert: UsageAlert, standing: Standing, now: datetime) -> dict[str, Any]:
    return {
        "alert_id": alert.id,
        "customer_id": one.customer_id,
        "first_day": one.period.start,
        "last_day": one.period.end,
        "threshold": alert.threshold,
        "calls": standing.calls,
        "included_calls": standing.included_calls,
        "currency": standing.cost.currency if standing.cost else "",
        "cost_minor": standing.cost.minor if standing.cost else None,
        "reached_at": now,
    }


def standing_of(charges: Sequence[Charge]) -> Standing:
    """What the charges of one customer's period come to so far."""
    of_calls = [one for one in charges if one.meter == API_CALLS]
    return Standing(
        calls=int(sum(one.quantity for one in of_calls)),
        included_calls=int(sum(one.included for one in of_calls)),
        # A minimum is owed however little is used: it says nothing of how much that is.
        cost=total(one.without_minimum for one in charges),
        outside=int(sum(one.quantity for one in of_calls if not one.included)),
    )


def _keep(session: Session, actor: Actor, rows: list[dict[str, Any]], now: datetime) -> list[ReachedRow]:
    """Keep what nobody else has kept, and announce it."""
    if not rows:
        return []
    table = cast("Table", ReachedThreshold.__table__)
    once = ["alert_id", "customer_id", "first_day", "threshold"]
    new = insert_into(session, table).on_conflict_do_nothing(index_elements=once).returning(table.c.id)
    kept = session.scalars(new, rows).all()
    statement = alerts.reached_rows().where(among(ReachedThreshold.id, kept)).order_by(ReachedThreshold.id)
    reached = [ReachedRow(*row) for row in session.execute(statement)]
    announcements = [
        Announcement(
            EventType.USAGE_THRESHOLD_REACHED,
            (REACHED, one.id),
            one.customer_id,
            event_id=f"evt_usage_threshold_{one.id}",
        )
        for one in reached
    ]
    announce(session, actor, announcements, now=now)
    return reached
