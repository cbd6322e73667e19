"""Receives the payment gateway's events: verified, stored, answered. They are processed later."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.jobs import incoming_webhook_processing
from billing_core.online_payments import configured
from billing_core.online_payments.stripe import signature as stripe_signature
from billing_core.online_payments.webhooks.group_commit import group_commit
from billing_core.online_payments.webhooks.refusals import refusals
from billing_core.settings import settings

router = APIRouter()


@router.post("/webhooks/stripe")
async def from_stripe(request: Request) -> JSONResponse:
    """200 once the event is stored, also where it was before. 400 where the signature does not prove its origin, 413
    where it is larger than any event.
    """
    try:
        payload = await request.body()
    except HTTPException as refusal:
        return _refused("too large" if refusal.status_code == 413 else "too slow", refusal.status_code)
    signature = request.headers.get("stripe-signature")
    try:
        await run_in_threadpool(_store, payload, signature)
    except Invalid as refusal:
        return _refused(str(refusal))
    incoming_webhook_processing.nudge()
    return JSONResponse({"received": True})


def _store(payload: bytes, signature: str | None) -> None:
    event = stripe_signature.verify(payload, signature, configured.webhook_secret(settings()))
    group_commit.store(runtime.sessions(), event, payload, now=utc_now())


def _refused(reason: str, status: int = 400) -> JSONResponse:
    refusals.note(reason, now=utc_now())
    return JSONResponse({"detail": f"This is not accepted as an event: {reason}"}, status)
