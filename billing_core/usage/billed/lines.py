"""The lines that billed periods of usage are made of."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.errors import NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.models import PLACES, Aggregation, Meter, MeterBucket, UsagePeriod
from billing_core.money import Money
from billing_core.plans.models import Plan, PlanVersion
from billing_core.usage.billed.wording import line_words
from billing_core.usage.models import UsageLine
from billing_core.usage.parts import Part


@dataclass(frozen=True, slots=True)
class Line:
    """What a meter came to on days of a billed period, by one version of a plan; the fields as in ``UsageLine``."""

    id: int
    period_id: int
    customer_id: int
    meter_id: int
    meter: str
    meter_name: str
    bucket_id: int
    bucket_name: str
    aggregation: Aggregation
    first_day: date
    last_day: date
    plan: str
    version: int
    quantity: Decimal
    included: Decimal
    parts: tuple[Part, ...]
    amount: Money
    held_event_id: str | None
    settlement_id: int | None

    def words(self, language: str) -> str:
        """As on the invoice, where each of its parts may have a line."""
        return line_words(
            self.meter,
            self.meter_name,
            Period(self.first_day, self.last_day),
            bucket=self.bucket_name,
            quantity=self.quantity,
            included=self.included,
            parts=self.parts,
            currency=self.amount.currency,
            language=language,
        )


def one(session: Session, actor: Actor, line_id: int) -> Line:
    """A line by its id; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.USAGE_READ)
    for line in _read(session, actor, UsageLine.id == line_id):
        return line
    raise NotFound(f"There is no line {line_id} of usage")


def of_periods(session: Session, actor: Actor, period_ids: Collection[int]) -> dict[int, list[Line]]:
    """The lines with which each of these periods was billed, in order."""
    actor.require(Permission.USAGE_READ)
    lines: dict[int, list[Line]] = {period_id: [] for period_id in period_ids}
    for line in _read(session, actor, among(UsageLine.period_id, period_ids) & UsageLine.settlement_id.is_(None)):
        lines[line.period_id].append(line)
    return lines


def _read(session: Session, actor: Actor, chosen: ColumnElement[bool]) -> Iterator[Line]:
    statement = (
        select(UsageLine, UsagePeriod.customer_id, Meter, MeterBucket.name, Plan.code, PlanVersion.number)
        .join(UsagePeriod, UsagePeriod.id == UsageLine.period_id)
        .join(Meter, Meter.id == UsageLine.meter_id)
        .outerjoin(MeterBucket, MeterBucket.id == UsageLine.bucket_id)
        .join(PlanVersion, PlanVersion.id == UsageLine.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(chosen, visible_to(actor, UsagePeriod.customer_id))
        .order_by(UsageLine.period_id, UsageLine.position)
    )
    for row, customer_id, meter, bucket, plan, version in session.execute(statement):
        yield Line(
            id=row.id,
            period_id=row.period_id,
            customer_id=customer_id,
            meter_id=row.meter_id,
            meter=meter.code,
            meter_name=meter.name,
            bucket_id=row.bucket_id,
            bucket_name=bucket or "",
            aggregation=meter.aggregation,
            first_day=row.first_day,
            last_day=row.last_day,
            plan=plan,
            version=version,
            quantity=row.whole + Decimal(row.millionths).scaleb(-PLACES),
            included=row.included,
            parts=tuple(map(Part.read, row.parts)),
            amount=Money(row.amount_minor, row.currency),
            held_event_id=row.held_event_id,
            settlement_id=row.settlement_id,
        )
