"""The comparison with the gateway's books as a file, streamed under the permissions of the signed-in session."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from billing_core.dates import Period
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.reconciliation import exporting
from billing_core.online_payments.reconciliation.reconciliation import Agreement, PairFilter
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.parameters import ForExcel
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads")


@router.get("/reconciliation.csv")
def reconciliation(
    actor: CurrentActor,
    mode: Mode,
    start_date: date,
    end_date: date,
    agreement: Agreement | None = None,
    currency: Annotated[str, Query(max_length=3, pattern="^([A-Z]{3})?$")] = "",
    excel: ForExcel = False,
) -> StreamingResponse:
    """The lines of a gateway's books that were read before, beside ours."""
    books = PairFilter(mode, Period(start_date, end_date), agreement.value if agreement else "", currency)
    return streamed(lambda session: exporting.as_csv(session, actor, books, for_excel=excel))
