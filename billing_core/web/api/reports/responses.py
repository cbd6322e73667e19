"""What the reports API answers in both dialects: the definitions, from which the published description is generated.

A report's own are beside what writes them, in ``reports.exports``; here are the lists of them, and the examples.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from billing_core.reports.exports.envelope import EnvelopeReport, EnvelopeReportDetail
from billing_core.reports.exports.json import Amount, PlainHeader
from billing_core.web.api.paging import MORE

# Only customers with reports are in the summaries, so that none of these is ever null.
Instant = Annotated[datetime | None, WithJsonSchema({"type": "string", "format": "date-time"})]
Day = Annotated[date | None, WithJsonSchema({"type": "string", "format": "date"})]
Average = Annotated[Decimal | None, WithJsonSchema({"type": "number", "examples": [1500.0]})]


class PlainReport(PlainHeader):
    order_count: int


class PlainCustomerSummary(TypedDict):
    customer_id: int
    customer_name: str
    report_count: int
    total_amount: Amount
    first_report: Instant
    latest_report: Instant


class EnvelopeCustomerSummary(TypedDict):
    customer_id: int
    customer_name: str
    reports_count: int
    total_billed: Amount
    first_billing_date: Day
    last_billing_date: Day
    average_bill_amount: Average


class EnvelopeOfReports(TypedDict):
    success: Literal[True]
    data: list[EnvelopeReport]


class EnvelopeOfReport(TypedDict):
    success: Literal[True]
    data: EnvelopeReport


class EnvelopeOfReportDetail(TypedDict):
    success: Literal[True]
    data: EnvelopeReportDetail


class EnvelopeOfCustomerSummary(TypedDict):
    success: Literal[True]
    data: list[EnvelopeCustomerSummary]


_PLAIN_HEADER = {
    "id": 1,
    "customer_id": 123,
    "customer_name": "ACME Corp",
    "start_date": "2023-01-01",
    "end_date": "2023-01-31",
    "created_at": "2023-02-01T12:00:00Z",
    "total_amount": 1500.0,
}
_ENVELOPE_HEADER = {
    "id": "0a37bb21-7d6c-4a4f-9f5b-3b1e7c2f9d10",
    "customer": 1,
    "customer_name": "Customer Name",
    "start_date": "2025-01-01",
    "end_date": "2025-01-31",
    "total_amount": 1500.0,
    "generated_at": "2025-01-15T10:30:00Z",
    "output_format": "json",
    "created_at": "2025-01-15T10:30:00Z",
    "created_by": "admin_user",
}
_PLAIN_DETAIL = _PLAIN_HEADER | {
    "service_totals": {
        "1": {"service_name": "Picking", "amount": 500.0},
        "2": {"service_name": "Shipping", "amount": 1000.0},
    },
    "orders": [
        {
            "order_id": 10001,
            "reference_number": "REF-10001",
            "order_date": "2023-01-15",
            "total_amount": 1500.0,
            "service_costs": [
                {"service_id": 1, "service_name": "Picking", "amount": 500.0},
                {"service_id": 2, "service_name": "Shipping", "amount": 1000.0},
            ],
        }
    ],
}
_ENVELOPE_DETAIL = _ENVELOPE_HEADER | {
    "orders": [
        {
            "order_id": "ORD-001",
            "transaction_date": "2025-01-15",
            "status": "Completed",
            "ship_to_name": "John Smith",
            "ship_to_address": "123 Test St",
            "total_items": 5,
            "line_items": 2,
            "services": [
                {
                    "service_id": 1,
                    "service_name": "Standard Shipping",
                    "amount": 1500.0,
                    "quantity": 1,
                    "cost_type": "per_order",
                }
            ],
            "total_amount": 1500.0,
        }
    ],
    "service_totals": {"1": {"name": "Standard Shipping", "amount": 1500.0, "order_count": 1}},
}
_PLAIN_SUMMARY = {
    "customer_id": 123,
    "customer_name": "ACME Corp",
    "report_count": 5,
    "total_amount": 7500.0,
    "first_report": "2023-01-01T00:00:00Z",
    "latest_report": "2023-05-01T00:00:00Z",
}
_ENVELOPE_SUMMARY = {
    "customer_id": 1,
    "customer_name": "Customer Name",
    "reports_count": 5,
    "total_billed": 7500.0,
    "first_billing_date": "2025-01-01",
    "last_billing_date": "2025-03-01",
    "average_bill_amount": 1500.0,
}
_CSV = 'order_id,service_id,service_name,amount\r\n10001,1,"Picking",500.00\r\n10001,2,"Shipping",1000.00\r\n'
_FILES: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}, "example": _CSV},
    "application/pdf": {"schema": {"type": "string", "format": "binary"}},
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
        "schema": {"type": "string", "format": "binary"}
    },
}


def _both(plain: Any, envelope: Any) -> dict[str, Any]:
    return {
        "application/json": {
            "examples": {
                "plain": {"summary": "To a program's token or key", "value": plain},
                "envelope": {"summary": "To a browser session", "value": {"success": True, "data": envelope}},
            }
        }
    }


_ATTACHED = {
    "Content-Disposition": {
        "description": "`billing_report_1.csv` in the plain dialect, `billing-report-{uuid}.csv` in the envelope one",
        "schema": {"type": "string"},
    }
}
LISTED: dict[int | str, dict[str, Any]] = {
    200: {"content": _both([_PLAIN_HEADER | {"order_count": 5}], [_ENVELOPE_HEADER]), "headers": MORE}
}
DETAILED: dict[int | str, dict[str, Any]] = {200: {"content": _both(_PLAIN_DETAIL, _ENVELOPE_DETAIL)}}
GENERATED: dict[int | str, dict[str, Any]] = {201: {"content": _both(_PLAIN_DETAIL, _ENVELOPE_HEADER) | _FILES}}
DOWNLOADED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": _FILES
        | {
            "application/json": {"schema": {"$ref": "#/components/schemas/PlainReportDetail"}, "example": _PLAIN_DETAIL}
        },
        "headers": _ATTACHED,
    }
}
SUMMARIZED: dict[int | str, dict[str, Any]] = {
    200: {"content": _both([_PLAIN_SUMMARY], [_ENVELOPE_SUMMARY]), "headers": MORE}
}
