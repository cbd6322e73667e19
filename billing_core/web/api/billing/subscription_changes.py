"""Changing subscriptions, for programs: /v1/billing/subscriptions/{id}/preview, change, cancel, pause, resume …"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import Actor
from billing_core.online_payments import configured
from billing_core.online_payments.gateway import Declined
from billing_core.settings import settings
from billing_core.subscriptions import listing as subscriptions
from billing_core.subscriptions.changes import cancelling, changing, listing, pausing, paying
from billing_core.subscriptions.changes.changing import Outdated
from billing_core.web.api.access import CurrentCaller, Reading, Transaction, claim_of
from billing_core.web.api.billing import cancel_bodies, subscription_bodies
from billing_core.web.api.billing import change_bodies as bodies
from billing_core.web.api.billing.cancel_bodies import AskedCancellation, CancelConflict, Cancellation, CancelPreview
from billing_core.web.api.billing.change_bodies import (
    AskedChange,
    Change,
    ChangeConflict,
    ChangeId,
    ChangeList,
    ChangePreview,
    NewPaymentMethod,
    WantedChange,
)
from billing_core.web.api.billing.subscription_bodies import Subscription
from billing_core.web.api.billing.subscriptions import NOT_FOUND, SubscriptionId
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.invoices.requests import with_documented_fields
from billing_core.web.api.paging import MORE, next_page
from billing_core.web.api.routing import router as described_router
from billing_core.web.requests.values import IN_DIGITS

router = described_router(prefix="/v1/billing/subscriptions/{id}", tags=["Subscriptions"])

DEFAULT_LIMIT: Final = 20
MOST_AT_ONCE: Final = 100
_UNANSWERED: Final[dict[int | str, dict[str, Any]]] = {
    502: {"description": "The gateway does not answer: what was begun is completed later. Sent again it is done once"}
}
_OVER: dict[int | str, dict[str, Any]] = {
    **NOT_FOUND,
    409: {
        "description": "It is canceled, something else happens to it just now, or this Idempotency-Key is being used"
    },
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    **NOT_FOUND,
    **_UNANSWERED,
    402: {"description": "What is due now was refused: nothing has changed"},
    409: {
        "model": ChangeConflict,
        "description": "It comes not to what the token stands for but to `preview`, or it cannot be changed now",
    },
}
_NOT_CANCELED: dict[int | str, dict[str, Any]] = {
    **NOT_FOUND,
    409: {
        "model": CancelConflict,
        "description": "It comes not to what the token stands for but to `preview`, or it cannot be canceled now",
    },
}
_ChangeId = Annotated[ChangeId, Path(description="The change's id", examples=[7])]


@router.post("/preview", response_model=ChangePreview, responses=_OVER, summary="Preview a change")
def preview_change(
    caller: CurrentCaller, session: Reading, subscription_id: SubscriptionId, given: WantedChange
) -> Response:
    """Nothing is changed. It is computed as the change itself is."""
    with _documented():
        proposal = changing.preview(session, caller.actor, subscription_id, given.wanted(), now=utc_now())
    return ExactJSON(bodies.preview(proposal))


@router.post("/change", response_model=Change, responses=_REFUSED, summary="Change a subscription")
def change_subscription(
    request: Request, caller: CurrentCaller, subscription_id: SubscriptionId, given: AskedChange
) -> Response:
    """What is due now is charged before anything changes. Without a payment method the invoice is sent, and the change
    holds at once.
    """
    sessions = runtime.sessions()
    gateway = configured.gateway(sessions, settings())
    try:
        with _documented():
            change_id = changing.change(
                sessions,
                caller.actor,
                gateway,
                subscription_id,
                given.wanted(),
                token=given.token,
                claim=claim_of(request),
                now=utc_now(),
            )
    except Outdated as refusal:
        return ExactJSON({"detail": str(refusal), "preview": bodies.preview(refusal.proposal)}, 409)
    with sessions() as session:
        return ExactJSON(bodies.change(listing.one(session, caller.actor, subscription_id, change_id)))


@router.get(
    "/changes",
    response_model=ChangeList,
    responses={200: {"headers": MORE}, **NOT_FOUND},
    summary="List the changes of a subscription",
)
def list_subscription_changes(
    request: Request,
    caller: CurrentCaller,
    session: Reading,
    subscription_id: SubscriptionId,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most"), IN_DIGITS] = DEFAULT_LIMIT,
    starting_after: Annotated[ChangeId | None, Query(description="The `id` that the page before ended with")] = None,
) -> Response:
    """The newest first, with those that are scheduled, failed or withdrawn."""
    rows = listing.page(session, caller.actor, subscription_id, limit=limit + 1, after=starting_after)
    shown = [bodies.change(row) for row in rows[:limit]]
    headers = next_page(request, str(shown[-1]["id"])) if len(rows) > limit else {}
    return ExactJSON({"changes": shown, "count": len(shown)}, headers=headers)


@router.post(
    "/changes/{change_id}/withdraw", response_model=Change, responses=_OVER, summary="Withdraw a scheduled change"
)
def withdraw_subscription_change(
    caller: CurrentCaller, session: Transaction, subscription_id: SubscriptionId, change_id: _ChangeId
) -> Response:
    """It will not begin. What has begun is changed by another change."""
    mode = configured.mode(settings())
    changing.withdraw(session, caller.actor, subscription_id, change_id, mode=mode, now=utc_now())
    return ExactJSON(bodies.change(listing.one(session, caller.actor, subscription_id, change_id)))


@router.post("/cancel/preview", response_model=CancelPreview, responses=_OVER, summary="Preview a cancellation")
def preview_cancellation(
    caller: CurrentCaller, session: Reading, subscription_id: SubscriptionId, given: Cancellation
) -> Response:
    """Nothing is changed. It is computed as the cancellation itself is."""
    mode = configured.mode(settings())
    found = cancelling.preview(session, caller.actor, subscription_id, given.ending(), mode=mode, now=utc_now())
    return ExactJSON(cancel_bodies.preview(found))


@router.post(
    "/cancel", response_model=Subscription, responses=_NOT_CANCELED | _UNANSWERED, summary="Cancel a subscription"
)
def cancel_subscription(
    request: Request, caller: CurrentCaller, subscription_id: SubscriptionId, given: AskedCancellation
) -> Response:
    """At the end of its period, or at once; then it is final, and no card is charged any more."""
    sessions = runtime.sessions()
    gateway = configured.gateway(sessions, settings())
    try:
        cancelling.cancel(
            sessions,
            caller.actor,
            gateway,
            subscription_id,
            given.ending(),
            token=given.token,
            claim=claim_of(request),
            now=utc_now(),
        )
    except cancelling.Outdated as refusal:
        return ExactJSON({"detail": str(refusal), "preview": cancel_bodies.preview(refusal.closing)}, 409)
    return _shown(caller.actor, subscription_id)


@router.post("/pause", response_model=Subscription, responses=_OVER, summary="Pause a subscription")
def pause_subscription(caller: CurrentCaller, session: Transaction, subscription_id: SubscriptionId) -> Response:
    """Periods that begin while it is paused are not billed; what was billed before is still collected."""
    pausing.pause(session, caller.actor, subscription_id, now=utc_now())
    row = subscriptions.one(session, caller.actor, subscription_id)
    return ExactJSON(subscription_bodies.subscription(row))


@router.post("/resume", response_model=Subscription, responses=_OVER, summary="Resume a subscription")
def resume_subscription(caller: CurrentCaller, session: Transaction, subscription_id: SubscriptionId) -> Response:
    """It is billed again from its next period on, and not cancelled at the end of the present one."""
    pausing.resume(session, caller.actor, subscription_id, now=utc_now())
    row = subscriptions.one(session, caller.actor, subscription_id)
    return ExactJSON(subscription_bodies.subscription(row))


@router.post(
    "/payment-method",
    response_model=Subscription,
    responses=_OVER | _UNANSWERED | {402: {"description": "The payment method was refused: nothing has changed"}},
    summary="Charge another payment method",
)
def replace_payment_method(
    request: Request, caller: CurrentCaller, subscription_id: SubscriptionId, given: NewPaymentMethod
) -> Response:
    """It is charged from now on, and at once for what an earlier one did not pay; the answer's `status` tells."""
    sessions = runtime.sessions()
    gateway = configured.gateway(sessions, settings())
    method, claim = given.payment_method_id, claim_of(request)
    with _documented():
        paying.replace(sessions, caller.actor, gateway, subscription_id, method, claim=claim, now=utc_now())
    return _shown(caller.actor, subscription_id)


@contextmanager
def _documented() -> Iterator[None]:
    """Refusals as they are documented."""
    try:
        yield
    except Declined as refusal:
        raise HTTPException(402, str(refusal)) from None
    except Invalid as refusal:
        raise with_documented_fields(refusal, subscription_bodies.documented_field) from None


def _shown(actor: Actor, subscription_id: str) -> Response:
    with runtime.sessions()() as session:
        return ExactJSON(subscription_bodies.subscription(subscriptions.one(session, actor, subscription_id)))
