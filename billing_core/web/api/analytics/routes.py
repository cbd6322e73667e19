"""The published analytics API, /api/v1/analytics: what an organization used, what it costs, and both together."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import with_config
from sqlalchemy import Connection
from starlette.responses import Response
from typing_extensions import TypedDict

from billing_core import runtime
from billing_core.database.engine import read_at_one_moment
from billing_core.dates import Period, utc_now
from billing_core.errors import Invalid
from billing_core.identity import Actor
from billing_core.metering import digests
from billing_core.metering import queries as metering
from billing_core.metering.models import ZoneKind
from billing_core.metering.queries import Day
from billing_core.usage import document, organizations
from billing_core.usage import statement as statements
from billing_core.usage.exports import events as exports
from billing_core.usage.organizations import Organization
from billing_core.usage.windows import Window
from billing_core.web.api.access import caller_of
from billing_core.web.api.analytics.requests import End, OrganizationId, Start, StartingAfterDay
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.paging import MORE, next_page
from billing_core.web.api.problems import REFERENCE, fails_with
from billing_core.web.api.routing import router as described_router
from billing_core.web.api.usage_events import EVENT, UsageEvent, listed
from billing_core.web.requests.values import IN_DIGITS

router = described_router(prefix="/api/v1/analytics", tags=["Analytics"])

_NOT_THEIR_INVOICE = "Cannot generate invoices for other organizations"
_NOT_THEIR_USAGE = "Cannot view the usage of other organizations"
_NOT_THEIR_BILLING = "Cannot view the billing of other organizations"

_DAY: dict[str, Any] = {
    "date": "2023-10-01",
    "active_users": 11,
    "total_api_calls": 402,
    "average_response_time": 0.42,
    "digest": "9c1185a5c5e9fc54612808977ee8f548",
}
_DAYS: dict[str, Any] = {
    "organization_id": document.ID,
    "period": {"start_date": "2023-10-01T00:00:00", "end_date": "2023-10-01T23:59:59"},
    "days": [_DAY],
}
_EVENTS: dict[str, Any] = {
    "organization_id": document.ID,
    "period": {"start_date": "2023-10-01T00:00:00", "end_date": "2023-10-31T23:59:59"},
    "events": [EVENT],
    "count": 1,
}
MOST_EVENTS = 1_000


class UsageDay(TypedDict):
    """A day of UTC. ``digest``: of all its events that count, by which a list of them can be told to be whole; null
    without any, and where only totals are known.
    """

    date: date
    active_users: int
    total_api_calls: int
    average_response_time: document.Number
    digest: str | None


@with_config(json_schema_extra={"example": _DAYS})
class UsageDays(TypedDict):
    """Each day that the period touches, whole, also where nothing was called."""

    organization_id: str
    period: document.UsagePeriod
    days: list[UsageDay]


@with_config(json_schema_extra={"example": _EVENTS})
class UsageEvents(TypedDict):
    """``count`` events, in the order of time; the ``Link`` header leads to those that follow."""

    organization_id: str
    period: document.UsagePeriod
    events: list[UsageEvent]
    count: int


@router.get(
    "/billing/invoice/{org_id}",
    response_model=document.InvoiceDocument,
    summary="Generate the invoice document of an organization's usage",
)
@fails_with(f"Failed to generate invoice: {REFERENCE}")
def get_usage_invoice(request: Request, org_id: OrganizationId, start: Start = None, end: End = None) -> Response:
    """A statement, not an invoice of ours: the same month has the same number, which enters no series."""
    with _reading(request, org_id, start, end, _NOT_THEIR_INVOICE) as (reading, actor, organization, asked):
        stated = statements.statement(reading, actor, organization, asked, now=utc_now())
    return ExactJSON(document.invoice(stated))


@router.get(
    "/usage/{org_id}",
    response_model=document.OrganizationUsage,
    summary="Get what an organization used",
)
@fails_with(f"Failed to get usage: {REFERENCE}")
def get_organization_usage(request: Request, org_id: OrganizationId, start: Start = None, end: End = None) -> Response:
    """Users, calls and response times."""
    with _reading(request, org_id, start, end, _NOT_THEIR_USAGE) as (reading, actor, organization, asked):
        used = statements.usage_in(reading, actor, organization, asked)
    return ExactJSON(document.usage(organization, asked, used))


@router.get(
    "/billing/{org_id}",
    response_model=document.OrganizationBilling,
    summary="Get what an organization's usage costs",
)
@fails_with(f"Failed to get billing: {REFERENCE}")
def get_organization_billing(
    request: Request, org_id: OrganizationId, start: Start = None, end: End = None
) -> Response:
    """Calls, allowance, price and cost by the plans that the organization was on."""
    with _reading(request, org_id, start, end, _NOT_THEIR_BILLING) as (reading, actor, organization, asked):
        calls = statements.usage_in(reading, actor, organization, asked).calls
        bill = statements.bill_of(reading, actor, organization, asked, calls=calls)
    return ExactJSON(document.billing(bill, asked))


@router.get(
    "/usage/{org_id}/daily",
    response_model=UsageDays,
    responses={200: {"headers": MORE}},
    summary="Get an organization's usage by day",
)
@fails_with(f"Failed to get usage: {REFERENCE}")
def list_usage_days(
    request: Request,
    org_id: OrganizationId,
    start: Start = None,
    end: End = None,
    limit: Annotated[
        int, Query(ge=1, le=metering.MOST_DAYS, description="How many days at most"), IN_DIGITS
    ] = metering.MOST_DAYS,
    starting_after: StartingAfterDay = None,
) -> Response:
    """A row for each UTC day that the period touches."""
    days: list[Day] = []
    digest_of: dict[date, str] = {}
    more = None
    with _reading(request, org_id, start, end, _NOT_THEIR_USAGE) as (reading, actor, organization, asked):
        first = asked.days.start
        if starting_after is not None:
            first = max(first, min(starting_after, asked.days.end) + timedelta(days=1))
        if first <= asked.days.end:
            last = min(asked.days.end, first + timedelta(days=limit - 1))
            shown = Period(first, last)
            days = metering.daily(reading, actor, organization.customer_id, shown)
            kept = digests.of_days(reading, actor, organization.customer_id, shown)
            digest_of = {one.day: one.digest for one in kept}
            more = next_page(request, last.isoformat()) if last < asked.days.end else None
    answer: UsageDays = {
        "organization_id": organization.uuid,
        "period": document.period(asked),
        "days": [_day(day, digest_of.get(day.day)) for day in days],
    }
    return ExactJSON(answer, headers=more)


@router.get(
    "/usage/{org_id}/events",
    response_model=UsageEvents,
    responses={200: {"headers": MORE}},
    summary="List the events of an organization's usage",
)
@fails_with(f"Failed to get usage: {REFERENCE}")
def list_usage_events(
    request: Request,
    org_id: OrganizationId,
    start: Start = None,
    end: End = None,
    user: Annotated[str | None, Query(max_length=255, description="Only those of this user")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_EVENTS, description="How many at most"), IN_DIGITS] = MOST_EVENTS,
    starting_after: Annotated[
        str | None, Query(max_length=255, description="The `id` that the page before ended with")
    ] = None,
) -> Response:
    """Each as it was told, withdrawn ones too. Refused where some of them are archived."""
    with _reading(request, org_id, start, end, _NOT_THEIR_USAGE) as (reading, actor, organization, asked):
        customer_id, place = organization.customer_id, None
        if why := exports.missing(reading, actor, customer_id, asked.days, zone_kind=ZoneKind.UTC):
            raise Invalid(why)
        if starting_after is not None:
            place = metering.time_of(reading, actor, customer_id, starting_after), starting_after
        rows = metering.events(
            reading,
            actor,
            customer_id,
            start=asked.start,
            end=asked.end,
            user=user,
            after_event=place,
            limit=limit + 1,
        )
    shown = rows[:limit]
    answer: UsageEvents = {
        "organization_id": organization.uuid,
        "period": document.period(asked),
        "events": [listed(row) for row in shown],
        "count": len(shown),
    }
    return ExactJSON(answer, headers=next_page(request, shown[-1].id) if len(rows) > limit else None)


def _day(day: Day, digest: str | None) -> UsageDay:
    return {
        "date": day.day,
        "active_users": day.active_users,
        "total_api_calls": day.calls,
        "average_response_time": document.plain(statements.average_response_time(day)),
        "digest": digest,
    }


@contextmanager
def _reading(
    request: Request, org_id: str, start: datetime | None, end: datetime | None, refusal: str
) -> Iterator[tuple[Connection, Actor, Organization, Window]]:
    """Who calls, and the organization as on the last day of what was asked for, for those who may see it."""
    # Not dependencies: one that reads would change threads twice, and any costs a third of a statement.
    actor = caller_of(request).actor
    asked = Window.asked(start, end, now=utc_now())
    with runtime.sessions().reading() as reading:
        read_at_one_moment(reading)
        organization = organizations.own_or_any(reading, actor, org_id, day=asked.days.end, refusal=refusal)
        yield reading, actor, organization, asked
