"""Reports as files, streamed under the permissions of the signed-in session."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from billing_core.reports.exports import files, lists
from billing_core.reports.exports.formats import Variant
from billing_core.web.access import CurrentActor
from billing_core.web.downloads import parameters
from billing_core.web.downloads.parameters import Customers, ForExcel, Reports, split_name
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads", route_class=StrictRoute)


@router.get("/reports/{name}")
def report(name: str, actor: CurrentActor, variant: str = Variant.SHORT, excel: ForExcel = False) -> StreamingResponse:
    """``15.csv``, ``15.long.csv``, ``15.json``, ``15.xlsx``, ``15.pdf``; the report's UUID serves as well as its id."""
    report_id, ending = split_name(name, r"[0-9A-Fa-f-]{1,36}", "report")
    if ending == "long.csv":
        ending, variant = "csv", Variant.LONG
    return streamed(lambda session: files.download(session, actor, report_id, ending, variant=variant, for_excel=excel))


@router.get("/reports.zip")
def reports_together(
    ids: str,
    actor: CurrentActor,
    output_format: Annotated[str, Query(alias="format")] = "csv",
    variant: str = Variant.SHORT,
    excel: ForExcel = False,
) -> StreamingResponse:
    """Several reports, by their ids with commas between them."""
    chosen = parameters.ids(ids, "reports")
    return streamed(
        lambda session: files.archive(session, actor, chosen, output_format, variant=variant, for_excel=excel)
    )


@router.get("/reports.csv")
def list_of_reports(actor: CurrentActor, filters: Reports, excel: ForExcel = False) -> StreamingResponse:
    """The list of reports with the page's filters."""
    return streamed(lambda session: lists.reports(session, actor, filters, for_excel=excel))


@router.get("/customers.csv")
def summary_of_customers(actor: CurrentActor, filters: Customers, excel: ForExcel = False) -> StreamingResponse:
    """What each customer was billed, with the page's filters."""
    return streamed(lambda session: lists.customers(session, actor, filters, for_excel=excel))
