"""The published reports API, /api/v2/reports/: each route asks the service once and answers in the caller's dialect."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Protocol

from fastapi import Depends, HTTPException, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from billing_core.dates import Period, utc_now
from billing_core.reports import queries, service, summary
from billing_core.reports.exports import files
from billing_core.reports.exports.formats import Download
from billing_core.reports.exports.json import PlainReportDetail
from billing_core.reports.queries import Report, ReportFilter
from billing_core.reports.summary import CustomerSummary
from billing_core.web import streaming
from billing_core.web.api.access import Caller, CurrentCaller, Dialect, Reading, Transaction
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.paging import next_page
from billing_core.web.api.problems import fails_with
from billing_core.web.api.reports import envelope, plain, responses
from billing_core.web.api.reports.requests import (
    MOST_AT_ONCE,
    Generate,
    Limit,
    OnlyCustomer,
    StartingAfterCustomer,
    StartingAfterReport,
    report_filter,
)
from billing_core.web.api.routing import router as described_router

router = described_router(prefix="/api/v2/reports", tags=["Reports"])

_JSON = "application/json"
ReportId = Annotated[str, Path(alias="id", description="The report's integer id, or its UUID", examples=["1"])]


class _Dialect(Protocol):
    """What differs between the dialects."""

    def listed(self, reports: Sequence[Report]) -> Any: ...
    def detail(self, session: Session, report: Report) -> Iterator[bytes]: ...
    def summary(self, rows: Sequence[CustomerSummary]) -> Any: ...
    def name(self, report: Report) -> str: ...
    def file_name(self, report: Report, ending: str) -> str: ...


_DIALECTS: dict[Dialect, _Dialect] = {Dialect.PLAIN: plain, Dialect.ENVELOPE: envelope}


@router.get("", include_in_schema=False)
@router.get(
    "/",
    response_model=list[responses.PlainReport] | responses.EnvelopeOfReports,
    responses=responses.LISTED,
    summary="List billing reports",
)
@fails_with("An error occurred while fetching reports.")
def list_reports(
    request: Request,
    caller: CurrentCaller,
    session: Reading,
    filters: Annotated[ReportFilter, Depends(report_filter)],
    limit: Limit = MOST_AT_ONCE,
    starting_after: StartingAfterReport = "",
) -> Response:
    """The current reports, the newest first by default."""
    dialect = _DIALECTS[caller.dialect]
    reports = queries.page(session, caller.actor, filters, limit=limit + 1, starting_after=starting_after)
    shown = reports[:limit]
    more = next_page(request, dialect.name(shown[-1])) if len(reports) > limit else None
    return ExactJSON(dialect.listed(shown), headers=more)


@router.get("/customer-summary", include_in_schema=False)
@router.get(
    "/customer-summary/",
    response_model=list[responses.PlainCustomerSummary] | responses.EnvelopeOfCustomerSummary,
    responses=responses.SUMMARIZED,
    summary="Summarize reports by customer",
)
@fails_with("An error occurred getting customer summary")
def summarize_customers(
    request: Request,
    caller: CurrentCaller,
    session: Reading,
    customer_id: OnlyCustomer = None,
    limit: Limit = MOST_AT_ONCE,
    starting_after: StartingAfterCustomer = None,
) -> Response:
    """What each customer was billed in all, by id; two currencies of one customer are two rows, never a sum."""
    rows = summary.after(session, caller.actor, starting_after, limit=limit + 1, only=customer_id)
    customers = list(dict.fromkeys(row.customer_id for row in rows))
    more = None
    if len(customers) > limit:
        rows = [row for row in rows if row.customer_id != customers[-1]]
        more = next_page(request, customers[-2])
    return ExactJSON(_DIALECTS[caller.dialect].summary(rows), headers=more)


@router.post("/generate", status_code=201, include_in_schema=False)
@router.post(
    "/generate/",
    status_code=201,
    response_model=PlainReportDetail | responses.EnvelopeOfReport,
    responses=responses.GENERATED,
    summary="Generate a billing report",
)
@fails_with("An error occurred generating the report")
def generate_report(caller: CurrentCaller, session: Transaction, given: Generate) -> Response:
    """Bill a customer for a period. Where nothing changed since the last time, that report is the answer again."""
    generated = service.generate(
        session,
        caller.actor,
        customer_id=given.customer_id,
        period=Period(given.start_date, given.end_date),
        output_format=given.output_format,
        now=utc_now(),
    )
    if caller.dialect is Dialect.ENVELOPE:
        report = queries.one(session, caller.actor, generated.report_id)
        return ExactJSON(envelope.generated(report), 201)
    if given.output_format in ("json", "dict"):
        return _AfterCommit(lambda: _detail(caller, str(generated.report_id), status=201))
    ending = given.output_format
    return _AfterCommit(lambda: _download(caller, str(generated.report_id), ending, status=201))


@router.get("/{id}", include_in_schema=False)
@router.get(
    "/{id}/",
    response_model=PlainReportDetail | responses.EnvelopeOfReportDetail,
    responses=responses.DETAILED,
    summary="Get a billing report with its orders",
)
def get_report(caller: CurrentCaller, report_id: ReportId) -> Response:
    """All of a report, also of one that a newer version has replaced."""
    if report_id == "generate":
        # The documented address of something else, which does not take GET.
        raise HTTPException(405)
    return _detail(caller, report_id)


@router.get("/{id}/download", include_in_schema=False)
@router.get("/{id}/download/", responses=responses.DOWNLOADED, summary="Download a billing report as a file")
def download_report(
    caller: CurrentCaller,
    report_id: ReportId,
    output_format: Annotated[
        str,
        Query(
            alias="format", description="The kind of file", json_schema_extra={"enum": ["csv", "json", "pdf", "xlsx"]}
        ),
    ] = "csv",
) -> Response:
    """One report as a file, streamed."""
    return _download(caller, report_id, output_format)


def _detail(caller: Caller, report_id: str, *, status: int = 200) -> Response:
    dialect = _DIALECTS[caller.dialect]
    return streaming.whole_or_streamed(
        lambda session: dialect.detail(session, queries.one(session, caller.actor, report_id)),
        media_type=_JSON,
        status=status,
    )


def _download(caller: Caller, report_id: str, ending: str, *, status: int = 200) -> Response:
    dialect = _DIALECTS[caller.dialect]

    def read(session: Session) -> Download:
        file = files.download(session, caller.actor, report_id, ending)
        return replace(file, file_name=dialect.file_name(queries.one(session, caller.actor, report_id), ending))

    return streaming.streamed(read, status=status)


class _AfterCommit(Response):
    """An answer that is made when it leaves: what it reads is what the request's transaction has written."""

    def __init__(self, make: Callable[[], Response]) -> None:
        super().__init__()
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await run_in_threadpool(self._make)
        await answer(scope, receive, send)
