"""Column types: exact decimals as scaled integers, instants as UTC, the order of names."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, String
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.types import TypeDecorator

from billing_core.dates import in_utc
from billing_core.money import (
    LINE_QUANTITY_PLACES,
    PERCENT_PLACES,
    PRICE_PLACES,
    QUANTITY_PLACES,
    USAGE_PRICE_PLACES,
    scaled,
)
from billing_core.reading_order import LONGEST_ORDER, reading_order

# SQLite only gives a rowid alias (and so a cheap key) to a column declared INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")


class Scaled(TypeDecorator[Decimal]):
    """A Decimal with at most ``places`` digits after the point, stored as an integer. Refuses a value with more digits
    instead of rounding it in silence.
    """

    impl = BigInteger
    cache_ok = True

    def __init__(self, places: int) -> None:
        super().__init__()
        self.places = places

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        return scaled(Decimal(value), self.places)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-self.places)


Quantity = Scaled(QUANTITY_PLACES)
LineQuantity = Scaled(LINE_QUANTITY_PLACES)
UnitPrice = Scaled(PRICE_PLACES)
UsagePrice = Scaled(USAGE_PRICE_PLACES)
Percent = Scaled(PERCENT_PLACES)

# What ``reading_order`` makes of a name, which SQLite compares like this without being told.
ReadingOrder = String(LONGEST_ORDER).with_variant(String(LONGEST_ORDER, collation="C"), "postgresql")


def order_of(column: str) -> Callable[[DefaultExecutionContext], str]:
    """The default of the ``ReadingOrder`` of a new row: of the text that it has in this column, if any."""

    def order(context: DefaultExecutionContext) -> str:
        given: dict[str, object] = context.get_current_parameters()  # type: ignore[no-untyped-call]
        return reading_order(str(given.get(column) or ""))

    return order


def stored_on_sqlite(instant: datetime) -> str:
    """The text, to the microsecond, as which SQLite stores and compares an instant."""
    return in_utc(instant).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored and returned in UTC on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone cannot be stored")
        utc = in_utc(value)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
