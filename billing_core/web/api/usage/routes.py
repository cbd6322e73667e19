"""Usage events for programs, /api/v1/usage: each route asks the service once."""

from typing import Annotated, Final

from fastapi import Query, Request
from starlette.responses import Response

from billing_core.customers import queries as customers
from billing_core.dates import utc_now
from billing_core.metering import ingestion, withdrawal
from billing_core.metering.late import listing
from billing_core.usage import late
from billing_core.web.api.access import CurrentCaller, Reading, Transaction
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.paging import MORE, next_page
from billing_core.web.api.routing import router as described_router
from billing_core.web.api.usage import requests, responses
from billing_core.web.api.usage.requests import (
    Atomic,
    EventId,
    GivenEvents,
    OrganizationName,
    StartingAfterEvent,
    Withdrawal,
)
from billing_core.web.requests.values import IN_DIGITS

router = described_router(prefix="/api/v1/usage", tags=["Usage"])
MOST_AT_ONCE: Final = 1_000


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


@router.post(
    # An id may have slashes in it.
    "/organizations/{org_id}/events/{id:path}/withdraw",
    response_model=responses.UsageWithdrawn,
    responses={
        404: {"description": "There is no such organization, or it has no such event"},
        409: {"description": "It was withdrawn before, or this Idempotency-Key is being used"},
    },
    summary="Withdraw a usage event",
)
def withdraw_usage_event(
    caller: CurrentCaller, session: Transaction, org_id: OrganizationName, event_id: EventId, given: Withdrawal
) -> Response:
    """It counts nowhere any more. Once: nothing brings it back, and its id stays taken."""
    customer = customers.named(session, caller.actor, org_id)
    outcome = withdrawal.withdraw(session, caller.actor, customer.id, event_id, reason=given.reason, now=utc_now())
    return ExactJSON(responses.withdrawn(outcome, customer.uuid))


@router.get(
    "/late",
    response_model=responses.LateEventList,
    responses={200: {"headers": MORE}},
    summary="List late and withdrawn usage events",
)
def list_late_events(
    request: Request,
    caller: CurrentCaller,
    session: Reading,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most"), IN_DIGITS] = MOST_AT_ONCE,
    starting_after: StartingAfterEvent = None,
) -> Response:
    """What came for a period that had been billed or was taken back from one, what that is worth and what became of
    it, of the organizations that the caller may see, by organization and time. An event that changed periods more than
    once, because it was taken back later or its quantity holds on, is listed once for each.
    """
    after = None if starting_after is None else requests.place_of(starting_after)
    rows = listing.late_events(session, caller.actor, after_event=after, limit=limit + 1)
    shown = rows[:limit]
    items = late.of_events(session, caller.actor, [(row.customer_id, row.id) for row in shown])
    events = [responses.late_event(row, item) for row in shown for item in items[row.customer_id, row.id]]
    answer: responses.LateEventList = {"events": events, "count": len(events)}
    more = next_page(request, requests.place_after(shown[-1])) if len(rows) > limit else None
    return ExactJSON(answer, headers=more)
