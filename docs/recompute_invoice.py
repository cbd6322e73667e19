"""Recompute a line of an invoice from one's own events: ``python recompute_invoice.py EVENTS.ndjson …``

An example for customers, which needs Python 3.11 and nothing of ours. EVENTS has one JSON object a line, as the API
lists events (GET /api/v1/analytics/usage/{org_id}/events) and as ``usage export`` writes them. The rest is printed on
the invoice's line: its days, what is included, and the price, or the price of each tier as UP_TO:PRICE.

    python recompute_invoice.py events.ndjson --from 2026-03-01 --to 2026-03-31 --zone Europe/Berlin \
        --included 10000 --price 0.001

Events that came after the invoice are not on it, and those that were withdrawn afterwards still are: ``--billed-at``
says when it was made. The digest of each UTC day can be compared with ours
(GET /api/v1/analytics/usage/{org_id}/daily): the same digest is made of the same events.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo


def read(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Each event once, with exact numbers."""
    seen = set()
    for line in lines:
        event = json.loads(line, parse_float=Decimal)
        if event["id"] not in seen:
            seen.add(event["id"])
            yield event


def instant(text: str) -> datetime:
    """An instant as the API writes it, in UTC."""
    told = datetime.fromisoformat(text)
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)


def on_line(event: dict[str, Any], asked: argparse.Namespace) -> bool:
    """Was it billed there?"""
    day = instant(event["time"]).astimezone(asked.zone).date()
    withdrawn = event["withdrawn_at"] is not None and (
        asked.billed_at is None or instant(event["withdrawn_at"]) <= asked.billed_at
    )
    return asked.start <= day <= asked.end and event["meter"] == asked.meter and not event["late"] and not withdrawn


def amount(billable: Decimal, tiers: list[tuple[Decimal | None, Decimal]], decimals: int) -> Decimal:
    """Each unit at the price of its tier, rounded once."""
    exact, below = Decimal(0), Decimal(0)
    for up_to, price in tiers:
        until = billable if up_to is None else min(up_to, billable)
        exact += max(until - below, Decimal(0)) * price
        below = max(until, below)
    return exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def plain(number: Decimal | int) -> str:
    text = f"{Decimal(number):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def canonical(value: Any) -> str:
    """JSON in the one form that equal values have."""
    match value:
        case dict():
            return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in sorted(value)) + "}"
        case list():
            return "[" + ",".join(map(canonical, value)) + "]"
        case bool() | None | str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return plain(value)


def digest(event: dict[str, Any]) -> bytes:
    """The SHA-256 of the event's id and content."""
    time = instant(event["time"]).isoformat(timespec="microseconds")
    numbers = [None if event[name] is None else plain(event[name]) for name in ("response_time", "quantity")]
    texts = [event["id"], time, event["meter"], event["user"], event["endpoint"]]
    content = [*texts, *numbers, canonical(event["properties"])]
    return sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).digest()


def digests(events: list[dict[str, Any]]) -> dict[date, str]:
    """Of each UTC day: the first four words of 32 bits of its events' digests, each added up without what overflows."""
    days: dict[date, list[int]] = {}
    for event in events:
        if event["withdrawn_at"] is None:
            words = days.setdefault(instant(event["time"]).date(), [0, 0, 0, 0])
            found = digest(event)
            for place in range(4):
                words[place] = (words[place] + int.from_bytes(found[4 * place : 4 * place + 4])) % 2**32
    return {day: "".join(f"{word:08x}" for word in words) for day, words in sorted(days.items())}


def tier(text: str) -> tuple[Decimal | None, Decimal]:
    up_to, _, price = text.rpartition(":")
    return (Decimal(up_to) if up_to else None), Decimal(price)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("events", type=Path)
    parser.add_argument("--from", dest="start", type=date.fromisoformat, required=True, help="first day of the line")
    parser.add_argument("--to", dest="end", type=date.fromisoformat, required=True, help="last day of the line")
    parser.add_argument("--zone", type=ZoneInfo, default=ZoneInfo("UTC"), help="the time zone of these days")
    parser.add_argument("--meter", default="api_calls")
    parser.add_argument("--sum", action="store_true", help="the meter adds quantities up instead of counting events")
    parser.add_argument("--included", type=Decimal, default=Decimal(0))
    parser.add_argument("--price", dest="tiers", type=tier, action="append", required=True, metavar="[UP_TO:]PRICE")
    parser.add_argument("--decimals", type=int, default=2, help="of the currency")
    parser.add_argument("--billed-at", type=instant, help="when the invoice was made, in UTC")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    with asked.events.open(encoding="utf-8") as lines:
        events = list(read(lines))
    billed = [event for event in events if on_line(event, asked)]
    quantity = sum((Decimal(event["quantity"]) if asked.sum else Decimal(1) for event in billed), Decimal(0))
    billable = max(quantity - asked.included, Decimal(0))
    print("quantity", plain(quantity))
    print("billable", plain(billable))
    print("amount", amount(billable, asked.tiers, asked.decimals))
    for day, found in digests(events).items():
        print("digest", day, found)


if __name__ == "__main__":
    main()
