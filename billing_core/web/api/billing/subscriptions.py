"""Subscriptions of the billing API v1: POST /v1/billing/subscribe, and /v1/billing/subscriptions."""

import hashlib
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.online_payments import configured
from billing_core.online_payments.gateway import Declined
from billing_core.settings import settings
from billing_core.subscriptions import listing, signing_up
from billing_core.web.api.access import Caller, CurrentCaller, Reading
from billing_core.web.api.billing import subscription_bodies as bodies
from billing_core.web.api.billing.subscription_bodies import (
    NewSubscription,
    Subscription,
    SubscriptionList,
    SubscriptionStatus,
)
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.invoices.requests import with_documented_fields
from billing_core.web.api.paging import MORE, next_page
from billing_core.web.api.routing import router as described_router
from billing_core.web.requests.values import IN_DIGITS

router = described_router(prefix="/v1/billing", tags=["Subscriptions"])

DEFAULT_LIMIT: Final = 20
MOST_AT_ONCE: Final = 100
_ADDRESS: Final = "/v1/billing/subscriptions"
_CREATED: dict[int | str, dict[str, Any]] = {
    201: {"headers": {"Location": {"description": "The subscription's address", "schema": {"type": "string"}}}},
    402: {"description": "The payment method, or the first charge to it, was refused: nothing was created"},
    404: {"description": "There is no such customer or plan, or the caller may not see it"},
    409: {
        "description": "The first charge for the same customer and plan is under way, or this Idempotency-Key is being "
        "used"
    },
    502: {
        "description": "The gateway does not answer: the same request with the same Idempotency-Key goes on with what "
        "this one has begun"
    },
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such subscription, or the caller may not see it"}
}
SubscriptionId = Annotated[str, Path(alias="id", description="The subscription's id", examples=["sub_1234567890"])]


@router.post(
    "/subscribe", status_code=201, response_model=Subscription, responses=_CREATED, summary="Create a subscription"
)
def create_subscription(request: Request, caller: CurrentCaller, given: NewSubscription) -> Response:
    """Without a trial the first period is charged at once, and nothing is created where that fails."""
    sessions = runtime.sessions()
    gateway = configured.gateway(sessions, settings())
    try:
        public_id = signing_up.subscribe(
            sessions,
            caller.actor,
            gateway,
            given.wanted(),
            method=given.payment_method_id,
            request_key=_request_key(request, caller, given),
            now=utc_now(),
        )
    except Declined as refusal:
        raise HTTPException(402, str(refusal)) from None
    except Invalid as refusal:
        raise with_documented_fields(refusal, bodies.documented_field) from None
    with sessions() as session:
        answer = bodies.subscription(listing.one(session, caller.actor, public_id))
    return ExactJSON(answer, 201, {"Location": f"{_ADDRESS}/{public_id}"})


@router.get(
    "/subscriptions",
    response_model=SubscriptionList,
    responses={200: {"headers": MORE}, **NOT_FOUND},
    summary="List subscriptions",
)
def list_subscriptions(
    request: Request,
    caller: CurrentCaller,
    session: Reading,
    customer_id: Annotated[str | None, Query(description="Only this customer's", examples=["cus_1234567890"])] = None,
    status: Annotated[SubscriptionStatus | None, Query(description="Only those of this status")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most"), IN_DIGITS] = DEFAULT_LIMIT,
    starting_after: Annotated[str | None, Query(description="The `id` that the page before ended with")] = None,
) -> Response:
    """The newest first."""
    rows = listing.page(
        session,
        caller.actor,
        customer_id=customer_id,
        state=bodies.state(status),
        limit=limit + 1,
        after=starting_after,
    )
    shown = [bodies.subscription(row) for row in rows[:limit]]
    headers = next_page(request, shown[-1]["id"]) if len(rows) > limit else {}
    return ExactJSON({"subscriptions": shown, "count": len(shown)}, headers=headers)


@router.get("/subscriptions/{id}", response_model=Subscription, responses=NOT_FOUND, summary="Get a subscription")
def get_subscription(caller: CurrentCaller, session: Reading, subscription_id: SubscriptionId) -> Response:
    """Whatever its status is."""
    return ExactJSON(bodies.subscription(listing.one(session, caller.actor, subscription_id)))


def _request_key(request: Request, caller: Caller, given: NewSubscription) -> str | None:
    """Names a request that may be repeated: the customer is charged by it once, also where no answer was stored."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    return hashlib.sha256("\0".join((caller.limit_key, key, given.model_dump_json())).encode()).hexdigest()
