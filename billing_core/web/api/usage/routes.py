"""Usage events for programs, /api/v1/usage: each route asks the service once."""

from starlette.responses import Response

from billing_core.dates import utc_now
from billing_core.metering import ingestion
from billing_core.web.api.access import CurrentCaller, Transaction
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.routing import router as described_router
from billing_core.web.api.usage import requests, responses
from billing_core.web.api.usage.requests import Atomic, GivenEvents

router = described_router(prefix="/api/v1/usage", tags=["Usage"])


@router.post(
    "/events",
    response_model=responses.UsageRecorded,
    openapi_extra={"requestBody": requests.BODY},
    responses={
        400: {"description": "Nothing was kept, or the body cannot be read; `fields` name index and field"},
        409: {"description": "Nothing was kept: an id is that of an event with other content"},
        413: {"description": "The body is larger than 10 MiB"},
    },
    summary="Record usage events",
)
def record_usage_events(
    caller: CurrentCaller, given: GivenEvents, session: Transaction, atomic: Atomic = False
) -> Response:
    """Each counts once, however often it is sent. Of a batch the good ones are kept, unless `atomic` says otherwise."""
    recorded = ingestion.record(session, caller.actor, given, now=utc_now(), atomic=atomic)
    if recorded.refused and len(recorded.refused) == len(given):
        ingestion.refuse(recorded.refused)
    return ExactJSON(responses.recorded(recorded))
