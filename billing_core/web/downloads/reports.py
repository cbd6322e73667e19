"""Reports as files, streamed under the permissions of the signed-in session."""

import re
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from starlette.responses import StreamingResponse

from billing_core.errors import Invalid, NotFound
from billing_core.reports.exports import files, lists
from billing_core.reports.exports.formats import Variant
from billing_core.reports.queries import ReportFilter
from billing_core.reports.summary import SummaryFilter
from billing_core.web.access import CurrentActor
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads")

# Marks a CSV as UTF-8 in the way that Excel understands.
ForExcel = Annotated[bool, Query(alias="excel")]
# What the database can hold at all: PostgreSQL refuses to compare with more.
Id = Annotated[int, Query(ge=1, le=2**31 - 1)]
Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]


@router.get("/reports/{name}")
def report(name: str, actor: CurrentActor, variant: str = Variant.SHORT, excel: ForExcel = False) -> StreamingResponse:
    """``15.csv``, ``15.long.csv``, ``15.json``, ``15.xlsx``, ``15.pdf``; the report's UUID serves as well as its id."""
    report_id, _, ending = name.partition(".")
    if not re.fullmatch(r"[0-9A-Fa-f-]{1,36}", report_id):
        raise NotFound("There is no such report")
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
    chosen = numbers(ids, "reports")
    return streamed(
        lambda session: files.archive(session, actor, chosen, output_format, variant=variant, for_excel=excel)
    )


def wanted_reports(
    customer_id: Id | None = None,
    start_date: date | None = None,
    end_date: date | None = None,
    created_after: date | AwareDatetime | None = None,
    created_before: date | AwareDatetime | None = None,
    currency: Text = "",
    created_by: Text = "",
    text: Text = "",
    current_only: bool = True,
    order_by: Text = "-created_at",
) -> ReportFilter:
    """The page's filters, under the names that its links give them."""
    return ReportFilter(
        customer_id=customer_id,
        start_date=start_date,
        end_date=end_date,
        created_after=created_after,
        created_before=created_before,
        currency=currency,
        created_by=created_by,
        text=text,
        current_only=current_only,
        order_by=order_by,
    )


@router.get("/reports.csv")
def list_of_reports(
    actor: CurrentActor, wanted: Annotated[ReportFilter, Depends(wanted_reports)], excel: ForExcel = False
) -> StreamingResponse:
    """The list of reports with the page's filters."""
    return streamed(lambda session: lists.reports(session, actor, wanted, for_excel=excel))


def wanted_customers(
    customer_id: Id | None = None,
    text: Text = "",
    country: Text = "",
    currency: Text = "",
    with_reports: bool = False,
    order_by: Text = "customer_name",
) -> SummaryFilter:
    """The filters of the customers page, under the names that its links give them."""
    return SummaryFilter(
        customer_id=customer_id,
        text=text,
        country=country,
        currency=currency,
        with_reports=with_reports,
        order_by=order_by,
    )


@router.get("/customers.csv")
def summary_of_customers(
    actor: CurrentActor, wanted: Annotated[SummaryFilter, Depends(wanted_customers)], excel: ForExcel = False
) -> StreamingResponse:
    """What each customer was billed, with the page's filters."""
    return streamed(lambda session: lists.customers(session, actor, wanted, for_excel=excel))


def numbers(text: str, noun: str) -> list[int]:
    """``"3,8"`` as ids; Invalid for anything else."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        raise Invalid(f"The {noun} are named by their numbers, with commas between them", fields={"ids": "such as 3,8"})
    return [int(part) for part in parts]
