"""Reports in the plain dialect: bare lists and objects, integer ids."""

from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from billing_core.reports.exports import json as exports_json
from billing_core.reports.queries import Report
from billing_core.reports.summary import CustomerSummary
from billing_core.web.api.reports.responses import PlainCustomerSummary, PlainReport


def listed(reports: Sequence[Report]) -> list[PlainReport]:
    return [listed_report(report) for report in reports]


def listed_report(report: Report) -> PlainReport:
    return {**exports_json.header(report), "order_count": report.order_count}


def detail(session: Session, report: Report) -> Iterator[bytes]:
    return exports_json.detail(session, report)


def summary(rows: Sequence[CustomerSummary]) -> list[PlainCustomerSummary]:
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
