"""The rows behind any figure as a file, streamed under the permissions of the signed-in session."""

from dataclasses import replace

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from billing_core import catalogue
from billing_core.businesses import queries as businesses
from billing_core.dates import Period, utc_now
from billing_core.errors import Invalid
from billing_core.figures import Scope
from billing_core.reports.exports import lists
from billing_core.reports.exports.formats import Download
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.named import known
from billing_core.web.downloads.parameters import ForExcel, Id
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.requests.values import AnyDay, Currency, Day, Instant
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads", route_class=StrictRoute, dependencies=[Depends(known)])


@router.get("/figures/{key}.csv")
def rows_of_figure(
    key: str,
    actor: CurrentActor,
    # What is asked for "up to a day" begins before there was anything.
    start_date: AnyDay | None = None,
    end_date: Day | None = None,
    currency: Currency | None = None,
    customer_id: Id | None = None,
    known_at: Instant | None = None,
    as_at: Day | None = None,
    today: Day | None = None,
    excel: ForExcel = False,
) -> StreamingResponse:
    """The rows whose sum a figure is, within the limits that its panel shows."""
    if (start_date is None) != (end_date is None):
        raise Invalid("A period needs both its days", fields={"end_date" if start_date else "start_date": "is missing"})
    period = Period(start_date, end_date) if start_date and end_date else None
    limits = Scope(period, currency, customer_id, known_at, as_at, today)

    def rows(session: Session) -> Download:
        here = limits if today else replace(limits, today=businesses.days(session, now=utc_now()))
        figure, scope = catalogue.find(actor, key, here)
        return lists.figure(session, actor, figure, scope, for_excel=excel)

    return streamed(rows)
