"""What SQLite and PostgreSQL spell differently, or would take differently."""

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class month_of(FunctionElement[date]):  # noqa: N801 - reads as the SQL function that it is
    """The first day of the month in which a day lies."""

    type = Date()
    inherit_cache = True


@compiles(month_of, "sqlite")
def _on_sqlite(element: month_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)}, 'start of month')"


@compiles(month_of, "postgresql")
def _on_postgresql(element: month_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(date_trunc('month', {compiler.process(element.clauses, **options)}) AS date)"


def mentions(text: str, *columns: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """One of the columns contains the text, whatever the case. NUL, which PostgreSQL refuses, is left out of it."""
    wanted = text.replace("\0", "")
    return or_(*(column.icontains(wanted, autoescape=True) for column in columns))
