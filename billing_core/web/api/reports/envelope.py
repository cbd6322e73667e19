"""Reports in the envelope dialect, as the browser front end expects them: ``success`` and ``data``, UUIDs as ids."""

from collections.abc import Iterator, Sequence
from itertools import chain

from sqlalchemy.orm import Session

from billing_core.reports.exports import envelope
from billing_core.reports.queries import Report
from billing_core.reports.summary import CustomerSummary
from billing_core.web.api.reports.responses import EnvelopeOfCustomerSummary, EnvelopeOfReport, EnvelopeOfReports


def listed(reports: Sequence[Report]) -> EnvelopeOfReports:
    return {"success": True, "data": [envelope.header(report) for report in reports]}


def generated(report: Report) -> EnvelopeOfReport:
    return {"success": True, "data": envelope.header(report)}


def detail(session: Session, report: Report) -> Iterator[bytes]:
    return chain((b'{"success": true, "data": ',), envelope.detail(session, report), (b"}\n",))


def summary(rows: Sequence[CustomerSummary]) -> EnvelopeOfCustomerSummary:
    return {
        "success": True,
        "data": [
            {
                "customer_id": row.customer_id,
                "customer_name": row.customer_name,
                "reports_count": row.report_count,
                "total_billed": row.total.amount,
                "first_billing_date": row.first_billing_date,
                "last_billing_date": row.last_billing_date,
                "average_bill_amount": row.average.amount if row.average else None,
            }
            for row in rows
        ],
    }


def name(report: Report) -> str:
    """How the next page's address names the report."""
    return report.uuid


def file_name(report: Report, ending: str) -> str:
    return f"billing-report-{report.uuid}.{ending}"
