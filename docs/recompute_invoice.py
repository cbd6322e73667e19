"""Recompute a line of an invoice from one's own events: ``python recompute_invoice.py EVENTS.ndjson …``

An example for customers, which needs Python 3.11 and nothing of ours. EVENTS has one JSON object a line, as the API
lists events (GET /api/v1/analytics/usage/{org_id}/events) and as ``usage export`` writes them. The rest is agreed, and
printed on the invoice: the days of the line, what is included in them, and the prices.

    python recompute_invoice.py events.ndjson --from 2026-03-01 --to 2026-03-31 --zone Europe/Berlin \
        --included 10000 --price 0.001

Where a price has tiers, each is given as UP_TO:PRICE, the last one without an end; a fee stands behind a plus sign. A
line of a meter whose price is 7.00 a month, 1.00 each for the first ten and 0.50 for all others, and at least 20.00:

    python recompute_invoice.py events.ndjson --from 2026-03-11 --to 2026-03-31 --period-from 2026-03-01 \
        --meter seats --aggregation max --price 10:1.00+7.00 --price 0.50 --minimum 20

There the plan changed on 11 March. Tiers, fees and the minimum are given as they were agreed for the whole period: of a
part of it they count by its days. ``included`` is what the line says.

Events that came after the invoice are not on it, and those that were withdrawn afterwards still are: ``--billed-at``
says when it was made. What they change is on a later one as "Late usage", or is credited: what the days come to with
them, less what they came to before. ``--late-until`` says when that later one was made, and ``--late-since`` when the
one before it was, if there was late usage of the line on that too:

    python recompute_invoice.py events.ndjson --from 2026-03-01 --to 2026-03-31 --zone Europe/Berlin \
        --included 10000 --price 0.001 --billed-at 2026-04-01T08:00:00 --late-until 2026-05-01T08:00:00

Late usage that was dealt with by itself, such as what was waived, is another stretch of that time.

The digest of each UTC day can be compared with ours (GET /api/v1/analytics/usage/{org_id}/daily): the same digest is
made of the same events.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, getcontext
from fractions import Fraction
from hashlib import sha256
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

AGGREGATIONS = ("count", "sum", "max", "unique", "latest", "time_weighted_sum")
# Quantities have so many digits after the point.
PLACES = 6
# More digits than any amount has.
getcontext().prec = 100


@dataclass
class Tier:
    up_to: Fraction | None
    price: Fraction
    fee: Fraction


@dataclass
class Made:
    """When an invoice was made, None: it is not known. ``with_late``: it bills what came late for the days too."""

    at: datetime | None
    with_late: bool


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


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def known(event: dict[str, Any], asked: argparse.Namespace, made: Made) -> bool:
    """Did it count when the invoice was made? What came too late for its own period is not on that one's invoice."""
    in_period = instant(event["time"]) >= midnight(asked.period_start, asked.zone)
    if event["late"] and in_period and not made.with_late:
        return False
    if made.at is None:
        return event["withdrawn_at"] is None
    withdrawn = event["withdrawn_at"] is not None and instant(event["withdrawn_at"]) <= made.at
    return instant(event["received_at"]) <= made.at and not withdrawn


def counted(events: Iterable[dict[str, Any]], asked: argparse.Namespace, made: Made) -> list[dict[str, Any]]:
    """The events of the line's meter and bucket until its last day, in order."""
    end = midnight(asked.end + timedelta(days=1), asked.zone)
    found = [
        event
        for event in events
        if event["meter"] == asked.meter
        and event.get("bucket") == asked.bucket
        and instant(event["time"]) < end
        and known(event, asked, made)
    ]
    return sorted(found, key=lambda event: (instant(event["time"]), event["id"]))


def quantity(events: list[dict[str, Any]], asked: argparse.Namespace) -> Fraction:
    """What the meter makes of these events on the days of the line."""
    start = midnight(asked.start, asked.zone)
    before = [event for event in events if instant(event["time"]) < start]
    inside = [event for event in events if instant(event["time"]) >= start]
    match asked.aggregation:
        case "count":
            return Fraction(len(inside))
        case "sum":
            return sum((exact(event["quantity"]) for event in inside), Fraction(0))
        case "max":
            return max((exact(event["quantity"]) for event in inside), default=Fraction(0))
        case "latest":
            return exact((before + inside)[-1]["quantity"]) if before or inside else Fraction(0)
        case "unique":
            # Each counts once a period, where it comes first.
            begun = midnight(asked.period_start, asked.zone)
            earlier = {value(event, asked) for event in before if instant(event["time"]) >= begun}
            return Fraction(len({value(event, asked) for event in inside} - earlier - {None}))
        case _:
            return weighted(before[-1:], inside, asked)


def value(event: dict[str, Any], asked: argparse.Namespace) -> str | None:
    """What is unique about it; None where it does not say."""
    if not asked.unique_of:
        return event["user"] or None
    told = event["properties"].get(asked.unique_of)
    return None if told is None else canonical(told)


