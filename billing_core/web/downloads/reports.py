"""Reports as files, streamed under the permissions of the signed-in session."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import StreamingResponse

from billing_core.dates import utc_now
from billing_core.reports.exports import files, lists
from billing_core.reports.exports.formats import Variant
from billing_core.reports.exports.together.csv import charges_as_csv
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.named import known
from billing_core.web.downloads.parameters import ChosenReports, Customers, ForExcel, Reports, split_name
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.streaming import streamed

VARIANTS = {f"{variant}.csv": variant for variant in Variant}

router = APIRouter(prefix="/downloads", route_class=StrictRoute, dependencies=[Depends(known)])


@router.get("/reports/{name}")
def report(name: str, actor: CurrentActor, variant: str = Variant.LONG, excel: ForExcel = False) -> StreamingResponse:
    """``15.csv``, ``15.json``, ``15.xlsx``, ``15.pdf``; the report's UUID serves as well as its id. A CSV explains each
    charge, as ``15.long.csv`` does too; ``15.short.csv`` has the four columns that the published API answers with.
    """
    report_id, ending = split_name(name, r"[0-9A-Fa-f-]{1,36}", "report")
    if ending in VARIANTS:
        ending, variant = "csv", VARIANTS[ending]
    return streamed(lambda session: files.download(session, actor, report_id, ending, variant=variant, for_excel=excel))


@router.get("/reports.zip")
def reports_together(
    chosen: ChosenReports,
    actor: CurrentActor,
    output_format: Annotated[str, Query(alias="format")] = "csv",
    variant: str = Variant.LONG,
    excel: ForExcel = False,
) -> StreamingResponse:
    """A file for each of the chosen reports: those with these ``ids``, with commas between them, or all that match the
    page's filters.
    """
    files.refuse_unknown(output_format, variant)
    return streamed(
        lambda session: files.archive(
            session, actor, chosen(session, actor), output_format, variant=variant, for_excel=excel
        )
    )


@router.get("/reports.xlsx")
def workbook_of_reports(chosen: ChosenReports, actor: CurrentActor) -> StreamingResponse:
    """The chosen reports as one workbook, with all of their charges."""
    # Imported on use: workbooks and PDFs load slowly, and few requests want one.
    from billing_core.reports.exports.together.xlsx import workbook

    return streamed(lambda session: workbook(session, chosen(session, actor), now=utc_now()))


@router.get("/reports.pdf")
def document_of_reports(chosen: ChosenReports, actor: CurrentActor) -> StreamingResponse:
    """The chosen reports as one PDF."""
    from billing_core.reports.exports.together.pdf import document

    return streamed(lambda session: document(session, chosen(session, actor)))


@router.get("/report-charges.csv")
def charges_of_reports(chosen: ChosenReports, actor: CurrentActor, excel: ForExcel = False) -> StreamingResponse:
    """Every charge of the chosen reports in one file."""
    return streamed(lambda session: charges_as_csv(session, chosen(session, actor), for_excel=excel))


@router.get("/reports.csv")
def list_of_reports(actor: CurrentActor, filters: Reports, excel: ForExcel = False) -> StreamingResponse:
    """The list of reports with the page's filters."""
    return streamed(lambda session: lists.reports(session, actor, filters, for_excel=excel))


@router.get("/customers.csv")
def summary_of_customers(actor: CurrentActor, filters: Customers, excel: ForExcel = False) -> StreamingResponse:
    """What each customer was billed, with the page's filters."""
    return streamed(lambda session: lists.customers(session, actor, filters, for_excel=excel))
