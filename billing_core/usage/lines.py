"""The lines that billed periods of usage are made of."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.models import PLACES, Meter, UsagePeriod
from billing_core.money import Money
from billing_core.plans.models import Plan, PlanVersion
from billing_core.usage.charges import Part
from billing_core.usage.models import UsageLine
from billing_core.usage.wording import line_words


@dataclass(frozen=True, slots=True)
class Line:
    """What a meter came to on days of a billed period, by one version of a plan."""

    id: int
    period_id: int
    customer_id: int
    meter_id: int
    meter: str
    meter_name: str
    first_day: date
    last_day: date
    plan: str
    version: int
    quantity: Decimal
    included: Decimal
    parts: tuple[Part, ...]
    amount: Money

    def words(self, language: str) -> str:
        """As on the invoice."""
        return line_words(
            self.meter,
            self.meter_name,
            Period(self.first_day, self.last_day),
            quantity=self.quantity,
            included=self.included,
            parts=self.parts,
            currency=self.amount.currency,
            language=language,
        )


def of_periods(session: Session, actor: Actor, period_ids: Collection[int]) -> dict[int, list[Line]]:
    """The lines of each of these billed periods, in order."""
    actor.require(Permission.USAGE_READ)
    statement = (
        select(UsageLine, UsagePeriod.customer_id, Meter.code, Meter.name, Plan.code, PlanVersion.number)
        .join(UsagePeriod, UsagePeriod.id == UsageLine.period_id)
        .join(Meter, Meter.id == UsageLine.meter_id)
        .join(PlanVersion, PlanVersion.id == UsageLine.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(among(UsageLine.period_id, period_ids), visible_to(actor, UsagePeriod.customer_id))
        .order_by(UsageLine.period_id, UsageLine.position)
    )
    lines: dict[int, list[Line]] = {period_id: [] for period_id in period_ids}
    for row, customer_id, meter, name, plan, version in session.execute(statement):
        lines[row.period_id].append(
            Line(
                row.id,
                row.period_id,
                customer_id,
                row.meter_id,
                meter,
                name,
                row.first_day,
                row.last_day,
                plan,
                version,
                row.whole + Decimal(row.millionths).scaleb(-PLACES),
                row.included,
                tuple(Part(Decimal(part["quantity"]), Decimal(part["price"])) for part in row.parts),
                Money(row.amount_minor, row.currency),
            )
        )
    return lines
