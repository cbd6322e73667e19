"""The comparison with the gateway's books as a file, streamed under the permissions of the signed-in session."""

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from billing_core.dates import Period
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.reconciliation import exporting
from billing_core.online_payments.reconciliation.reconciliation import Agreement, PairFilter
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.parameters import ForExcel
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.requests.values import Currency, Day
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads", route_class=StrictRoute)


@router.get("/reconciliation.csv")
def reconciliation(
    actor: CurrentActor,
    mode: Mode,
    start_date: Day,
    end_date: Day,
    agreement: Agreement | None = None,
    currency: Currency = "",
    excel: ForExcel = False,
) -> StreamingResponse:
    """The lines of a gateway's books that were read before, beside ours."""
    books = PairFilter(mode, Period(start_date, end_date), agreement.value if agreement else "", currency)
    return streamed(lambda session: exporting.as_csv(session, actor, books, for_excel=excel))
