"""Numbers with a decimal point or a decimal comma, in groups of thousands or not."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from billing_core.imports.cells import Unreadable
from billing_core.imports.sources.cell_texts import NumberCell
from billing_core.imports.writing import Written
from billing_core.imports.writing.currencies import without_currency
from billing_core.imports.writing.damage import unwrapped
from billing_core.imports.writing.evidence import Evidence, Example, because
from billing_core.imports.writing.questions import Question, question

POINT: Final = "point"
COMMA: Final = "comma"
READINGS: Final = {POINT: "decimal point", COMMA: "decimal comma"}

_LONGEST: Final = 60
_BLANKS: Final = " \u00a0\u2009\u202f"
# A group of thousands has three digits, and the first one does not begin with 0.
_OTHER_GROUPS: Final = rf"[1-9][0-9]{{0,2}}(?:(?P<sign>['’{_BLANKS}]))[0-9]{{3}}(?:(?P=sign)[0-9]{{3}})*"
_INDIAN: Final = "[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"
_WAYS: Final = {
    POINT: re.compile(rf"(?:[0-9]+|[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|{_OTHER_GROUPS}|{_INDIAN})(?:\.[0-9]*)?|\.[0-9]+"),
    COMMA: re.compile(rf"(?:[0-9]+|[1-9][0-9]{{0,2}}(?:\.[0-9]{{3}})+|{_OTHER_GROUPS})(?:,[0-9]*)?|,[0-9]+"),
}
_GROUPING: Final = re.compile(rf"['’{_BLANKS}]")
_EXPONENT: Final = re.compile(r"(?P<whole>[0-9])(?:[.,](?P<decimals>[0-9]+))?[eE](?P<exponent>[+-]?[0-9]{1,3})")


class Numbers:
    """The numbers of one column. Reads each as digits with a decimal point alone."""

    def __init__(self, written: Written, readings: Sequence[str] = ()) -> None:
        self._written = written
        chosen = next((reading for reading in readings if reading in READINGS), None)
        self._evidence = Evidence((POINT, COMMA), chosen=chosen)
        self._because = because(chosen)
        # Whether a cell names a currency.
        self.priced = False

    def read(self, cell: str) -> str:
        """The number; Unreadable where it is none, or not one as its column has them."""
        text = cell.strip()
        if text.isdecimal() and text.isascii() and len(text) <= _LONGEST:
            return text
        text = unwrapped(text, code=True)
        if not text:
            return text
        minus, digits = self._bare(text)
        if isinstance(cell, NumberCell) and (held := _held(digits)) is not None:
            return minus + held
        meanings = _meanings(digits)
        if not meanings:
            return minus + _with_exponent(digits)
        if len(meanings) == len(_WAYS) and meanings[POINT] == meanings[COMMA]:
            return minus + meanings[POINT]
        meaning = self._evidence.read(text, meanings)
        if meaning is None:
            raise Unreadable(f"is not a number with a {READINGS[self._evidence.chosen or POINT]}, {self._because}")
        return minus + meaning

    @property
    def misread(self) -> bool:
        return self._evidence.misread

    @property
    def at_odds(self) -> bool:
        return self._evidence.at_odds

    def again(self) -> None:
        self._evidence.again()
        self.priced = False

    def questions(self, field: str, column: str) -> list[Question]:
        """Which of the two it is, where nothing proves it."""
        example = self._evidence.doubtful
        if example is None:
            return []
        meant = {way: _shown(meaning) for way, meaning in example.meanings.items()}
        return [question(field, column, Example(example.cell, meant), READINGS)]

    def notes(self, column: str) -> list[str]:
        return []

    def _bare(self, text: str) -> tuple[str, str]:
        """The minus, if any, and what is left without signs and a currency around it."""
        if len(text) > _LONGEST:
            return "", ""
        if self._written is Written.PERCENT:
            text = text.removesuffix("%").rstrip()
        minus, text = _minus(text)
        if self._written is Written.MONEY:
            bare = without_currency(text)
            if bare != text:
                self.priced = True
                again, text = _minus(bare)
                minus = "" if minus and again else minus or again
        return minus, text


def _held(digits: str) -> str | None:
    """Of a number that a workbook holds as one; None where something else is left beside it."""
    try:
        return f"{Decimal(digits):f}"
    except InvalidOperation:
        return None


def unmistakable(number: Decimal) -> str:
    """The number for a file of ours, which nobody takes for thousands: 1.234 becomes 1.2340, and 12.000 becomes 12."""
    plain = f"{number.normalize():f}"
    return f"{plain}0" if len(_meanings(plain)) > 1 and "." in plain else plain


def _minus(text: str) -> tuple[str, str]:
    """Before the number or behind it; or brackets, in which bookkeepers write what is negative."""
    if text[:1] in ("-", "−"):
        return "-", text[1:].lstrip()
    if text[-1:] in ("-", "−"):
        return "-", text[:-1].rstrip()
    if text.startswith("(") and text.endswith(")"):
        return "-", text[1:-1].strip()
    return "", text.removeprefix("+")


def _meanings(digits: str) -> Mapping[str, str]:
    """The number in each way of writing that fits it."""
    found = {}
    for way, pattern in _WAYS.items():
        if digits and pattern.fullmatch(digits):
            plain = _GROUPING.sub("", digits)
            found[way] = plain.replace(",", "") if way == POINT else plain.replace(".", "").replace(",", ".")
    return found


def _with_exponent(digits: str) -> str:
    """``1.2345E+4`` has all its digits. Of ``1.23457E+12`` some are gone, and of ``1.23E-05`` some may be: a
    spreadsheet shows at most six, or two decimals.
    """
    match = _EXPONENT.fullmatch(digits)
    if match is None:
        raise Unreadable("is not a number")
    decimals, exponent = match["decimals"] or "", int(match["exponent"])
    shown = len(decimals) + 1
    whole = 0 <= exponent <= len(decimals)
    small = -_LONGEST < exponent < 0 and shown != 6
    if len(decimals) == 2 or not (whole or small):
        raise Unreadable("is written with an exponent; write the number out")
    number = match["whole"] + decimals
    if small:
        return f"0.{'0' * (-exponent - 1)}{number}"
    return f"{number[: exponent + 1]}.{number[exponent + 1 :]}".removesuffix(".")


def _shown(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number
