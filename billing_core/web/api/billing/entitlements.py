"""What a subscription entitles to, /v1/billing/subscriptions/{id}/entitlements."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import StrictBool, with_config
from starlette.responses import Response
from typing_extensions import TypedDict

from billing_core.subscriptions.overview import entitlements
from billing_core.subscriptions.overview.entitlements import Entitlements
from billing_core.web.api.access import CurrentCaller, Reading
from billing_core.web.api.billing.subscriptions import NOT_FOUND, SubscriptionId
from billing_core.web.api.exact_json import ExactJSON, WrittenNumber, number
from billing_core.web.api.routing import router as described_router

router = described_router(prefix="/v1/billing/subscriptions/{id}/entitlements", tags=["Subscriptions"])
_EXAMPLE: dict[str, Any] = {
    "subscription_id": "sub_1234567890",
    "active": True,
    "plan_id": "plan_pro_monthly",
    "plan_version": 1,
    "seats": 5,
    "add_ons": {"support": 1},
    "included": [{"meter": "api_calls", "bucket": None, "quantity": 10000}],
    "until": None,
}


class IncludedUsage(TypedDict):
    """So much of a meter, or of one of its buckets, costs nothing in each period."""

    meter: str
    bucket: str | None
    quantity: WrittenNumber


@with_config(json_schema_extra={"example": _EXAMPLE})
class SubscriptionEntitlements(TypedDict):
    """``active``: the customer is entitled to it now: in a trial, while it is paid, and while charges are tried again.
    ``until``: when it ends, or ended; null where no end is known.
    """

    subscription_id: str
    active: StrictBool
    plan_id: str
    plan_version: int
    seats: int
    add_ons: Mapping[str, int]
    included: list[IncludedUsage]
    until: datetime | None


@router.get(
    "",
    response_model=SubscriptionEntitlements,
    responses=NOT_FOUND,
    summary="Get what a subscription entitles to",
)
def get_entitlements(caller: CurrentCaller, session: Reading, subscription_id: SubscriptionId) -> Response:
    """For programs that let people in, and count seats and usage."""
    return ExactJSON(_answer(entitlements.of(session, caller.actor, subscription_id)))


def _answer(found: Entitlements) -> SubscriptionEntitlements:
    return {
        "subscription_id": found.public_id,
        "active": found.active,
        "plan_id": found.plan_code,
        "plan_version": found.version,
        "seats": found.seats,
        "add_ons": found.add_ons,
        "included": [
            {"meter": one.meter, "bucket": one.bucket or None, "quantity": number(one.quantity)}
            for one in found.included
        ],
        "until": found.until,
    }
