"""A threshold that usage has reached, as webhooks tell of it."""

from datetime import UTC
from decimal import Decimal
from typing import Any, Final

from pydantic import with_config
from typing_extensions import TypedDict

from billing_core.metering.alerts import AlertMeasure
from billing_core.money import Money
from billing_core.usage.alerts import ReachedRow
from billing_core.usage.document import plain

EXAMPLE: Final[dict[str, Any]] = {
    "object": "usage_threshold",
    "organization_id": "123e4567-e89b-12d3-a456-426614174000",
    "customer_ref": "ACME",
    "measure": "allowance",
    "threshold": 80,
    "currency": None,
    "start_date": "2023-10-01",
    "end_date": "2023-10-31",
    "api_calls": 8123,
    "included_api_calls": 10000,
    "cost": 0,
    "cost_currency": "USD",
    "reached_at": "2023-10-24T09:30:00Z",
}


@with_config(json_schema_extra={"example": EXAMPLE})
class UsageThreshold(TypedDict):
    """How things stood when it was reached, which stays. ``threshold`` is percent of the included calls, calls, or an
    amount of ``currency``; ``cost`` null where nothing has a price.
    """

    object: str
    organization_id: str
    customer_ref: str
    measure: str
    threshold: Decimal | int
    currency: str | None
    start_date: str
    end_date: str
    api_calls: int
    included_api_calls: int
    cost: Decimal | None
    cost_currency: str | None
    reached_at: str


def published(reached: ReachedRow) -> UsageThreshold:
    of_cost = reached.measure is AlertMeasure.COST
    cost = None if reached.cost_minor is None else plain(Money(reached.cost_minor, reached.currency).amount)
    return {
        "object": "usage_threshold",
        "organization_id": reached.customer_uuid,
        "customer_ref": reached.customer_ref,
        "measure": reached.measure.value,
        "threshold": plain(Money(reached.threshold, reached.alert_currency).amount) if of_cost else reached.threshold,
        "currency": reached.alert_currency or None,
        "start_date": reached.first_day.isoformat(),
        "end_date": reached.last_day.isoformat(),
        "api_calls": reached.calls,
        "included_api_calls": reached.included_calls,
        "cost": cost,
        "cost_currency": reached.currency or None,
        "reached_at": reached.reached_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
