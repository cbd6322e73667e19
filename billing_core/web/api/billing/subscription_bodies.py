"""What the billing API v1 takes and answers about subscriptions, in its document's words."""

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StrictBool, WithJsonSchema, with_config
from typing_extensions import TypedDict

from billing_core.subscriptions.listing import SubscriptionRow
from billing_core.subscriptions.models import SubscriptionState
from billing_core.subscriptions.pricing import MOST_SEATS
from billing_core.subscriptions.service import LONGEST_TRIAL, Wanted
from billing_core.web.api.exact_json import Body, WholeNumber

_NEW: dict[str, Any] = {
    "customer_id": "cus_1234567890",
    "plan_id": "plan_pro_monthly",
    "payment_method_id": "pm_1234567890",
    "trial_days": 14,
}
_SUBSCRIPTION: dict[str, Any] = {
    "id": "sub_1234567890",
    "customer_id": "cus_1234567890",
    "plan_id": "plan_pro_monthly",
    "status": "trialing",
    "trial_end": "2024-01-29T10:30:00Z",
    "current_period_start": "2024-01-15T10:30:00Z",
    "current_period_end": "2024-02-15T10:30:00Z",
    "created_at": "2024-01-15T10:30:00Z",
    "currency": "USD",
    "seats": 1,
    "add_ons": {},
    "payment_method_id": "pm_1234567890",
    "promo_code": None,
    "cancel_at_period_end": False,
    "canceled_at": None,
    "paused_at": None,
}
Seats = Annotated[
    WholeNumber, Field(ge=1, le=MOST_SEATS), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST_SEATS})
]


class SubscriptionStatus(enum.StrEnum):
    """The states that are published."""

    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    CANCELED = "canceled"


class NewSubscription(Body):
    model_config = ConfigDict(json_schema_extra={"example": _NEW})

    customer_id: str = Field(min_length=1, description="The customer's `cus_…` id", examples=["cus_1234567890"])
    plan_id: str = Field(min_length=1, description="The plan's code", examples=["plan_pro_monthly"])
    payment_method_id: str = Field(min_length=1, description="The gateway's `pm_…` id", examples=["pm_card_visa"])
    trial_days: WholeNumber = Field(0, ge=0, le=LONGEST_TRIAL, description="Days before the first paid period")
    promo_code: str | None = Field(None, min_length=1, description="Reduces the plan's price")
    seats: Seats = Field(1, description="With those that the plan includes")
    add_ons: dict[str, Seats] = Field({}, description="How many of each add-on of the plan, by its code")

    def wanted(self) -> Wanted:
        return Wanted(
            self.customer_id, self.plan_id, self.trial_days, self.promo_code or "", self.seats, dict(self.add_ons)
        )


@with_config(json_schema_extra={"example": _SUBSCRIPTION})
class Subscription(TypedDict):
    """In its trial, the period is one interval from its creation on, whatever the trial's length; the end of the trial
    begins the first paid period. ``paused_at``: since then nothing is billed.
    """

    id: str
    customer_id: str
    plan_id: str
    status: SubscriptionStatus
    trial_end: datetime | None
    current_period_start: datetime
    current_period_end: datetime
    created_at: datetime
    currency: str
    seats: int
    add_ons: Mapping[str, int]
    payment_method_id: str | None
    promo_code: str | None
    cancel_at_period_end: StrictBool
    canceled_at: datetime | None
    paused_at: datetime | None


@with_config(json_schema_extra={"example": {"subscriptions": [_SUBSCRIPTION], "count": 1}})
class SubscriptionList(TypedDict):
    """``count`` subscriptions, the newest first; the ``Link`` header leads to the next page."""

    subscriptions: list[Subscription]
    count: int


def state(status: SubscriptionStatus | None) -> SubscriptionState | None:
    return None if status is None else SubscriptionState(status)


def subscription(row: SubscriptionRow) -> Subscription:
    return {
        "id": row.public_id,
        "customer_id": row.customer_id,
        "plan_id": row.plan_code,
        "status": SubscriptionStatus(row.state),
        "trial_end": row.trial_ends_at,
        "current_period_start": row.period_start,
        "current_period_end": row.period_end,
        "created_at": row.created_at,
        "currency": row.currency,
        "seats": row.seats,
        "add_ons": row.add_ons,
        "payment_method_id": row.payment_method,
        "promo_code": row.promo_code,
        "cancel_at_period_end": row.cancel_at_period_end,
        "canceled_at": row.canceled_at,
        "paused_at": row.paused_at,
    }


def documented_field(name: str) -> str:
    """As the document names a field."""
    return {"plan_code": "plan_id", "method": "payment_method_id"}.get(name, name)
