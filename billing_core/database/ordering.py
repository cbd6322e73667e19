"""The order of a list, as filters name it: one of the list's orderings, with "-" in front for descending; and where a
page of it begins.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, SQLColumnExpression, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from billing_core.database.folding import fold
from billing_core.errors import Invalid

Keys = TypeVar("Keys")
_DIGITS: Final = 20
_NUMBER: Final = re.compile("[0-9]+")


class natural(FunctionElement[str]):  # noqa: N801 - reads as the SQL function that it is
    """A text as lists that are not kept in order are sorted by it: without case and accents, each number in it as a
    number of up to 20 digits. PostgreSQL's function was made by a migration. Where ``reading_order`` is kept, use that.
    """

    type = String()
    inherit_cache = True


@compiles(natural, "sqlite")
def _on_sqlite(element: natural, compiler: SQLCompiler, **options: object) -> str:
    return f"natural_order({compiler.process(element.clauses, **options)})"


@compiles(natural, "postgresql")
def _on_postgresql(element: natural, compiler: SQLCompiler, **options: object) -> str:
    return f"""(natural_order({compiler.process(element.clauses, **options)}) COLLATE "C")"""


def natural_order(text: str | None) -> str | None:
    """The same for SQLite, which is given it as it is opened."""
    return None if text is None else _NUMBER.sub(lambda number: number[0].lstrip("0").rjust(_DIGITS, "0"), fold(text))


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
