"""Typed cells of workbooks as texts that nobody can misread. Pure.

A cell is its value, not how it looks: a number is written with a decimal point, a day as ISO. Two looks are part of
what is meant: 0.19 shown as 19% is written ``19%``, and a duration ``1:30:00``, as either would be another number.
"""

import enum
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final


class Look(enum.Enum):
    """What a cell's number is."""

    NUMBER = enum.auto()
    MOMENT = enum.auto()
    DURATION = enum.auto()
    PERCENTAGE = enum.auto()


_BUILT_IN: Final = {
    **dict.fromkeys((9, 10), Look.PERCENTAGE),
    **dict.fromkeys((*range(14, 23), *range(27, 37), *range(50, 59), 45, 47), Look.MOMENT),
    46: Look.DURATION,
}
# Texts, colours and places kept free, which are no part of what a format shows; elapsed hours are looked for before.
_DECORATION: Final = re.compile(r'"[^"]*"|\\.|[_*].|\[[^\]]*\]')
_ELAPSED: Final = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_WHOLE: Final = re.compile(r"-?[0-9]{1,17}")
_FIRST_DAY_1900, _FIRST_DAY_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001  a sheet knows no zone
_SURE_DIGITS, _DIGITS_OF_A_DOUBLE = 15, 17
# A double's; what claims to have more zeros would fill memory with them.
_FURTHEST: Final = 400
_LAST_SERIAL: Final = 2_958_466  # the day after 9999-12-31


class NumberCell(str):
    """A number that a workbook holds as one and that could be misread, or is not whole to the last digit. It has a
    decimal point whatever the texts of its column have, and proves nothing about them.
    """

    __slots__ = ()

    @property
    def digits(self) -> str:
        """The number without an exponent, and without the 0 that keeps it from being taken for thousands."""
        return f"{Decimal(self):f}" if self.is_cut else self.rstrip("0")

    @property
    def is_cut(self) -> bool:
        """Whether its last digits may be lost: a spreadsheet keeps fifteen, and puts noughts for the others."""
        return "E" in self


def look_of(format_id: int, code: str | None) -> Look:
    """What the format with this number, and code where the workbook defines it, shows of a number."""
    if code is None:
        return _BUILT_IN.get(format_id, Look.NUMBER)
    first = code.split(";")[0]
    if _ELAPSED.search(first):
        return Look.DURATION
    bare = _DECORATION.sub("", first).lower()
    if "%" in bare:
        return Look.PERCENTAGE
    return Look.MOMENT if "general" not in bare and any(sign in bare for sign in "dmyhs") else Look.NUMBER


@lru_cache(maxsize=65_536)
def written(text: str, look: Look, from_1904: bool) -> str:
    """A cell's number as it is stored in XML."""
    if look is Look.NUMBER:
        return number(text)
    try:
        value = float(text)
    except ValueError:
        return text
    if look is Look.PERCENTAGE:
        return NumberCell(f"{number(str(_meant(text) * 100))}%")
    if look is Look.DURATION:
        return duration(timedelta(days=value)) if abs(value) < _LAST_SERIAL else number(text)
    if not 0 <= value < _LAST_SERIAL:
        return number(text)
    if value < 1:
        return str((_FIRST_DAY_1900 + _days(value)).time())
    # Excel counts a 29th of February 1900, which there was not.
    early = not from_1904 and value < 61
    return moment((_FIRST_DAY_1904 if from_1904 else _FIRST_DAY_1900) + _days(value + early))


def number(text: str) -> str:
    """Plain, with a decimal point. 1.234 becomes 1.2340, which nobody takes for thousands, and 1234567890123450, of
    which the last digits may be lost, 1.234567890123450E+15.
    """
    if _WHOLE.fullmatch(text) and (len(text) <= _SURE_DIGITS or text[-1] != "0"):
        return text
    try:
        value = _meant(text)
    except (ValueError, InvalidOperation):
        return text
    if not value.is_finite() or abs(value.adjusted()) > _FURTHEST:
        return text
    if _may_be_cut(value):
        return NumberCell(f"{value:E}")
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    whole, _, decimals = plain.lstrip("-").partition(".")
    if not decimals:
        return plain
    return NumberCell(f"{plain}0" if len(decimals) == 3 and len(whole) <= 3 else plain)


def _may_be_cut(value: Decimal) -> bool:
    """Whether it is whole, ends in 0, and has more digits than a spreadsheet keeps, but not more than a double: those
    another program wrote, and meant.
    """
    if value.adjusted() < _SURE_DIGITS:
        return False
    figures = value.as_tuple()
    exponent = int(figures.exponent)
    digits = "".join(map(str, figures.digits))
    kept = digits.rstrip("0")
    ends_in_nought = exponent + len(digits) - len(kept) > 0
    return ends_in_nought and (exponent > 0 or len(kept) <= _DIGITS_OF_A_DOUBLE)


def _meant(text: str) -> Decimal:
    """Programs that compute with doubles write 0.1 as 0.10000000000000001. What has more digits than a double, or none
    of that noise, is what another program meant to the last digit.
    """
    exact = Decimal(text)
    if len(exact.as_tuple().digits) > _DIGITS_OF_A_DOUBLE or not exact.is_finite():
        return exact
    near = Decimal(repr(float(text)))
    return near if len(near.as_tuple().digits) <= _SURE_DIGITS else exact


def _days(value: float) -> timedelta:
    """To the millisecond: a day's fraction is no more exact."""
    return timedelta(milliseconds=round(value * 86_400_000))


def moment(value: datetime | date) -> str:
    """A day as ISO, with its time where it has one."""
    if isinstance(value, datetime):
        return str(value.date()) if value.time() == time() else value.isoformat(" ").removesuffix("000")
    return value.isoformat()


def duration(value: timedelta) -> str:
    """Hours, minutes and seconds."""
    thousandths = round(abs(value) / timedelta(milliseconds=1))
    minutes, rest = divmod(thousandths, 60_000)
    seconds = f"{rest // 1000:02}" + (f".{rest % 1000:03}" if rest % 1000 else "")
    return f"{'-' if value < timedelta() else ''}{minutes // 60}:{minutes % 60:02}:{seconds}"


def of_value(value: object) -> str:
    """A cell as a library reads it."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return number(repr(value))
    if isinstance(value, datetime | date):
        return moment(value)
    return duration(value) if isinstance(value, timedelta) else str(value)
