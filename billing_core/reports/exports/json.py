"""Reports as JSON: the report detail of the published plain dialect, written piece by piece.

Amounts are JSON numbers with exactly the currency's digits; they never pass through a float.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import overload

from sqlalchemy.orm import Session

from billing_core.money import decimal_places
from billing_core.reports import contents
from billing_core.reports.contents import ServiceTotal
from billing_core.reports.exports import rows
from billing_core.reports.exports.rows import endings, scaled
from billing_core.reports.queries import Report

_A_CHUNK = 500
# A JSON string. Made once: ``json.dumps`` would make an encoder for each.
json_text = json.JSONEncoder(ensure_ascii=False).encode


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
    header = {
        "id": str(report.id),
        "customer_id": str(report.customer_id),
        "customer_name": json_text(report.customer_name),
        "start_date": json_text(report.period_start.isoformat()),
        "end_date": json_text(report.period_end.isoformat()),
        "created_at": json_text(instant(report.created_at)),
        "total_amount": scaled(report.total_minor, places),
        "service_totals": json_object(by_service),
    }
    # The header without its closing brace: the orders are its last member.
    yield f'{json_object(header)[:-1]}, "orders": ['.encode()
    yield from json_members(_orders(session, report, totals, places), end="]}\n")


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
    """As the documents write it: ``2023-02-01T12:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def json_members(members: Iterable[str], *, end: str) -> Iterator[bytes]:
    """The members of a JSON array, some hundreds at a time, and what follows the last of them."""
    waiting: list[str] = []
    separator = ""
    for member in members:
        waiting.append(separator + member)
        separator = ",\n"
        if len(waiting) == _A_CHUNK:
            yield "".join(waiting).encode()
            waiting.clear()
    yield ("".join(waiting) + end).encode()


def json_object(members: Mapping[str, str]) -> str:
    """A JSON object of members that are JSON already."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"
