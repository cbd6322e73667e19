"""When a rate applies: nested conditions on an order, in the one form in which they are stored.

A condition is a leaf ``{"field", "op", "value"}`` or a group with exactly one of ``all``, ``any``, ``none``,
``one`` over a list of conditions. Stored: field names without aliases, numbers as text, SKUs as keys, countries as
ISO codes. Nothing in ``all`` is true, in ``any`` false, in ``none`` true, in ``one`` false.

Text compares trimmed and without regard to case and accents. Where the order has no value (no weight, an empty text),
the positive operators fail and the negative ones (ne, not_in, not_contains) pass.
"""

import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from billing_core.customers.countries import country_code
from billing_core.errors import Invalid
from billing_core.money import QUANTITY_PLACES
from billing_core.orders.models import sku_key
from billing_core.text import control_character

MAX_DEPTH = 6
MAX_LEAVES = 100
MAX_LIST = 500
MAX_TEXT = 200
MAX_JSON = 200_000
MAX_NUMBER = Decimal(10) ** 12


class Kind(enum.StrEnum):
    """What a field holds, which decides the operators that fit it."""

    TEXT = "text"
    COUNTRY = "country"
    NUMBER = "number"
    SKUS = "skus"


FIELDS: dict[str, Kind] = {
    "ship_to_country": Kind.COUNTRY,
    "ship_to_state": Kind.TEXT,
    "ship_to_city": Kind.TEXT,
    "ship_to_postal_code": Kind.TEXT,
    "ship_to_name": Kind.TEXT,
    "carrier": Kind.TEXT,
    "reference_number": Kind.TEXT,
    "notes": Kind.TEXT,
    "weight": Kind.NUMBER,
    "packages": Kind.NUMBER,
    "quantity": Kind.NUMBER,
    "sku_count": Kind.NUMBER,
    "line_count": Kind.NUMBER,
    "skus": Kind.SKUS,
}

ALIASES = {
    "country": "ship_to_country",
    "state": "ship_to_state",
    "city": "ship_to_city",
    "postal_code": "ship_to_postal_code",
    "reference": "reference_number",
    "quantities": "quantity",
    "total_quantity": "quantity",
    "number_of_skus": "sku_count",
    "sku": "skus",
}

GROUPS = ("all", "any", "none", "one")

