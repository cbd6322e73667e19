"""Prices that depend on an order's quantity, in the one form in which they are stored.

Graduated: each slice of the quantity costs its own tier's price. Volume: the whole quantity costs the price of the
tier that it reaches. A quantity of exactly ``up_to`` still belongs to that tier.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from billing_core.errors import Invalid
from billing_core.money import LARGEST_MINOR, LARGEST_PRICE, PRICE_PLACES, QUANTITY_PLACES
from billing_core.rating.conditions import plain_number
from billing_core.rating.models import TierMode

MAX_TIERS = 50
MAX_JSON = 20_000
# The tiers of a percentage are amounts: of a currency without a smaller unit, no more than this many.
LARGEST_END = Decimal(LARGEST_MINOR)

_PLACE = re.compile(r"tiers\[(?P<index>\d+)\](?:\.(?P<name>.+))?")


@dataclass(frozen=True, slots=True)
class Tiers:
    """``rows`` as a rate stores them: ``{"up_to": "10", "unit_price": "0.5"}``, the last ``up_to`` None."""

    mode: TierMode
    rows: list[dict[str, Any]]


def parse(
    raw: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None, *, mode: TierMode = TierMode.GRADUATED
) -> Tiers | None:
    """The stored form of tiers, or None where there are none.

    Takes a list of ``{"up_to", "unit_price"}`` (then ``mode`` says how they work) or
    ``{"mode": "graduated" | "volume", "tiers": [...]}``, as JSON text or as values already read. Quantities have
    at most 3 decimals, prices (major units, or percent) at most 6. Invalid names the place, such as
    ``tiers[1].up_to``.
    """
    value = _read_json(raw) if isinstance(raw, str) else raw
    if isinstance(value, Mapping) and value:
        value, mode = _named(value)
    if value is None or (isinstance(value, Mapping | Sequence) and not isinstance(value, str) and not value):
        return None
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _invalid("tiers", "must be a list of tiers")
    if len(value) > MAX_TIERS:
        raise _invalid("tiers", f"more than {MAX_TIERS} tiers")
    rows = [_row(row, f"tiers[{index}]") for index, row in enumerate(value)]
    _refuse_disorder(rows)
    return Tiers(mode, rows)


def _read_json(text: str) -> Any:
    if not text.strip():
        return None
    if len(text) > MAX_JSON:
        raise _invalid("tiers", "too long")
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise _invalid("tiers", "not valid JSON") from error


def _named(value: Mapping[str, Any]) -> tuple[Any, TierMode]:
    for name in value:
        if name not in ("mode", "tiers"):
            raise _invalid(f"tiers.{str(name)[:60]}", "is not known here")
    word = value.get("mode", TierMode.GRADUATED)
    try:
        mode = TierMode(word)
    except ValueError as error:
        raise _invalid("tiers.mode", "must be graduated or volume") from error
    return value.get("tiers"), mode


def _row(raw: Any, path: str) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise _invalid(path, "must have up_to and unit_price")
    for name in raw:
        if name not in ("up_to", "unit_price"):
            raise _invalid(f"{path}.{str(name)[:60]}", "is not known here")
    if raw.get("unit_price") is None:
        raise _invalid(f"{path}.unit_price", "is missing")
    up_to = raw.get("up_to")
    return {
        "up_to": None if up_to is None else _decimal(up_to, QUANTITY_PLACES, LARGEST_END, f"{path}.up_to"),
        "unit_price": _decimal(raw["unit_price"], PRICE_PLACES, LARGEST_PRICE, f"{path}.unit_price"),
    }


def _decimal(raw: Any, places: int, largest: Decimal, path: str) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        raise _invalid(path, "must be a number")
    try:
        number = Decimal(str(raw).strip())
    except InvalidOperation as error:
        raise _invalid(path, "is not a number") from error
    if not number.is_finite() or number > largest:
        raise _invalid(path, f"must be at most {largest:,}")
    if number < 0:
        raise _invalid(path, "must not be negative")
    if number != round(number, places):
        raise _invalid(path, f"has more than {places} decimals")
    return plain_number(number)


def _refuse_disorder(rows: list[dict[str, Any]]) -> None:
    reached = Decimal(0)
    for index, row in enumerate(rows[:-1]):
        if row["up_to"] is None:
            raise _invalid(f"tiers[{index}].up_to", "only the last tier may be without an end")
        if Decimal(row["up_to"]) <= reached:
            raise _invalid(f"tiers[{index}].up_to", "must be greater than the tier before")
        reached = Decimal(row["up_to"])
    if rows[-1]["up_to"] is not None:
        raise _invalid(f"tiers[{len(rows) - 1}].up_to", "the last tier must be without an end")


def _invalid(path: str, reason: str) -> Invalid:
    return Invalid(f"{_in_words(path)}: {reason}", fields={path: reason})


def _in_words(path: str) -> str:
    """``tiers[0].unit_price`` as people count: ``Tier 1, unit price``."""
    match = _PLACE.fullmatch(path)
    if match is None:
        return "Tiers" if path == "tiers" else path
    name = (match["name"] or "").replace("_", " ")
    return f"Tier {int(match['index']) + 1}" + (f", {name}" if name else "")
