"""What organizations used, as figures: a number and the rows that it is the sum of."""

from typing import Any

from sqlalchemy import BigInteger, Select, func, select, type_coerce

from billing_core.customers.models import Customer
from billing_core.figures import NO_CURRENCY, Figure, Scope, bound, select_rows
from billing_core.identity import Permission
from billing_core.metering.models import API_CALLS, Meter, UsageDay, ZoneKind


def _calls(scope: Scope) -> Select[*tuple[Any, ...]]:
    calls = func.sum(type_coerce(UsageDay.calls, BigInteger))
    rows = (
        select_rows(UsageDay.customer_id, Customer.name, UsageDay.day, NO_CURRENCY, calls)
        .join_from(UsageDay, Customer, Customer.id == UsageDay.customer_id)
        .where(
            UsageDay.zone_kind == ZoneKind.BILLING,
            UsageDay.meter_id == select(Meter.id).where(Meter.code == API_CALLS).scalar_subquery(),
        )
        .group_by(UsageDay.customer_id, Customer.name, UsageDay.day)
    )
    if scope.period is not None:
        rows = rows.where(scope.period.contains(UsageDay.day))
    return bound(rows, scope, UsageDay.customer_id)


CALLS = Figure(
    key="api_calls",
    title="API calls",
    definition="Calls that nobody has withdrawn, on the days of the organization's billing zone.",
    formula="Sum of the calls of each day",
    permission=Permission.USAGE_READ,
    rows=_calls,
    opens="/usage?organization={id}",
)

FIGURES = (CALLS,)
