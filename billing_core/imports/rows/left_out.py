"""Orders that were left out by a word of theirs, and their lines, which are left out with them."""

from collections.abc import Iterable
from typing import BinaryIO, Final

from sqlalchemy import Column, MetaData, String, Table, delete, exists, literal, select, union_all
from sqlalchemy.engine import Connection

from billing_core.database.loading import loader
from billing_core.orders.models import Order

# The column of a file of orders by which its lines name them.
KEY: Final = "order_number"
_TOGETHER: Final = 5_000


def table(connection: Connection, name: str) -> Table:
    """Make a temporary table for the numbers of such orders."""
    orders = Table(name, MetaData(), Column(KEY, String), prefixes=["TEMPORARY"])
    orders.create(connection, checkfirst=False)
    return orders


def _load(connection: Connection, orders: Table, content: Iterable[bytes]) -> None:
    """What ``write`` wrote, in pieces that end anywhere."""
    fill, rest = loader(connection, orders), b""
    for piece in content:
        *whole, rest = (rest + piece).split(b"\n")
        if whole:
            fill([[number.decode() for number in whole]])


def write(connection: Connection, orders: Table, target: BinaryIO) -> None:
    """The numbers, each once and on a line of its own: none has a line break in it."""
    numbers = connection.scalars(select(orders.c[KEY]).distinct().execution_options(yield_per=_TOGETHER))
    target.writelines(f"{number}\n".encode() for number in numbers)


def leave_lines_out(
    connection: Connection, lines: Table, left_out: Iterable[Table | None], before: Iterable[Iterable[bytes]] = ()
) -> int:
    """Take the lines of these orders out of the staged ones, unless the order is there all the same. ``before``: what
    ``write`` wrote of other files. Returns how many lines they were.
    """
    tables = [orders for orders in left_out if orders is not None]
    for place, content in enumerate(before):
        tables.append(table(connection, f"{lines.name}_before_{place}"))
        _load(connection, tables[-1], content)
    filled = [orders for orders in tables if connection.scalar(select(literal(1)).select_from(orders).limit(1))]
    if not filled:
        return 0
    numbers = union_all(*(select(orders.c[KEY]) for orders in filled)).subquery("left_out_orders")
    there = exists().where(Order.number == lines.c[KEY])
    theirs = delete(lines).where(lines.c[KEY].in_(select(numbers.c[KEY])), ~there)
    return connection.execute(theirs).rowcount
