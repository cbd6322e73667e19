"""Customers' statements and the ageing as files, streamed under the permissions of the signed-in session."""

import re
from dataclasses import replace

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from billing_core.businesses import queries as businesses
from billing_core.dates import Period, utc_now
from billing_core.errors import NotFound
from billing_core.figures import Scope
from billing_core.receivables import exporting
from billing_core.receivables.statement import StatementRequest
from billing_core.reports.exports.formats import Download
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.named import known
from billing_core.web.downloads.parameters import ForExcel, Id, Text
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.requests.values import Currency, Day, Instant
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads", route_class=StrictRoute, dependencies=[Depends(known)])


@router.get("/statements/{name}")
def statement(
    name: str,
    actor: CurrentActor,
    start_date: Day,
    end_date: Day,
    currency: Currency,
    business_id: Id | None = None,
    known_at: Instant | None = None,
    excel: ForExcel = False,
    inline: bool = False,
) -> StreamingResponse:
    """``7.csv`` or ``7.pdf``: the statement of customer 7; ``inline``: shown in the page instead of saved."""
    parts = re.fullmatch(r"([0-9]{1,9})\.(csv|pdf)", name)
    if parts is None:
        raise NotFound("There is no such statement")
    period = Period(start_date, end_date)
    statement_of = StatementRequest(int(parts[1]), currency, period, business_id, known_at)
    if parts[2] == "pdf":
        return streamed(lambda session: exporting.statement_as_pdf(session, actor, statement_of), inline=inline)
    return streamed(lambda session: exporting.statement_as_csv(session, actor, statement_of, for_excel=excel))


@router.get("/ageing.csv")
def aged(
    actor: CurrentActor,
    as_at: Day | None = None,
    known_at: Instant | None = None,
    currency: Currency | None = None,
    customer_id: Id | None = None,
    order_by: Text = "-overdue",
    excel: ForExcel = False,
) -> StreamingResponse:
    """What each customer owes by age: now, or as at a day and as it was known then."""
    limits = Scope(currency=currency, customer_id=customer_id, known_at=known_at, as_at=as_at)

    def rows(session: Session) -> Download:
        scope = replace(limits, today=businesses.days(session, now=utc_now()))
        return exporting.ageing_as_csv(session, actor, scope, order_by=order_by, for_excel=excel)

    return streamed(rows)
