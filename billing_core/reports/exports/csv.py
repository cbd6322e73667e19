"""Reports as CSV: the published four columns, and the long variant that explains every charge."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from billing_core.csv_text import cell, harmless, quoted
from billing_core.money import QUANTITY_PLACES, decimal_places
from billing_core.reports import contents
from billing_core.reports.exports import explained, rows
from billing_core.reports.exports.explained import UNIT_PRICE_PLACES
from billing_core.reports.exports.rows import scaled, trimmed
from billing_core.reports.queries import Report

LONG_COLUMNS = (
    "order_number",
    "reference_number",
    "order_date",
    "status",
    "ship_to_name",
    "ship_to_address",
    "service_code",
    "service_name",
    "cost_type",
    "quantity",
    "unit_price",
    "tier",
    "bound",
    "condition",
    "currency",
    "amount",
)

_LINES_A_CHUNK = 2_000


def short(session: Session, report: Report) -> Iterator[bytes]:
    """``order_id,service_id,service_name,amount``, names in quotes and amounts with the currency's digits.

    Written by hand, for speed: names repeat and the rest are non-negative integers, so that no cell needs a CSV
    writer's look.
    """
    names = rows.service_names(session, report)
    middle = {service_id: f",{service_id},{quoted(harmless(name))}," for service_id, name in names.items()}
    unit, ends = _line_ends(report.currency)
    yield b"order_id,service_id,service_name,amount\r\n"
    for batch in rows.batches(session, rows.charges(report)):
        yield "".join(
            [
                f"{order_id}{middle[service_id]}{minor // unit}{ends[minor % unit]}"
                for order_id, service_id, minor in batch
            ]
        ).encode()


def long(session: Session, report: Report) -> Iterator[bytes]:
    """What explains each charge, with its order (``LONG_COLUMNS``): in every line quantity × unit_price = amount, and a
    charge has a line for each of its tiers and for what its minimum or maximum changed.
    """
    codes = rows.service_codes(session)
    services = {
        total.service_id: f",{cell(codes[total.service_id])},{cell(total.service_name)},{total.cost_type},"
        for total in contents.service_totals(session, report)
    }
    explaining = explained.of_report(session, report)
    places = decimal_places(report.currency)
    unit, ends = rows.endings(places)
    lines = [",".join(LONG_COLUMNS) + "\r\n"]
    for order, charges in rows.by_order(session, report, rows.explained_charges(report)):
        _, number, reference, day, status, name, address, *_ = order
        start = ",".join((cell(number), cell(reference), day.isoformat(), status, cell(name), cell(address)))
        lines += [
            f"{start}{services[service_id]}{trimmed(quantity, QUANTITY_PLACES)},{trimmed(price, UNIT_PRICE_PLACES)},"
            f"{tier or ''},{bound or ''},{cell(matched) if matched else ''},"
            f"{report.currency},{scaled(minor, places) if minor < 0 else f'{minor // unit}{ends[minor % unit]}'}\r\n"
            for service_id, quantity, price, tier, bound, matched, minor in explaining.rows(charges)
        ]
        if len(lines) > _LINES_A_CHUNK:
            yield "".join(lines).encode()
            lines.clear()
    yield "".join(lines).encode()


def _line_ends(currency: str) -> tuple[int, list[str]]:
    """Minor units in a major unit, and the end of a line for each remainder: ``.00`` to ``.99``."""
    unit, ends = rows.endings(decimal_places(currency))
    return unit, [f"{end}\r\n" for end in ends]
