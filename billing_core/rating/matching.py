"""Conditions as SQL: one boolean expression over an order's facts, never NULL.

``conditions.evaluate`` is its counterpart in Python; a property test holds the two together.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, case, false, literal, not_, or_, true

from billing_core.database.folding import fold
from billing_core.money import QUANTITY_PLACES
from billing_core.rating.conditions import FIELDS, OPPOSITE, Kind, group
from billing_core.rating.facts import OrderFacts, needed_by_leaf

# Packages and counts are stored as they are; weight and quantities in thousandths.
_WHOLE = frozenset({"packages", "sku_count", "line_count"})


def matches(condition: dict[str, Any], facts: OrderFacts) -> ColumnElement[bool]:
    """Whether the condition holds for the order in a row of facts."""
    if "field" in condition:
        return _leaf(condition, facts)
    word, members = group(condition)
    parts = [matches(member, facts) for member in members]
    match word:
        case "all":
            return and_(true(), *parts)
        case "any":
            return or_(false(), *parts)
        case "none":
            return not_(or_(false(), *parts))
        case _:
            return _exactly_one(parts)


def _exactly_one(parts: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    held: ColumnElement[int] = literal(0, Integer)
    for part in parts:
        held = held + case((part, 1), else_=0)
    return held == 1


def _leaf(leaf: dict[str, Any], facts: OrderFacts) -> ColumnElement[bool]:
    op, kind = leaf["op"], FIELDS[leaf["field"]]
    if op in OPPOSITE:
        return not_(_leaf({**leaf, "op": OPPOSITE[op]}, facts))
    fact = facts[needed_by_leaf(leaf)]
    if kind is Kind.SKUS:
        # Exactly this one SKU, any of these, any that starts so: decided line by line in the facts.
        return fact == 1
    if kind is Kind.NUMBER:
        return _number(fact, leaf)
    return _text(fact, op, leaf["value"])


def _number(fact: ColumnElement[Any], leaf: dict[str, Any]) -> ColumnElement[bool]:
    fact = fact * 10**QUANTITY_PLACES if leaf["field"] in _WHOLE else fact
    # NOT (NULL > 5) would be NULL: an unknown value fails first, so that the negative operators pass.
    return and_(fact.is_not(None), _compared(fact, leaf["op"], leaf["value"]))


def _compared(fact: ColumnElement[Any], op: str, value: Any) -> ColumnElement[bool]:
    match op:
        case "in":
            return fact.in_([_scaled(item) for item in value])
        case "lt":
            return fact < _scaled(value)
        case "le":
            return fact <= _scaled(value)
        case "gt":
            return fact > _scaled(value)
        case "ge":
            return fact >= _scaled(value)
        case _:
            return fact == _scaled(value)


def _text(fact: ColumnElement[Any], op: str, value: Any) -> ColumnElement[bool]:
    # A missing text is empty, which no value is, so the positive operators fail.
    match op:
        case "in":
            return fact.in_([fold(item) for item in value])
        case "contains":
            return fact.contains(fold(value), autoescape=True)
        case "starts_with":
            return fact.startswith(fold(value), autoescape=True)
        case "ends_with":
            return fact.endswith(fold(value), autoescape=True)
        case _:
            return fact == fold(value)


def _scaled(text: str) -> int:
    return int(Decimal(text).scaleb(QUANTITY_PLACES))
