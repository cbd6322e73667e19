"""Meanings written into the rows of a table, and what spreadsheets and people do to single cells of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.imports.generated import styles
from tests.imports.generated.meanings import LOST, At, Column, Holds, Meant, Row, Word

DAMAGES = (
    *("formula", "apostrophe", "hard blanks", "exponent", "lost zeros", "blank", "cut", "number with exponent"),
    *("negative", "no number", "other number", "other day", "unlabelled sums"),
)
_NUMBER = re.compile(r"[0-9]*\.?[0-9]*")
_NO_NUMBERS = ("n/a", "12 pcs", "1.2.3", "1,2,3", "12-13", "two", "1 2", "5%%", "1.23.456", "12,34,56", "0x10", "١٢")


@dataclass
class Sheet:
    """``rows`` of cells below the ``header``: texts, or numbers and days that a workbook keeps as such. ``readings``
    and ``words`` are what a person says when asked, by column. ``traits``: what has been drawn.
    """

    meant: Meant
    header: list[str]
    rows: list[list[Any]]
    readings: dict[str, set[str]] = field(default_factory=dict)
    words: dict[tuple[str, str], str] = field(default_factory=dict)
    traits: set[str] = field(default_factory=set)
    # Only a person can say what was meant, or nobody can.
    damaged: bool = False


@dataclass
class _Writer:
    """Writes the cells of one column."""

    column: Column
    numbers: styles.Numbers
    days: styles.Days
    typed: str
    sign: int

    def cell(self, meaning: Any, currency: str) -> Any:
        if meaning == "":
            return ""
        if isinstance(meaning, Word):
            return meaning.theirs
        if isinstance(meaning, Decimal):
            if self.typed:
                return int(meaning) if meaning == int(meaning) else float(meaning)
            signs = styles.SIGNS.get(currency, ("",))
            return self.numbers.written(meaning, signs[self.sign % len(signs)])
        if isinstance(meaning, date | At):
            if self.typed and not isinstance(meaning, At):
                return styles.serial(meaning) if self.typed == "serial" else meaning
            return self.days.written(meaning)
        if self.typed and self.column.holds is Holds.CODE and _is_plain_number(meaning):
            return int(meaning)
        return meaning

    @property
    def reading(self) -> set[str]:
        if self.column.holds in (Holds.NUMBER, Holds.MONEY):
            return {self.numbers.reading}
        if self.typed == "serial":
            return {"serial"}
        return {self.days.order} - {""}


def _is_plain_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and text[0] != "0" and len(text) < 16


def written(draw: st.DrawFn, meant: Meant, *, workbook: bool, damages: list[str]) -> Sheet:
    """The table as it is before it is made a file."""
    shape = meant.shape
    writers = {column.name: _writer(draw, column, workbook=workbook) for column in shape.columns}
    repeats = draw(st.sampled_from(["all", "blank", "blank key"])) if shape.key else "all"
    sheet = Sheet(meant, [column.name for column in shape.columns], [])
    sheet.traits |= {f"follow-up rows: {repeats}"} if shape.key else set()
    meant.rows = [dict(row) for row in meant.rows]
    first = [
        not shape.key or not at or row[shape.key] != meant.rows[at - 1][shape.key] for at, row in enumerate(meant.rows)
    ]
    for is_first, row in zip(first, meant.rows, strict=True):
        cells = {name: writer.cell(row[name], _currency(meant, row)) for name, writer in writers.items()}
        if repeats != "all" and not is_first:
            for column in shape.columns:
                if column.level != "line" and (column.name != shape.key or repeats == "blank key"):
                    cells[column.name] = ""
        sheet.rows.append([cells[name] for name in sheet.header])
    for name, writer in writers.items():
        sheet.readings[name] = writer.reading | {meant.whose}
        sheet.traits |= {_trait(writer)} if isinstance(meant.rows[0][name], Decimal | date | At) else set()
        for row in meant.rows:
            if isinstance(row[name], Word):
                sheet.words[name, " ".join(row[name].theirs.split()).casefold()] = row[name].ours
            elif isinstance(row[name], date):
                sheet.words[name, "any date"] = "shipped"
    for damage in damages:
        if damage == "cut" and workbook:
            continue  # a cell that a workbook lacks is a blank one
        _Damage(draw, sheet, writers).do(damage)
    return sheet


def _writer(draw: st.DrawFn, column: Column, *, workbook: bool) -> _Writer:
    typed = draw(st.sampled_from(["typed", "typed", "", "serial"])) if workbook else ""
    days = draw(styles.days())
    if days.time == "T" and column.holds is Holds.SHIPPED:
        days = styles.Days("{y}-{m}-{d}")
    numbers = draw(styles.PRICES if column.holds is Holds.MONEY else styles.NUMBERS)
    return _Writer(column, numbers, days, typed, draw(st.integers(0, 2)))


def _trait(writer: _Writer) -> str:
    if writer.typed:
        return f"{writer.typed} {writer.column.holds}"
    if writer.column.holds in (Holds.NUMBER, Holds.MONEY):
        return f"number {writer.numbers.decimal} {writer.numbers.group or 'no groups'}"
    return f"day {writer.days.order or writer.days.pattern}"


def _currency(meant: Meant, row: Row) -> str:
    """Of the prices in a row: it has to say it, for a price to name it."""
    rule = meant.shape.kinds.get("rates", {}).get("currency")
    cell = row[rule.columns[0]] if rule else ""
    return cell.ours if isinstance(cell, Word) else ""


@dataclass
class _Damage:
    """Does one thing to one cell, where there is one that it can be done to."""

    draw: st.DrawFn
    sheet: Sheet
    writers: dict[str, _Writer]

    def do(self, damage: str) -> None:
        if damage == "cut":
            self._cut()
        elif damage == "unlabelled sums":
            self._unlabelled_sums()
        elif (places := self._places(_FITS[damage])) and _CHANGES[damage](self, *self.draw(st.sampled_from(places))):
            self.sheet.traits.add(f"damage: {damage}")
            self.sheet.damaged = True

    def _places(self, fits: Callable[[Column, Any, Any], bool]) -> list[tuple[int, int]]:
        shape = self.sheet.meant.shape
        return [
            (at, place)
            for at, row in enumerate(self.sheet.rows[: len(self.sheet.meant.rows)])
            for place, name in enumerate(self.sheet.header)
            if place < len(row)
            and row[place] != ""
            and fits(shape.column(name), self.sheet.meant.rows[at][name], row[place])
        ]

    def _cut(self) -> None:
        """A line that was torn off: what is left of its last cell is not known."""
        row = self.draw(st.integers(0, len(self.sheet.meant.rows) - 1))
        if len(self.sheet.header) > 2 and any(cell != "" for cell in self.sheet.rows[row][:-1]):
            del self.sheet.rows[row][-1]
            self.sheet.meant.rows[row] = dict.fromkeys(self.sheet.header, LOST)
            self.sheet.traits.add("damage: cut")
            self.sheet.damaged = True

    def _unlabelled_sums(self) -> None:
        sums = [
            sum((row[name] for row in self.sheet.meant.rows if isinstance(row[name], Decimal)), Decimal(0))
            if self.writers[name].column.holds is Holds.NUMBER
            else ""
            for name in self.sheet.header
        ]
        if any(sums) and len(self.sheet.header) > 2:
            line = zip(self.sheet.header, sums, strict=True)
            self.sheet.rows.append([self.writers[name].cell(one, "") for name, one in line])
            self.sheet.traits.add("damage: unlabelled sums")
            self.sheet.damaged = True

    def _formula(self, at: int, place: int) -> bool:
        cell = self.sheet.rows[at][place]
        self.sheet.rows[at][place] = f'="{cell}"'
        return True

    def _apostrophe(self, at: int, place: int) -> bool:
        self.sheet.rows[at][place] = f"'{self.sheet.rows[at][place]}"
        return True

    def _hard_blanks(self, at: int, place: int) -> bool:
        sign = self.draw(st.sampled_from(["\u00a0", "\u200b", "  ", "\u202f", "\ufeff"]))
        self.sheet.rows[at][place] = f"{self.sheet.rows[at][place]}{sign}"
        return True

    def _exponent(self, at: int, place: int) -> bool:
        self.sheet.rows[at][place] = f"{float(self.sheet.rows[at][place]):.5E}"
        return self._lost(at, place)

    def _lost_zeros(self, at: int, place: int) -> bool:
        """Certain where the country is known."""
        row, name = self.sheet.meant.rows[at], self.sheet.header[place]
        others = [other for other in self.writers.values() if other.column.level == self.writers[name].column.level]
        if not any(one.column.holds is Holds.COUNTRY and row[one.column.name] != "" for one in others):
            return False
        self.sheet.rows[at][place] = self.sheet.rows[at][place].lstrip("0")
        return True

    def _blank(self, at: int, place: int) -> bool:
        """What must be there is not."""
        row, name = self.sheet.meant.rows[at], self.sheet.header[place]
        rules = [
            rule
            for kind, fields in self.sheet.meant.shape.kinds.items()
            for field, rule in fields.items()
            if field in _REQUIRED and name in rule.columns and not (kind == "products" and field == "name")
        ]
        if not rules or any(row[other] != "" for rule in rules for other in rule.columns if other != name):
            return False
        key = self.sheet.meant.shape.key
        if name == key or (key and self.writers[name].column.level != "line" and self._said_again(at, place, key)):
            return False
        self.sheet.rows[at][place] = ""
        return self._lost(at, place)

    def _said_again(self, at: int, place: int, key: str) -> bool:
        """Whether another row of the order has the cell too."""
        mine = self.sheet.meant.rows[at]
        rows = zip(self.sheet.meant.rows, self.sheet.rows, strict=False)
        return any(
            row is not mine and row[key] == mine[key] and place < len(cells) and cells[place] != ""
            for row, cells in rows
        )

    def _number_with_exponent(self, at: int, place: int) -> bool:
        number = self.sheet.meant.rows[at][self.sheet.header[place]]
        digits = f"{number.normalize():f}".replace(".", "")
        if number < 1 or digits.startswith("0") or len(digits) in (1, 3):
            return False
        exponent = len(str(int(number))) - 1
        self.sheet.rows[at][place] = f"{digits[0]}.{digits[1:]}E+{exponent}"
        return True

    def _negative(self, at: int, place: int) -> bool:
        cell = self.sheet.rows[at][place]
        if not isinstance(cell, str):
            self.sheet.rows[at][place] = -cell
        else:
            form = self.draw(st.sampled_from(["-{}", "{}-", "({})", "−{}", "- {}", "-({})"]))
            self.sheet.rows[at][place] = form.format(cell)
        return self.sheet.meant.rows[at][self.sheet.header[place]] != 0 and self._lost(at, place)

    def _no_number(self, at: int, place: int) -> bool:
        self.sheet.rows[at][place] = self.draw(st.sampled_from(_NO_NUMBERS))
        return self._lost(at, place)

    def _other_number(self, at: int, place: int) -> bool:
        """Written as another program does, which the column as a whole does not: no person can answer for it."""
        name = self.sheet.header[place]
        number = self.sheet.meant.rows[at][name]
        text = self.draw(styles.NUMBERS).written(number)
        sign = self.writers[name].numbers.decimal
        read = text.replace("," if sign == "." else ".", "").replace(",", ".")
        if _NUMBER.fullmatch(read) and Decimal(read) != number:
            return False  # another number in the way of the column, as which it can only be read
        self.sheet.rows[at][place] = text
        self.sheet.readings[name] = set()
        return True

    def _other_day(self, at: int, place: int) -> bool:
        """With another sign, as otherwise it can only be read as the column is."""
        name = self.sheet.header[place]
        other, mine = self.draw(styles.days()), self.writers[name].days
        if set(other.pattern) & set("/-.") & set(mine.pattern):
            return False
        self.sheet.rows[at][place] = other.written(self.sheet.meant.rows[at][name])
        self.sheet.readings[name] = set()
        return True

    def _lost(self, at: int, place: int) -> bool:
        """In all rows of the order, or of the customer: what they share stands in one of them."""
        name, meaning = self.sheet.header[place], self.sheet.meant.rows[at]
        key, level = self.sheet.meant.shape.key, self.writers[self.sheet.header[place]].column.level
        for other in self.sheet.meant.rows:
            if other is meaning or (level != "line" and key and other[key] == meaning[key]):
                other[name] = LOST
        return True


_REQUIRED = "customer_ref name service_code cost_type unit_price order_number order_date sku quantity".split()
_CODES = (Holds.CODE, Holds.POSTAL, Holds.PHONE)
_FITS: dict[str, Callable[[Column, Any, Any], bool]] = {
    "formula": lambda column, _, cell: (
        column.holds in (*_CODES, Holds.TEXT) and isinstance(cell, str) and '"' not in cell
    ),
    "apostrophe": lambda column, _, cell: column.holds in _CODES and isinstance(cell, str) and cell[0] in "0123456789+",
    "hard blanks": lambda _column, _, cell: isinstance(cell, str),
    "exponent": lambda column, meaning, _: column.holds in _CODES and meaning.isdecimal() and len(meaning) > 10,
    "lost zeros": lambda column, meaning, cell: column.holds is Holds.POSTAL and cell == meaning and cell[0] == "0",
    "blank": lambda _column, _meaning, _cell: True,
    "number with exponent": lambda _, meaning, cell: isinstance(meaning, Decimal) and isinstance(cell, str),
    "negative": lambda _, meaning, _cell: isinstance(meaning, Decimal),
    "no number": lambda _, meaning, _cell: isinstance(meaning, Decimal),
    "other number": lambda _, meaning, cell: isinstance(meaning, Decimal) and isinstance(cell, str),
    "other day": lambda column, _, cell: column.holds is Holds.DAY and isinstance(cell, str),
}
_CHANGES: dict[str, Callable[[_Damage, int, int], bool]] = {
    "formula": _Damage._formula,
    "apostrophe": _Damage._apostrophe,
    "hard blanks": _Damage._hard_blanks,
    "exponent": _Damage._exponent,
    "lost zeros": _Damage._lost_zeros,
    "blank": _Damage._blank,
    "number with exponent": _Damage._number_with_exponent,
    "negative": _Damage._negative,
    "no number": _Damage._no_number,
    "other number": _Damage._other_number,
    "other day": _Damage._other_day,
}
