"""Reports as JSON: the report detail of the published plain dialect, written piece by piece.

The types are its definition, from which the published description is generated. Amounts are JSON numbers with exactly
the currency's digits; they never pass through a float.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, overload

from pydantic import WithJsonSchema
from sqlalchemy.orm import Session
from typing_extensions import TypedDict

from billing_core.money import decimal_places
from billing_core.reports import contents
from billing_core.reports.contents import ServiceTotal
from billing_core.reports.exports import rows
from billing_core.reports.exports.rows import endings, scaled
from billing_core.reports.queries import Report

# In the major unit of the report's currency.
Amount = Annotated[Decimal, WithJsonSchema({"type": "number", "examples": [1500.0]})]
_A_CHUNK = 500
# Writes a JSON string. Made once: ``json.dumps`` would make an encoder for each.
json_text = json.JSONEncoder(ensure_ascii=False).encode


class PlainHeader(TypedDict):
    id: int
    customer_id: int
    customer_name: str
    start_date: date
    end_date: date
    created_at: datetime
    total_amount: Amount


class PlainServiceTotal(TypedDict):
    service_name: str
    amount: Amount


class PlainServiceCost(TypedDict):
    service_id: int
    service_name: str
    amount: Amount


class PlainOrder(TypedDict):
    order_id: int
    reference_number: str
    order_date: date
    total_amount: Amount
    service_costs: list[PlainServiceCost]


class PlainReportDetail(PlainHeader):
    """``service_totals`` by the service's id."""

    service_totals: dict[str, PlainServiceTotal]
    orders: list[PlainOrder]


def header(report: Report) -> PlainHeader:
    """The report fields that every answer of this dialect has."""
    return {
        "id": report.id,
        "customer_id": report.customer_id,
        "customer_name": report.customer_name,
        "start_date": report.period_start,
        "end_date": report.period_end,
        "created_at": report.created_at,
        "total_amount": report.total.amount,
    }


def detail(session: Session, report: Report) -> Iterator[bytes]:
    """The whole report: header, totals by service, orders with their service costs."""
    places = decimal_places(report.currency)
    totals = sorted(contents.service_totals(session, report), key=lambda total: total.service_id)
    by_service = {
        str(total.service_id): json_object(
            {"service_name": json_text(total.service_name), "amount": scaled(total.amount_minor, places)}
        )
        for total in totals
    }
    members = json_members(header(report)) | {"service_totals": json_object(by_service)}
    # Without the closing brace: the orders are the last member.
    yield f'{json_object(members)[:-1]}, "orders": ['.encode()
    yield from json_elements(_orders(session, report, totals, places), end="]}\n")


def _orders(session: Session, report: Report, totals: Sequence[ServiceTotal], places: int) -> Iterator[str]:
    """Each order as an object. The part of a cost before its amount repeats, and is made once."""
    names = {total.service_id: json_text(total.service_name) for total in totals}
    starts = {number: f'{{"service_id": {number}, "service_name": {name}, "amount": ' for number, name in names.items()}
    unit, ends = endings(places)
    charges, orders = rows.charges(report), rows.referenced_orders(report)
    for (order_id, reference, day, total_minor), charged in rows.by_order(session, report, charges, orders):
        costs = ", ".join(
            [f"{starts[service_id]}{minor // unit}{ends[minor % unit]}}}" for _, service_id, minor in charged]
        )
        yield (
            f'{{"order_id": {order_id}, "reference_number": {json_text(reference)}, "order_date": "{day}", '
            f'"total_amount": {total_minor // unit}{ends[total_minor % unit]}, "service_costs": [{costs}]}}'
        )


@overload
def instant(moment: datetime) -> str: ...
@overload
def instant(moment: datetime | None) -> str | None: ...
def instant(moment: datetime | None) -> str | None:
    """In the documented form: ``2023-02-01T12:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def json_elements(elements: Iterable[str], *, end: str) -> Iterator[bytes]:
    """The elements of a JSON array, a few hundred at a time, and what follows the last of them."""
    waiting: list[str] = []
    separator = ""
    for element in elements:
        waiting.append(separator + element)
        separator = ",\n"
        if len(waiting) == _A_CHUNK:
            yield "".join(waiting).encode()
            waiting.clear()
    yield ("".join(waiting) + end).encode()


def json_members(values: Mapping[str, object]) -> dict[str, str]:
    """The members of an object, each as JSON text."""
    return {name: _json_value(value) for name, value in values.items()}


def _json_value(value: object) -> str:
    match value:
        case datetime():
            return json_text(instant(value))
        case date():
            return json_text(value.isoformat())
        case Decimal():
            return f"{value:f}"
        case _:
            return json_text(value)


def json_object(members: Mapping[str, str]) -> str:
    """A JSON object of members that are JSON already."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"
