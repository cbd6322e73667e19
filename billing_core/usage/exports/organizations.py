"""What organizations used in a month as a file."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy.orm import Session

from billing_core.identity.permissions import Actor, Permission
from billing_core.plans import queries as plans
from billing_core.reports.exports.formats import Download, csv_list
from billing_core.usage import overview
from billing_core.usage.organizations import NO_TIER
from billing_core.usage.overview import Allowance, Month, OverviewFilter

COLUMNS: Final = (
    "customer_id",
    "customer_ref",
    "customer_name",
    "plan",
    "month",
    "calls",
    "included_calls",
    "overage_calls",
    "cost",
    "currency",
    "questions",
    "forecast_calls",
    "forecast_low",
    "forecast_high",
    "expected_cost",
    "exceeded_on",
)


def organizations(
    session: Session,
    actor: Actor,
    chosen: OverviewFilter,
    allowance: Allowance | None,
    *,
    today: date,
    for_excel: bool = False,
) -> Download:
    """Every organization that matches, in the requested order: the page's list without its limit."""
    actor.require(Permission.EXPORT)
    if chosen.plan != NO_TIER:
        plans.must_be_one(session, actor, chosen.plan)
    months = overview.each(session, actor, chosen, today=today)
    rows = _rows(month for month in months if allowance is None or month.exceeds is allowance)
    return csv_list(f"usage-{chosen.month:%Y-%m}.csv", COLUMNS, rows, for_excel=for_excel)


def _rows(months: Iterator[Month]) -> Iterator[Sequence[Any]]:
    for month in months:
        organization, forecast = month.organization, month.forecast
        yield (
            organization.customer_id,
            organization.ref,
            organization.name,
            month.plan,
            f"{month.period.start:%Y-%m}",
            month.calls,
            month.included_calls,
            month.overage_calls,
            month.cost and month.cost.amount,
            month.currency,
            len(month.questions),
            forecast and forecast.calls,
            forecast and forecast.low,
            forecast and forecast.high,
            month.expected_cost and month.expected_cost.amount,
            month.exceeded_on,
        )
