"""What a condition means: in words, and for one order in plain Python.

``evaluate`` is the reference for ``matching``, which does the same in SQL.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_core.database.folding import BLANKS, fold
from billing_core.rating.conditions import FIELDS, OPPOSITE, Condition, Kind, group, plain_number

# How a number of a condition, or of an order, is written.
WrittenNumber = Callable[[Decimal], str]

FIELD_WORDS = {
    "ship_to_country": "country",
    "ship_to_state": "state",
    "ship_to_city": "city",
    "ship_to_postal_code": "postal code",
    "ship_to_name": "ship-to name",
    "carrier": "carrier",
    "reference_number": "reference",
    "notes": "notes",
    "weight": "weight",
    "packages": "packages",
    "quantity": "quantity",
    "sku_count": "number of SKUs",
    "line_count": "number of lines",
    "skus": "SKUs",
}

OPERATOR_WORDS = {
    "eq": "is",
    "ne": "is not",
    "lt": "is below",
    "le": "is at most",
    "gt": "is above",
    "ge": "is at least",
    "in": "is one of",
    "not_in": "is none of",
    "contains": "contains",
    "not_contains": "does not contain",
    "starts_with": "starts with",
    "ends_with": "ends with",
}

_PLURAL_WORDS = {
    "eq": "are",
    "ne": "are not",
    "lt": "are below",
    "le": "are at most",
    "gt": "are above",
    "ge": "are at least",
    "in": "are one of",
    "not_in": "are none of",
    "contains": "contain",
    "not_contains": "do not contain",
    "starts_with": "start with",
    "ends_with": "end with",
}

_SKU_WORDS = {
    "eq": "are exactly",
    "ne": "are not exactly",
    "in": "include one of",
    "not_in": "include none of",
    "contains": "include",
    "not_contains": "do not include",
    "starts_with": "include one that starts with",
    "ends_with": "include one that ends with",
}

_JOINED = {"all": " and ", "any": " or ", "none": ", ", "one": ", "}
_OPENED = {"all": "", "any": "", "none": "none of ", "one": "exactly one of "}
_EMPTY = {"all": "always", "any": "never", "none": "always", "one": "never"}


def describe(condition: Condition | None, *, number: WrittenNumber = plain_number) -> str:
    """A condition in words, such as ``weight is above 20 and country is not US``; ``number`` writes its numbers."""
    return _described(condition, number, outermost=True) if condition else "always"


def describe_leaf(leaf: Condition, *, number: WrittenNumber = plain_number) -> str:
    """One comparison in words. Where numbers have commas, semicolons stand between them, as where they are typed."""
    field, op, value = leaf["field"], leaf["op"], leaf["value"]
    listed = value if isinstance(value, list) else [value]
    if FIELDS[field] is Kind.NUMBER:
        listed = [number(Decimal(one)) for one in listed]
    between = "; " if any("," in one for one in listed) and FIELDS[field] is Kind.NUMBER else ", "
    return f"{FIELD_WORDS[field]} {operator_words(field)[op]} {between.join(listed)}"


def operator_words(field: str) -> dict[str, str]:
    """How each operator reads after this field's name."""
    if field == "skus":
        return _SKU_WORDS
    return _PLURAL_WORDS if field in ("packages", "notes") else OPERATOR_WORDS


def evaluate(condition: Condition | None, facts: Mapping[str, Any]) -> bool:
    """Whether the condition holds for one order.

    ``facts`` has every field by name: texts, Decimals or None for numbers, and the SKU keys of the lines as
    ``skus``.
    """
    if condition is None:
        return True
    if "field" in condition:
        return _holds(condition, facts[condition["field"]])
    word, members = group(condition)
    held = [evaluate(member, facts) for member in members]
    match word:
        case "all":
            return all(held)
        case "any":
            return any(held)
        case "none":
            return not any(held)
        case _:
            return sum(held) == 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison or group of a condition, checked against an order; ``depth`` is its nesting level."""

    depth: int
    words: str
    held: bool
    actual: str


def findings(
    condition: Condition, facts: Mapping[str, Any], *, depth: int = 0, number: WrittenNumber = plain_number
) -> list[Finding]:
    """Why a condition holds or fails: each part in reading order, with the order's value. ``number`` writes numbers."""
    held = evaluate(condition, facts)
    if "field" in condition:
        actual = _actual(facts[condition["field"]], number)
        return [Finding(depth, describe_leaf(condition, number=number), held, actual)]
    word, members = group(condition)
    below = [inner for member in members for inner in findings(member, facts, depth=depth + 1, number=number)]
    return [Finding(depth, GROUP_WORDS[word], held, ""), *below]


GROUP_WORDS = {"all": "all of", "any": "at least one of", "none": "none of", "one": "exactly one of"}


def _actual(fact: Any, number: WrittenNumber) -> str:
    if isinstance(fact, Decimal):
        return number(fact)
    if fact is None or fact == "":
        return "not known"
    return str(fact) if isinstance(fact, str | int) else ", ".join(sorted(fact)) or "no lines"


def _described(condition: Condition, number: WrittenNumber, *, outermost: bool) -> str:
    if "field" in condition:
        return describe_leaf(condition, number=number)
    word, members = group(condition)
    if not members:
        return _EMPTY[word]
    parts = [_described(member, number, outermost=len(members) == 1 and word in ("all", "any")) for member in members]
    joined = _JOINED[word].join(parts)
    if word in ("none", "one"):
        return f"{_OPENED[word]}({joined})"
    return joined if outermost or len(parts) == 1 else f"({joined})"


def _holds(leaf: Condition, fact: Any) -> bool:
    op, value = leaf["op"], leaf["value"]
    if op in OPPOSITE:
        return not _holds({**leaf, "op": OPPOSITE[op]}, fact)
    match FIELDS[leaf["field"]]:
        case Kind.SKUS:
            return _skus_hold(fact, op, value)
        case Kind.NUMBER:
            return fact is not None and _number_holds(Decimal(fact), op, value)
        case _:
            return _text_holds(fold(fact.strip(BLANKS)), op, value)


def _skus_hold(skus: Collection[str], op: str, value: Any) -> bool:
    match op:
        case "eq":
            return set(skus) == {value}
        case "in":
            return any(sku in value for sku in skus)
        case "contains":
            return value in skus
        case "starts_with":
            return any(sku.startswith(value) for sku in skus)
        case _:
            return any(sku.endswith(value) for sku in skus)


def _number_holds(number: Decimal, op: str, value: Any) -> bool:
    match op:
        case "in":
            return any(number == Decimal(item) for item in value)
        case "lt":
            return number < Decimal(value)
        case "le":
            return number <= Decimal(value)
        case "gt":
            return number > Decimal(value)
        case "ge":
            return number >= Decimal(value)
        case _:
            return number == Decimal(value)


def _text_holds(text: str, op: str, value: Any) -> bool:
    match op:
        case "in":
            return text in [fold(item) for item in value]
        case "contains":
            return fold(value) in text
        case "starts_with":
            return text.startswith(fold(value))
        case "ends_with":
            return text.endswith(fold(value))
        case _:
            return text == fold(value)
