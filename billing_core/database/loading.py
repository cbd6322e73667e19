"""Filling tables quickly: COPY on PostgreSQL, a prepared multi-row INSERT on SQLite; and sorting many rows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.engine import Connection

ROWS_TOGETHER: Final = 100
_PIECE_KB: Final = 2_048


@contextmanager
def sorting(connection: Connection) -> Iterator[None]:
    """While many rows are sorted. SQLite sorts as many at a time as its cache of pages is large, and merges the pieces:
    small ones, which fit the processor's cache, take a quarter less time.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    usual = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    connection.exec_driver_sql(f"PRAGMA cache_size = -{_PIECE_KB}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size = {usual}")


def loader(connection: Connection, table: Table) -> Callable[[Sequence[Sequence[Any]]], None]:
    """Takes columns of equal length, of values as the driver takes them."""
    driver: Any = connection.connection.dbapi_connection
    names = ", ".join(map(connection.dialect.identifier_preparer.format_column, table.columns))
    if connection.dialect.name == "postgresql":

        def copy(columns: Sequence[Sequence[Any]]) -> None:
            with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as target:
                for row in zip(*columns, strict=True):
                    target.write_row(row)

        return copy
    marks = f"({', '.join('?' * len(table.columns))})"
    one = f"INSERT INTO {table.name} ({names}) VALUES {marks}"
    many = f"{one}{f', {marks}' * (ROWS_TOGETHER - 1)}"

    width, together = len(table.columns), len(table.columns) * ROWS_TOGETHER

    def insert(columns: Sequence[Sequence[Any]]) -> None:
        cells: list[Any] = [None] * (width * len(columns[0]))
        for place, column in enumerate(columns):
            cells[place::width] = column
        whole = len(cells) - len(cells) % together
        for start in range(0, whole, together):
            driver.execute(many, cells[start : start + together])
        driver.executemany(one, [cells[start : start + width] for start in range(whole, len(cells), width)])

    return insert
