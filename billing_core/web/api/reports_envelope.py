"""Reports in the envelope dialect, as the browser front end expects them: ``success`` and ``data``, UUIDs as ids."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from sqlalchemy.orm import Session

from billing_core.reports import exporting_envelope
from billing_core.reports.queries import Report
from billing_core.reports.summary import CustomerSummary


def listed(reports: Sequence[Report]) -> Any:
    return _enveloped([header(report) for report in reports])


def generated(report: Report) -> Any:
    return _enveloped(header(report))


def detail(session: Session, report: Report) -> Iterator[bytes]:
    return chain((b'{"success": true, "data": ',), exporting_envelope.detail(session, report), (b"}\n",))


def summary(rows: Sequence[CustomerSummary]) -> Any:
    return _enveloped(
        [
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
        ]
    )


def name(report: Report) -> str:
    """How the next page's address names the report."""
    return report.uuid


def file_name(report: Report, ending: str) -> str:
    return f"billing-report-{report.uuid}.{ending}"


def header(report: Report) -> dict[str, Any]:
    """What the dialect says of a report in any case."""
    return {
        "id": report.uuid,
        "customer": report.customer_id,
        "customer_name": report.customer_name,
        "start_date": report.period_start,
        "end_date": report.period_end,
        "total_amount": report.total.amount,
        "generated_at": report.created_at,
        "output_format": report.output_format,
        "created_at": report.created_at,
        "created_by": report.created_by,
    }


def _enveloped(data: Any) -> dict[str, Any]:
    return {"success": True, "data": data}