def weighted(held: list[dict[str, Any]], inside: list[dict[str, Any]], asked: argparse.Namespace) -> Fraction:
    """Each quantity holds until the next event, and counts for as much of the period as it held."""
    start, end = (midnight(day, asked.zone) for day in (asked.start, asked.end + timedelta(days=1)))
    first, last = (midnight(day, asked.zone) for day in (asked.period_start, asked.period_end + timedelta(days=1)))
    times = [*(start for _ in held), *(instant(event["time"]) for event in inside), end]
    levels = [exact(event["quantity"]) for event in [*held, *inside]]
    microsecond = timedelta(microseconds=1)
    spans = [(later - earlier) // microsecond for earlier, later in pairwise(times)]
    total = sum((level * span for level, span in zip(levels, spans, strict=True)), Fraction(0))
    return rounded(total / ((last - first) // microsecond), PLACES)


def exact(number: Decimal | int) -> Fraction:
    return Fraction(number)


def rounded(number: Fraction, places: int) -> Fraction:
    """Half of the last digit away from zero."""
    whole = floor(abs(number) * 10**places + Fraction(1, 2))
    return Fraction(whole if number >= 0 else -whole, 10**places)


def price(billable: Fraction, asked: argparse.Namespace) -> Iterator[tuple[str, Fraction]]:
    """What is due, as the line prints it, and the amount of each."""
    days, of_days = (asked.end - asked.start).days + 1, (asked.period_end - asked.period_start).days + 1
    share = Fraction(days, of_days)
    # What does not add up over days is priced as of a whole period, and that counts by its days.
    stands = asked.aggregation in ("max", "latest")
    places = 0 if asked.aggregation in ("count", "unique") else PLACES
    tiers = asked.tiers if stands else shared(asked.tiers, share, places)
    printed = "" if share == 1 else f" × {share}"
    due = Fraction(0)
    for units, tier in used(billable, tiers, asked.scheme):
        if units:
            times = units / asked.per
            shown = f"{plain(units)} × {plain(tier.price)}" + (f" / {plain(asked.per)}" if asked.per != 1 else "")
            if asked.scheme == "package":
                times = Fraction(ceil(times))
                shown = f"{times} packages of {plain(asked.per)} × {plain(tier.price)}"
            amount = times * tier.price * (share if stands else 1)
            due += amount
            yield shown + (printed if stands else ""), amount
        if tier.fee:
            due += tier.fee * share
            yield f"fee {plain(tier.fee)}{printed}", tier.fee * share
    if due < asked.minimum * share:
        yield f"at least {plain(asked.minimum)}{printed}", asked.minimum * share - due


def shared(tiers: list[Tier], share: Fraction, places: int) -> list[Tier]:
    """Where tiers end on a part of the period: rounded up to whole units, or to the digits that quantities have."""
    step = Fraction(1, 10**places)
    ends = [None if one.up_to is None else min(ceil(one.up_to * share / step) * step, one.up_to) for one in tiers]
    return [Tier(end, one.price, one.fee) for end, one in zip(ends, tiers, strict=True)]


def used(billable: Fraction, tiers: Sequence[Tier], scheme: str) -> Iterator[tuple[Fraction, Tier]]:
    """The tiers that are due, each with the units that have its price; the first one also when nothing was used."""
    if scheme != "graduated":
        yield billable, next(tier for tier in tiers if tier.up_to is None or billable <= tier.up_to)
        return
    below = Fraction(0)
    for place, tier in enumerate(tiers):
        if place == 0 or (billable > below and tier.up_to != below):
            yield (billable if tier.up_to is None else min(billable, tier.up_to)) - below, tier
        below = below if tier.up_to is None else tier.up_to


def money(amount: Fraction, asked: argparse.Namespace) -> str:
    return f"{Decimal(amount.numerator) / Decimal(amount.denominator):.{asked.decimals}f}"


def plain(number: Fraction | Decimal | int) -> str:
    """An exact number with as many digits as it has."""
    if isinstance(number, Fraction):
        number = Decimal(number.numerator) / Decimal(number.denominator)
    text = f"{Decimal(number):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def canonical(told: Any) -> str:
    """JSON in the one form that equal values have."""
    match told:
        case dict():
            return "{" + ",".join(f"{canonical(name)}:{canonical(told[name])}" for name in sorted(told)) + "}"
        case list():
            return "[" + ",".join(map(canonical, told)) + "]"
        case bool() | None | str():
            return json.dumps(told, ensure_ascii=False)
        case _:
            return plain(told)


def digest(event: dict[str, Any]) -> bytes:
    """The SHA-256 of the event's id and content."""
    moment = instant(event["time"]).isoformat(timespec="microseconds")
    numbers = [None if event[name] is None else plain(event[name]) for name in ("response_time", "quantity")]
    texts = [event["id"], moment, event["meter"], event["user"], event["endpoint"]]
    content = [*texts, *numbers, canonical(event["properties"])]
    return sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).digest()


def digests(events: list[dict[str, Any]], asked: argparse.Namespace) -> dict[date, str]:
    """Of each UTC day: the first four words of 32 bits of its events' digests, each added up without what overflows."""
    days: dict[date, list[int]] = {}
    for event in events:
        day = instant(event["time"]).date()
        if event["withdrawn_at"] is None and asked.period_start <= day <= asked.period_end:
            words = days.setdefault(day, [0, 0, 0, 0])
            found = digest(event)
            for place in range(4):
                words[place] = (words[place] + int.from_bytes(found[4 * place : 4 * place + 4])) % 2**32
    return {day: "".join(f"{word:08x}" for word in words) for day, words in sorted(days.items())}


def tier(text: str) -> Tier:
    up_to, _, rest = text.rpartition(":")
    unit_price, _, fee = rest.partition("+")
    return Tier(Fraction(up_to) if up_to else None, Fraction(unit_price), Fraction(fee or 0))


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("events", type=Path)
    parser.add_argument("--from", dest="start", type=date.fromisoformat, required=True, help="first day of the line")
    parser.add_argument("--to", dest="end", type=date.fromisoformat, required=True, help="last day of the line")
    parser.add_argument(
        "--period-from", dest="period_start", type=date.fromisoformat, help="first day of the invoice, if another"
    )
    parser.add_argument(
        "--period-to", dest="period_end", type=date.fromisoformat, help="last day of the invoice, if another"
    )
    parser.add_argument("--zone", type=ZoneInfo, default=ZoneInfo("UTC"), help="the time zone of these days")
    parser.add_argument("--meter", default="api_calls")
    parser.add_argument("--bucket", help="the bucket of the line, as the events name it; by default those in none")
    parser.add_argument("--aggregation", choices=AGGREGATIONS, default="count", help="what the meter makes of events")
    parser.add_argument("--unique-of", default="", metavar="PROPERTY", help="of unique: by default the user")
    parser.add_argument("--scheme", choices=("graduated", "volume", "package"), default="graduated")
    parser.add_argument("--included", type=Fraction, default=Fraction(0), help="as the line says it")
    parser.add_argument("--per", type=Fraction, default=Fraction(1), help="how many units a price is for")
    parser.add_argument(
        "--price", dest="tiers", type=tier, action="append", required=True, metavar="[UP_TO:]PRICE[+FEE]"
    )
    parser.add_argument("--minimum", type=Fraction, default=Fraction(0))
    parser.add_argument("--decimals", type=int, default=2, help="of the currency")
    parser.add_argument(
        "--waived", type=Fraction, default=Fraction(0), help="what the line says was waived when it was billed before"
    )
    parser.add_argument("--billed-at", type=instant, help="when the invoice of these days was made, in UTC")
    parser.add_argument("--late-until", type=instant, help="when the invoice with late usage was made, in UTC")
    parser.add_argument("--late-since", type=instant, help="when the one before it with late usage of the line was")
    asked = parser.parse_args(given)
    if asked.late_until and not asked.billed_at:
        parser.error("late usage is what changed since --billed-at")
    if asked.late_since and not asked.late_until:
        parser.error("--late-since is for late usage: --late-until is missing")
    asked.period_start = asked.period_start or asked.start
    asked.period_end = asked.period_end or asked.end
    return asked


def billed(
    events: list[dict[str, Any]], asked: argparse.Namespace, made: Made
) -> tuple[Fraction, list[tuple[str, Fraction]], Fraction]:
    """The quantity of the line, what is due for it, and the amount; by what counted when the invoice was made."""
    # Less than nothing is billed as nothing.
    found = max(quantity(counted(events, asked, made), asked), Fraction(0))
    parts = list(price(max(found - asked.included, Fraction(0)), asked))
    return found, parts, rounded(sum((amount for _, amount in parts), Fraction(0)), asked.decimals)


def main(given: Sequence[str] | None = None) -> None:
    asked = arguments(given)
    with asked.events.open(encoding="utf-8") as lines:
        events = list(read(lines))
    found, parts, total = billed(events, asked, Made(asked.late_until or asked.billed_at, bool(asked.late_until)))
    before, total_before = Fraction(0), asked.waived
    if asked.late_until:
        before, _, total_before = billed(
            events, asked, Made(asked.late_since or asked.billed_at, bool(asked.late_since))
        )
        print("used", plain(found))
    print("quantity", plain(found - before))
    print("billable", plain(max(found - asked.included, Fraction(0))))
    for shown, _ in parts:
        print("part", shown)
    if asked.late_until:
        print("comes to", money(total, asked), "instead of", money(total_before, asked))
    print("amount", money(total - total_before, asked))
    for day, words in digests(events, asked).items():
        print("digest", day, words)


if __name__ == "__main__":
    main()
