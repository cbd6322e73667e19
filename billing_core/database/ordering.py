"""The order of a list, as filters name it: one of the list's orderings, with "-" in front for descending; and where a
page of it begins.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, SQLColumnExpression

from billing_core.errors import Invalid

Keys = TypeVar("Keys")


def chosen(orderings: Mapping[str, Keys], order_by: str) -> Keys:
    """The ordering of this name; Invalid where there is none."""
    name = order_by.removeprefix("-")
    if name not in orderings:
        allowed = f"one of {', '.join(orderings)}, with a leading - for descending"
        raise Invalid(f"Invalid order_by: {order_by}", fields={"order_by": allowed})
    return orderings[name]


def no_such_start() -> Invalid:
    """Of a page that is to follow what the list does not have, or not for this actor."""
    reason = "names nothing in this list"
    return Invalid(f"starting_after: {reason}", fields={"starting_after": reason})


def ordered(order_by: str, *keys: SQLColumnExpression[Any]) -> list[ColumnElement[Any]]:
    """In SQL: by these keys, all of them in the requested direction."""
    return [key.desc() if order_by.startswith("-") else key.asc() for key in keys]
