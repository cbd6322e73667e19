"""What the cells of a file mean, apart from how they are written, and what is stored of whole rows of them."""

import enum
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

# The business's: evenings of the west are mornings of the next day elsewhere.
ZONE = "America/Los_Angeles"


class Holds(enum.StrEnum):
    """What the cells of a column are."""

    CODE = "code"
    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    POSTAL = "postal code"
    COUNTRY = "country"
    CURRENCY = "currency"
    STATUS = "status"
    SHIPPED = "day of shipping"
    DAY = "day"
    NUMBER = "number"
    MONEY = "money"
    COST_TYPE = "cost type"


class Lost:
    """The meaning of a cell that cannot be known from the file: whatever is stored for it is wrong."""

    def __repr__(self) -> str:
        return "LOST"


LOST = Lost()
LEFT_OUT = "leave-out"


@dataclass(frozen=True)
class At:
    """An instant that names its offset: of which day it is depends on whose day counts."""

    local: datetime
    offset: timedelta

    def day(self, whose: str) -> date:
        """``here`` or ``there``."""
        if whose == "there":
            return self.local.date()
        return self.local.replace(tzinfo=timezone(self.offset)).astimezone(ZoneInfo(ZONE)).date()


@dataclass(frozen=True)
class Word:
    """A word of theirs, and what it means to us: ``ours``, LEFT_OUT, or nothing."""

    theirs: str
    ours: str


@dataclass(frozen=True)
class Rule:
    """Where the value of a field is: in the first of the ``alternatives`` that is filled, whose columns are joined;
    or ``fixed``. Several columns that are a word together have their ``words``: (theirs, ours).
    """

    alternatives: tuple[tuple[str, ...], ...] = ()
    joint: str = " "
    fixed: str | None = None
    words: tuple[tuple[str, str], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for joined in self.alternatives for column in joined)


@dataclass(frozen=True)
class Column:
    """``level``: cells of one ``customer``, ``order`` or ``line`` are the same in all of its rows."""

    name: str
    holds: Holds
    level: str = "line"


@dataclass(frozen=True)
class Shape:
    """``kinds``: the fields of each kind that a file holds. ``key``: its column by which rows follow up on the one
    above. ``own``: a row without any of these is no order line, or product. ``source``: whose export it is.
    """

    source: str
    columns: tuple[Column, ...]
    kinds: dict[str, dict[str, Rule]]
    key: str | None = None
    own: tuple[str, ...] = ()
    known: bool = False

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


Row = dict[str, Any]
# By kind: the rows that are stored, each by its columns.
Stored = dict[str, list[tuple[Any, ...]]]
_BLANKS: dict[str, Any] = {
    "status": "submitted",
    "currency": None,
    "weight": None,
    "packages": None,
    "case_size": None,
    "valid_from": date(1900, 1, 1),
    "valid_to": None,
    "minimum": None,
    "maximum": None,
}
FIELDS = {
    "customers": "customer_ref name email phone address city state postal_code country currency tax_id".split(),
    "products": "customer_ref sku name case_size".split(),
    "services": "service_code name cost_type".split(),
    "rates": "customer_ref service_code unit_price currency valid_from valid_to minimum maximum".split(),
    "orders": (
        "order_number customer_ref order_date status reference_number ship_to_name ship_to_address ship_to_city "
        "ship_to_state ship_to_postal_code ship_to_country carrier weight packages notes"
    ).split(),
    "order-items": "order_number sku quantity".split(),
}
_KEYS = {
    "customers": ("customer_ref",),
    "products": ("customer_ref", "sku"),
    "services": ("service_code",),
    "rates": ("customer_ref", "service_code", "valid_from"),
    "orders": ("order_number",),
}


@dataclass
class Meant:
    """What a file holds: ``rows`` with the meaning of each of their cells, also of those that are left blank below the
    first row of an order. ``whose``: how instants are meant. ``currencies``: those of customers who are there.
    ``orders``: the numbers of those that are there.
    """

    shape: Shape
    rows: list[Row]
    whose: str = "here"
    currencies: dict[str, str] = field(default_factory=dict)
    orders: tuple[str, ...] = ()

    def stored(self, used: dict[str, set[str]]) -> Stored:
        """What is to be stored, by kind, if these columns are used for each."""
        left_out = self._left_out_orders(used.get("orders", set()))
        return {kind: self._of_kind(kind, columns, left_out) for kind, columns in used.items()}

    def _left_out_orders(self, used: set[str]) -> set[Any]:
        """The numbers of orders of which no row counts, as their status says: their lines go with them."""
        if "orders" not in self.shape.kinds:
            return set()
        said: dict[Any, bool] = {}
        for row in self.rows:
            number = self._value("orders", "order_number", row, used)
            out = self._value("orders", "status", row, used) == LEFT_OUT
            said[number] = out and said.get(number, True)
        return {number for number, out in said.items() if out and number not in self.orders}

    def _of_kind(self, kind: str, used: set[str], left_out: set[Any]) -> list[tuple[Any, ...]]:
        found: dict[tuple[Any, ...], Any] = {}
        for number, row in enumerate(self.rows):
            if kind in ("order-items", "products") and self.shape.own and all(row[own] == "" for own in self.shape.own):
                continue
            values = {name: self._value(kind, name, row, used) for name in FIELDS[kind]}
            if values.get("status") == LEFT_OUT or (kind == "order-items" and values["order_number"] in left_out):
                continue
            if kind == "rates" and values["currency"] is None:
                values["currency"] = self.currencies.get(values["customer_ref"])
            if kind == "customers" and values["currency"] is None:
                values["currency"] = "USD"
            key = (number,) if kind == "order-items" else tuple(values[name] for name in _KEYS[kind])
            found.setdefault(key, tuple(values.values()))
        return sorted(found.values(), key=repr)

    def _value(self, kind: str, name: str, row: Row, used: set[str]) -> Any:
        rule = self.shape.kinds[kind].get(name)
        blank = _BLANKS.get(name, "")
        if rule is None:
            return blank
        if rule.fixed is not None:
            return rule.fixed
        if not used & set(rule.columns):
            return blank
        for joined in rule.alternatives:
            cells = [row[column] for column in joined if row[column] != ""]
            if not cells:
                continue
            if LOST in cells:
                return LOST
            if rule.words and len(joined) > 1:
                return cells[0].ours
            if len(cells) == 1:
                return self._one(name, cells[0], blank)
            return rule.joint.join(_plain(cell) for cell in cells)
        return blank

    def _one(self, name: str, meaning: Any, blank: Any) -> Any:
        if isinstance(meaning, At):
            return meaning.day(self.whose)
        if isinstance(meaning, Word):
            return meaning.ours or blank
        if isinstance(meaning, date) and name == "status":
            return "shipped"
        return meaning.normalize() + 0 if isinstance(meaning, Decimal) else meaning


def _plain(cell: Any) -> str:
    return cell.theirs if isinstance(cell, Word) else str(cell)
