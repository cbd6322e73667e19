"""The tax return of a period and its documents as files, under the permissions of the signed-in session."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import StreamingResponse

from billing_core.dates import Period, utc_now
from billing_core.figures import Scope
from billing_core.tax_returns import exporting
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.named import known
from billing_core.web.downloads.parameters import ForExcel, Id
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.requests.values import Currency, Day, Instant
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads", route_class=StrictRoute, dependencies=[Depends(known)])


def _asked(start_date: Day, end_date: Day, currency: Currency | None = None, known_at: Instant | None = None) -> Scope:
    return Scope(Period(start_date, end_date), currency, known_at=known_at)


Asked = Annotated[Scope, Depends(_asked)]


@router.get("/tax-return.csv")
def tax_return_as_csv(
    actor: CurrentActor, scope: Asked, business_id: Id | None = None, excel: ForExcel = False
) -> StreamingResponse:
    """Base and tax by country and rate, of the documents of these days."""
    return streamed(lambda session: exporting.as_csv(session, actor, scope, business_id=business_id, for_excel=excel))


@router.get("/tax-return.xlsx")
def tax_return_as_workbook(actor: CurrentActor, scope: Asked, business_id: Id | None = None) -> StreamingResponse:
    """The same with its documents."""
    return streamed(lambda session: exporting.workbook(session, actor, scope, business_id=business_id, now=utc_now()))


@router.get("/tax-documents.csv")
def tax_documents_as_csv(
    actor: CurrentActor, scope: Asked, business_id: Id | None = None, excel: ForExcel = False
) -> StreamingResponse:
    """The documents that the return adds up, each at each of its rates."""
    return streamed(
        lambda session: exporting.documents_as_csv(session, actor, scope, business_id=business_id, for_excel=excel)
    )