_TEXT_OPERATORS = ("eq", "ne", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with")
OPERATORS: dict[Kind, tuple[str, ...]] = {
    Kind.TEXT: _TEXT_OPERATORS,
    Kind.COUNTRY: ("eq", "ne", "in", "not_in"),
    Kind.NUMBER: ("eq", "ne", "lt", "le", "gt", "ge", "in", "not_in"),
    Kind.SKUS: _TEXT_OPERATORS,
}

# Each negative operator is the exact opposite of its positive one.
OPPOSITE = {"ne": "eq", "not_in": "in", "not_contains": "contains"}
LISTS = ("in", "not_in")

Condition = dict[str, Any]


def parse(raw: str | Mapping[str, Any] | None) -> Condition | None:
    """The stored form of a condition, or None where there is none.

    Takes JSON text (an import) or values already read (a form). Invalid names the place, such as
    ``conditions.all[1].value``.
    """
    if raw is None or raw == {} or (isinstance(raw, str) and not raw.strip()):
        return None
    value = _read_json(raw) if isinstance(raw, str) else raw
    if value is None or value == {}:
        return None
    parsed = _condition(value, "conditions", depth=1)
    if "field" in parsed:
        parsed = {"all": [parsed]}
    if sum(1 for _ in leaves(parsed)) > MAX_LEAVES:
        raise _invalid("conditions", f"more than {MAX_LEAVES} comparisons")
    return parsed


def leaves(condition: Condition) -> Iterator[Condition]:
    """Every comparison in the condition, in reading order."""
    if "field" in condition:
        yield condition
        return
    _, members = group(condition)
    for member in members:
        yield from leaves(member)


def group(condition: Condition) -> tuple[str, list[Condition]]:
    """A group's operator and its members."""
    ((word, members),) = condition.items()
    return word, members


def _read_json(text: str) -> Any:
    if len(text) > MAX_JSON:
        raise _invalid("conditions", "too long")
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _invalid("conditions", "not valid JSON") from error


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _condition(raw: Any, path: str, *, depth: int) -> Condition:
    if depth > MAX_DEPTH:
        raise _invalid(path, f"nested more than {MAX_DEPTH} levels deep")
    if not isinstance(raw, Mapping):
        raise _invalid(path, "must be a comparison or one of all, any, none, one")
    if "field" in raw or "op" in raw:
        return _leaf(raw, path)
    if len(raw) != 1:
        raise _invalid(path, "must be a comparison or exactly one of all, any, none, one")
    ((word, members),) = raw.items()
    if word not in GROUPS:
        raise _invalid(f"{path}.{_short(word)}", "is none of all, any, none, one")
    if not isinstance(members, Sequence) or isinstance(members, str):
        raise _invalid(f"{path}.{word}", "must be a list")
    if len(members) > MAX_LEAVES:
        raise _invalid(f"{path}.{word}", f"more than {MAX_LEAVES} conditions")
    return {
        word: [_condition(member, f"{path}.{word}[{index}]", depth=depth + 1) for index, member in enumerate(members)]
    }


def _leaf(raw: Mapping[str, Any], path: str) -> Condition:
    for name in ("field", "op", "value"):
        if name not in raw:
            raise _invalid(f"{path}.{name}", "is missing")
    for name in raw:
        if name not in ("field", "op", "value"):
            raise _invalid(f"{path}.{_short(name)}", "is not known here")
    field = _word(raw["field"])
    field = ALIASES.get(field, field)
    if field not in FIELDS:
        raise _invalid(f"{path}.field", f"“{_short(raw['field'])}” is none of {', '.join(FIELDS)}")
    kind, op = FIELDS[field], _word(raw["op"])
    if op not in OPERATORS[kind]:
        raise _invalid(f"{path}.op", f"“{_short(raw['op'])}” does not fit {field}: use {', '.join(OPERATORS[kind])}")
    return {"field": field, "op": op, "value": _value(raw["value"], kind, op, f"{path}.value")}


def _value(raw: Any, kind: Kind, op: str, path: str) -> str | list[str]:
    if op not in LISTS:
        return _scalar(raw, kind, path)
    items = raw if isinstance(raw, Sequence) and not isinstance(raw, str) else [raw]
    if not items:
        raise _invalid(path, "must name at least one value")
    if len(items) > MAX_LIST:
        raise _invalid(path, f"more than {MAX_LIST} values")
    named = [_scalar(item, kind, f"{path}[{index}]") for index, item in enumerate(items)]
    return list(dict.fromkeys(named))


def _scalar(raw: Any, kind: Kind, path: str) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        raise _invalid(path, "must be a text or a number")
    # As orders' texts are: also of blanks that are wider or do not break.
    text = str(raw).strip()
    if not text:
        raise _invalid(path, "must not be empty")
    if len(text) > MAX_TEXT:
        raise _invalid(path, f"longer than {MAX_TEXT} characters")
    if control_character(text):
        raise _invalid(path, "contains a character that no order can hold")
    match kind:
        case Kind.NUMBER:
            return _number(text, path)
        case Kind.COUNTRY:
            return _country(text, path)
        case Kind.SKUS:
            return sku_key(text)
        case Kind.TEXT:
            return text


def _number(text: str, path: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise _invalid(path, f"“{_short(text)}” is not a number") from error
    if not number.is_finite() or abs(number) >= MAX_NUMBER:
        raise _invalid(path, f"“{_short(text)}” is not a number that can be compared")
    if number != round(number, QUANTITY_PLACES):
        raise _invalid(path, f"“{_short(text)}” has more than {QUANTITY_PLACES} decimals")
    return plain_number(number)


def plain_number(number: Decimal) -> str:
    """``20.500`` as ``20.5``, ``2E+1`` as ``20``: one way to write each number."""
    if number == 0:
        return "0"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _country(text: str, path: str) -> str:
    code = country_code(text)
    if code is None:
        raise _invalid(path, f"“{_short(text)}” is not a country")
    return code


def _word(raw: Any) -> str:
    return raw.strip().lower() if isinstance(raw, str) else ""


def _short(raw: Any) -> str:
    text = str(raw)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _invalid(path: str, reason: str) -> Invalid:
    return Invalid(f"{path}: {reason}", fields={path: reason})
