"""What spreadsheets do to texts and codes: repaired where it is certain, refused where it is lost."""

import re
from collections.abc import Sequence
from itertools import repeat
from typing import Final

from billing_core.imports import cells
from billing_core.imports.cells import Unreadable
from billing_core.imports.sources.cell_texts import NumberCell
from billing_core.imports.writing.questions import Choice, Question

AS_WRITTEN: Final = "as-written"
EXACT: Final = "exact"
READINGS: Final = {AS_WRITTEN: "as it stands in the file"}
CODE_READINGS: Final = {**READINGS, EXACT: "numbers are right to the last digit"}

_BLANKS: Final = {"\u00a0": " ", "\u2007": " ", "\u202f": " ", "\ufeff": None, "\u200b": None, "\u2060": None}
_PLAIN_BLANKS: Final = str.maketrans(_BLANKS)
# Without any of these a cell is as it was meant.
_SUSPICIOUS: Final = frozenset({"'", "=", "+", *_BLANKS})
_AS_FORMULA: Final = re.compile('="((?:[^"]|"")*)"')
# What our own files write before a text that a spreadsheet would take for a formula.
_BEFORE_A_FORMULA: Final = re.compile("'(?=[=+\\-@＝＋－＠\t\r\n])")
_BEFORE_A_CODE: Final = re.compile(r"'(?=[0-9=+\-@])")

# A number of more digits cannot be held by a workbook; the last ones of others may be right.
_MOST_HELD: Final = 17

# How many digits the postal codes of a country have, some of which begin with 0.
_DIGITS: Final = {
    **dict.fromkeys("AU NO NZ ZA".split(), 4),
    **dict.fromkeys("DE DZ ES FI FR IT KR LT MX MY PE SK TR UA US".split(), 5),
    **dict.fromkeys("CN CO KZ RO SG".split(), 6),
    "JP": 7,
    "BR": 8,
}


def unwrapped(cell: str, *, code: bool) -> str:
    """The text that was meant. ``code``: a key, a number or the like, before which an apostrophe has no place; before
    a name it may be part of it.
    """
    if _SUSPICIOUS.isdisjoint(cell):
        return cell
    text = cell.translate(_PLAIN_BLANKS).strip()
    if match := _AS_FORMULA.fullmatch(text):
        text = match[1].replace('""', '"')
    return text[1:] if (_BEFORE_A_CODE if code else _BEFORE_A_FORMULA).match(text) else text


class Texts:
    """The texts of one column, or its codes."""

    priced = misread = at_odds = False

    def __init__(self, *, code: bool, exact: bool = False) -> None:
        """``exact``: somebody has said that numbers of a workbook are right to the last digit."""
        self._code, self._exact = code, exact
        self._repaired = self._cut = ""

    def read(self, cell: str) -> str:
        """The text that was meant; Unreadable where a spreadsheet has destroyed a code."""
        if isinstance(cell, NumberCell):
            return self._of_number(cell)
        if _SUSPICIOUS.isdisjoint(cell):
            return cell
        text = unwrapped(cell, code=self._code)
        if self._code and cells.SHORTENED.fullmatch(text):
            raise Unreadable(cells.DIGITS_LOST)
        if text and not self._repaired and text != cell.translate(_PLAIN_BLANKS).strip():
            self._repaired = f"{cell.strip()}, which is {text}"
        return text

    def _of_number(self, cell: NumberCell) -> str:
        digits = cell.digits
        if self._code and cell.is_cut:
            if len(digits.lstrip("-")) > _MOST_HELD:
                raise Unreadable(cells.DIGITS_LOST)
            if not self._exact:
                self._cut = self._cut or digits
        return digits

    def again(self) -> None:
        self._repaired = self._cut = ""

    def questions(self, field: str, column: str) -> list[Question]:
        """Whether long numbers of a workbook are what was meant, where they look as if they were cut."""
        if not self._cut:
            return []
        text = (
            f"{self._cut} is a number in the workbook, and spreadsheets keep 15 digits of one: the last may have been "
            "another. Enter such numbers as text, or say that they are right"
        )
        return [Question(field, column, text, (Choice(EXACT, f"Right to the last digit: {self._cut}"),))]

    def notes(self, column: str) -> list[str]:
        if not self._repaired:
            return []
        return [f"“{column}” has cells with signs that a spreadsheet put around them, such as {self._repaired}"]


class AsWritten(Texts):
    """Texts of which somebody has said that they are as they stand in the file."""

    def __init__(self) -> None:
        super().__init__(code=False)

    def read(self, cell: str) -> str:
        return cell.digits if isinstance(cell, NumberCell) else cell


class PostalCodes(Texts):
    """Postal codes of one column. Where the country of each row is known, ``restored`` gives back lost zeros."""

    def __init__(self, *, exact: bool = False) -> None:
        super().__init__(code=True, exact=exact)
        # Whether some are digits alone: others cannot have lost any.
        self._numeric = False
        self._restored = self._doubtful = self._with_zero = ""

    def read(self, cell: str) -> str:
        text = super().read(cell).strip()
        if text.isascii() and text.isdecimal():
            self._numeric = True
            if text.startswith("0"):
                self._with_zero = text
        return text

    def restored(self, codes: Sequence[str], countries: Sequence[str] | None) -> Sequence[str]:
        """The codes of some rows, with the zeros that a spreadsheet took; ``countries`` are those of these rows."""
        if not self._numeric:
            return codes
        return list(map(self._of_country, codes, repeat("") if countries is None else countries))

    def notes(self, column: str) -> list[str]:
        notes = super().notes(column)
        if self._restored:
            notes.append(f"“{column}” got back the zeros that a spreadsheet took, by the country: {self._restored}")
        if self._doubtful and self._with_zero:
            notes.append(
                f"“{column}” may have lost zeros: {self._doubtful} stands beside {self._with_zero}, and no country "
                "says how long its codes are"
            )
        return notes

    def _of_country(self, code: str, country: str) -> str:
        if not code.isdecimal():
            return code
        if not country:
            self._doubtful = self._doubtful or (code if len(code) < len(self._with_zero) else "")
            return code
        # 501 of the United States was 00501.
        fewest = _DIGITS.get(country, 0) - (2 if country == "US" else 1)
        if not fewest <= len(code) < _DIGITS.get(country, 0):
            return code
        whole = code.zfill(_DIGITS[country])
        self._restored = self._restored or f"{code} is {whole}"
        return whole
