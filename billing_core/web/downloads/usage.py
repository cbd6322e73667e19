"""What organizations used, as a file, streamed under the permissions of the signed-in session."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from billing_core.businesses.queries import today
from billing_core.dates import Period, first_of_month, utc_now
from billing_core.reports.exports.formats import Download
from billing_core.usage.exports import events
from billing_core.usage.exports.organizations import organizations
from billing_core.usage.overview import Allowance, OverviewFilter
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.named import known
from billing_core.web.downloads.parameters import ForExcel, Id, Text
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.requests.values import Day
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads", route_class=StrictRoute, dependencies=[Depends(known)])


class _Usage(BaseModel):
    # Any of its days.
    month: Day
    text: Text = ""
    plan: Text = ""
    customer_id: Id | None = None
    order_by: Text = "name"


def _filter(query: Annotated[_Usage, Query()]) -> OverviewFilter:
    return OverviewFilter(**{**dict(query), "month": first_of_month(query.month)})


@router.get("/usage.csv")
def usage_of_organizations(
    actor: CurrentActor,
    overview: Annotated[OverviewFilter, Depends(_filter)],
    allowance: Allowance | None = None,
    excel: ForExcel = False,
) -> StreamingResponse:
    """What organizations used in a month, with the page's filters."""

    def rows(session: Session) -> Download:
        day = today(session, now=utc_now())
        return organizations(session, actor, overview, allowance, today=day, for_excel=excel)

    return streamed(rows)


class _Events(BaseModel):
    """Days of the customer's billing zone, both included."""

    customer_id: Id
    start_date: Day
    end_date: Day


@router.get("/usage-events.csv")
def usage_events_as_csv(
    actor: CurrentActor, query: Annotated[_Events, Query()], excel: ForExcel = False
) -> StreamingResponse:
    """One customer's events, for spreadsheets."""
    period = Period(query.start_date, query.end_date)
    return streamed(lambda session: events.events_csv(session, actor, query.customer_id, period, for_excel=excel))


@router.get("/usage-events.ndjson")
def usage_events(actor: CurrentActor, query: Annotated[_Events, Query()]) -> StreamingResponse:
    """The same, from which what was billed can be recomputed."""
    period = Period(query.start_date, query.end_date)
    return streamed(lambda session: events.events(session, actor, query.customer_id, period))
