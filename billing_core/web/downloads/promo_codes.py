"""The list of promo codes as a file, streamed under the permissions of the signed-in session."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from billing_core.businesses.queries import today
from billing_core.dates import utc_now
from billing_core.promotions.listing import CodeFilter, CodeStatus
from billing_core.reports.exports import lists
from billing_core.reports.exports.formats import Download
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.parameters import ForExcel, Text
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads", route_class=StrictRoute)


class _PromoCodes(BaseModel):
    text: Text = ""
    status: CodeStatus | None = None
    plan: Text = ""


@router.get("/promo-codes.csv")
def promo_codes(
    actor: CurrentActor, query: Annotated[_PromoCodes, Query()], excel: ForExcel = False
) -> StreamingResponse:
    """Promo codes with the page's filters."""
    filters = CodeFilter(query.text, query.status, query.plan)

    def rows(session: Session) -> Download:
        return lists.promo_codes(session, actor, filters, today=today(session, now=utc_now()), for_excel=excel)

    return streamed(rows)
