"""Reports in the envelope dialect, as the browser front end expects them: ``success`` and ``data``, UUIDs as ids."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import orjson
from sqlalchemy.orm import Session

from billing_core.reports.exports import envelope
from billing_core.reports.queries import Report
from billing_core.reports.summary import CustomerSummary


def listed(reports: Sequence[Report]) -> Any:
    return _enveloped([header(report) for report in reports])


def generated(report: Report) -> Any:
    return _enveloped(header(report))


def detail(session: Session, report: Report) -> Iterator[bytes]:
    return chain((b'{"success": true, "data": ',), envelope.detail(session, report), (b"}\n",))


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
    """What the dialect says of a report in any case: the very text that its detail begins with."""
    return {name: orjson.Fragment(text) for name, text in envelope.header(report).items()}


def _enveloped(data: Any) -> dict[str, Any]:
    return {"success": True, "data": data}
