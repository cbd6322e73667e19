"""Reports as JSON: the report detail of the published plain dialect, written piece by piece.

Amounts are JSON numbers with exactly the currency's digits; they never pass through a float.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from billing_core.money import decimal_places
from billing_core.reports import contents, exporting_rows
from billing_core.reports.exporting_rows import scaled
from billing_core.reports.queries import Report

_ORDERS_A_CHUNK = 500
# A JSON string. Made once: ``json.dumps`` would make an encoder for each.
json_text = json.JSONEncoder(ensure_ascii=False).encode


def detail(session: Session, report: Report) -> Iterator[bytes]:
    """The whole report: header, totals by service, orders with their service costs."""
    places = decimal_places(report.currency)
    totals = sorted(contents.service_totals(session, report), key=lambda total: total.service_id)
    names = {total.service_id: json_text(total.service_name) for total in totals}
    by_service = {
        str(total.service_id): {
            "service_name": names[total.service_id],
            "amount": scaled(total.amount_minor, places),
        }
        for total in totals
    }
    header = {
        "id": str(report.id),
        "customer_id": str(report.customer_id),
        "customer_name": json_text(report.customer_name),
        "start_date": json_text(report.period_start.isoformat()),
        "end_date": json_text(report.period_end.isoformat()),
        "created_at": json_text(instant(report.created_at)),
        "total_amount": scaled(report.total_minor, places),
        "service_totals": json_object({key: json_object(value) for key, value in by_service.items()}),
    }
    # The header without its closing brace: the orders are its last member.
    yield f'{json_object(header)[:-1]}, "orders": ['.encode()
    waiting, separator = [], ""
    for order, charges in exporting_rows.by_order(session, report, exporting_rows.charges(report)):
        waiting.append(separator + _order(order, charges, names, places))
        separator = ",\n"
        if len(waiting) == _ORDERS_A_CHUNK:
            yield "".join(waiting).encode()
            waiting.clear()
    yield ("".join(waiting) + "]}\n").encode()


def instant(moment: datetime) -> str:
    """As the documents write it: ``2023-02-01T12:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _order(
    order: Row[*tuple[Any, ...]],
    charges: Sequence[Row[*tuple[Any, ...]]],
    names: Mapping[int, str],
    places: int,
) -> str:
    costs = ", ".join(
        f'{{"service_id": {service_id}, "service_name": {names[service_id]}, "amount": {scaled(minor, places)}}}'
        for _, service_id, minor in charges
    )
    return json_object(
        {
            "order_id": str(order.order_id),
            "reference_number": json_text(order.reference_number),
            "order_date": json_text(order.order_date.isoformat()),
            "total_amount": scaled(order.total_minor, places),
            "service_costs": f"[{costs}]",
        }
    )


def json_object(members: Mapping[str, str]) -> str:
    """A JSON object of members that are JSON already."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"
