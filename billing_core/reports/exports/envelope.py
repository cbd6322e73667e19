"""A report in the published envelope dialect, that of the browser front end, written piece by piece.

Its orders go by their numbers and have shipping details; each service cost says what it was computed from. The types
are its definition, from which the published description is generated.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import WithJsonSchema
from sqlalchemy import Row
from sqlalchemy.orm import Session
from typing_extensions import TypedDict

from billing_core.money import QUANTITY_PLACES, decimal_places
from billing_core.reports import contents
from billing_core.reports.contents import ServiceTotal
from billing_core.reports.exports import rows
from billing_core.reports.exports.json import Amount, json_elements, json_members, json_object, json_text
from billing_core.reports.exports.rows import scaled, trimmed
from billing_core.reports.queries import Report

Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]


class EnvelopeReport(TypedDict):
    """``id`` is the report's UUID."""

    id: str
    customer: int
    customer_name: str
    start_date: date
    end_date: date
    total_amount: Amount
    generated_at: datetime
    output_format: str
    created_at: datetime
    created_by: str


class EnvelopeService(TypedDict):
    service_id: int
    service_name: str
    amount: Amount
    quantity: Number
    cost_type: str


class EnvelopeOrder(TypedDict):
    """``order_id`` is the order's number."""

    order_id: str
    transaction_date: date
    status: str
    ship_to_name: str
    ship_to_address: str
    total_items: Number
    line_items: int
    services: list[EnvelopeService]
    total_amount: Amount


class EnvelopeServiceTotal(TypedDict):
    name: str
    amount: Amount
    order_count: int


class EnvelopeReportDetail(EnvelopeReport):
    """``service_totals`` by the service's id."""

    orders: list[EnvelopeOrder]
    service_totals: dict[str, EnvelopeServiceTotal]


def detail(session: Session, report: Report) -> Iterator[bytes]:
    """The whole report: header, orders with their services, totals by service."""
    places = decimal_places(report.currency)
    totals = sorted(contents.service_totals(session, report), key=lambda total: total.service_id)
    # The header without its closing brace: the orders and the totals follow.
    yield f'{json_object(json_members(header(report)))[:-1]}, "orders": ['.encode()
    yield from json_elements(
        _orders(session, report, totals, places), end=f'], "service_totals": {_totals(totals, places)}}}'
    )


def header(report: Report) -> EnvelopeReport:
    """The report fields that every answer of this dialect has."""
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


def _orders(session: Session, report: Report, totals: Sequence[ServiceTotal], places: int) -> Iterator[str]:
    """Each order as an object. The parts around a cost's amount and quantity repeat, and are made once."""
    starts = {
        total.service_id: f'{{"service_id": {total.service_id}, "service_name": {json_text(total.service_name)}'
        for total in totals
    }
    ends = {total.service_id: f'"cost_type": {json_text(total.cost_type)}}}' for total in totals}
    for order, charges in rows.by_order(session, report, rows.counted_charges(report)):
        costs = ", ".join(
            f'{starts[service_id]}, "amount": {scaled(minor, places)}, '
            f'"quantity": {trimmed(quantity, QUANTITY_PLACES)}, {ends[service_id]}'
            for _, service_id, quantity, minor in charges
        )
        yield _order(order, costs, places)


def _order(order: Row[*tuple[Any, ...]], costs: str, places: int) -> str:
    return json_object(
        {
            "order_id": json_text(order.order_number),
            "transaction_date": json_text(order.order_date.isoformat()),
            "status": json_text(order.status.capitalize()),
            "ship_to_name": json_text(order.ship_to_name),
            "ship_to_address": json_text(order.ship_to_address),
            "total_items": trimmed(order.total_items, QUANTITY_PLACES),
            "line_items": str(order.line_items),
            "services": f"[{costs}]",
            "total_amount": scaled(order.total_minor, places),
        }
    )


def _totals(totals: Sequence[ServiceTotal], places: int) -> str:
    return json_object(
        {
            str(total.service_id): json_object(
                {
                    "name": json_text(total.service_name),
                    "amount": scaled(total.amount_minor, places),
                    "order_count": str(total.order_count),
                }
            )
            for total in totals
        }
    )
