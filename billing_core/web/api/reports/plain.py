"""Reports in the plain dialect: bare lists and objects, integer ids."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from billing_core.reports.exports import json as exports_json
from billing_core.reports.queries import Report
from billing_core.reports.summary import CustomerSummary


def listed(reports: Sequence[Report]) -> Any:
    return [
        {
            "id": report.id,
            "customer_id": report.customer_id,
            "customer_name": report.customer_name,
            "start_date": report.period_start,
            "end_date": report.period_end,
            "created_at": report.created_at,
            "total_amount": report.total.amount,
            "order_count": report.order_count,
        }
        for report in reports
    ]


def detail(session: Session, report: Report) -> Iterator[bytes]:
    return exports_json.detail(session, report)


def summary(rows: Sequence[CustomerSummary]) -> Any:
    return [
        {
            "customer_id": row.customer_id,
            "customer_name": row.customer_name,
            "report_count": row.report_count,
            "total_amount": row.total.amount,
            "first_report": row.first_report,
            "latest_report": row.latest_report,
        }
        for row in rows
    ]


def name(report: Report) -> str:
    """How the next page's address names the report."""
    return str(report.id)


def file_name(report: Report, ending: str) -> str:
    return f"billing_report_{report.id}.{ending}"
