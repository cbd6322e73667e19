"""Columns that a browser sorts as a reader expects. It compares texts as texts, so that ``1,000.00`` would come before
``99.00``, and knows no other value of a cell.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any, Final

from billing_core.reading_order import reading_order
from pages.ui import formats

# Browsers sort them in this order, before all else; people and screen readers take them for blanks.
_UNSEEN: Final = "\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}"
# Counts for nothing where texts are sorted, and is no blank.
_END: Final = "\N{ZERO WIDTH SPACE}"
_DIGITS: Final = str.maketrans("01", _UNSEEN)
_BETWEEN_DIGITS: Final = re.compile(r"(?<=\d)(?=\d)")


def sortable(cells: Sequence[object]) -> list[str]:
    """The texts of a column: figures and days in the order of their values, amounts of one currency after those of
    another, names and numbers in the order of our lists, and what is empty last. Where the browser would have another
    order, each text has its place before it, in blanks.
    """
    orders, texts = [_order(cell) for cell in cells], [_text(cell) for cell in cells]
    if _sorts_well(orders, texts):
        return texts
    places = {order: place for place, order in enumerate(sorted(set(orders)))}
    digits = (len(places) - 1).bit_length()
    return [f"{places[order]:0{digits}b}".translate(_DIGITS) + text for order, text in zip(orders, texts, strict=True)]


def untrimmed(text: str) -> str:
    """The same as a choice: the browser cuts blanks off its ends, which then are none, and finds it no more."""
    return f"{_END}{text}{_END}"


def shown(text: str) -> str:
    """Without its place."""
    return text.strip(_END).lstrip(_UNSEEN)


def _sorts_well(orders: Sequence[tuple[Any, ...]], texts: Sequence[str]) -> bool:
    """Whether the browser by itself, which knows letters but no numbers, has the rows in this order."""
    digit_by_digit = [reading_order(_BETWEEN_DIGITS.sub(_END, text)) for text in texts]
    both = sorted(zip(orders, digit_by_digit, strict=True))
    groups = [[theirs for _, theirs in group] for _, group in groupby(both, key=lambda one: one[0])]
    return all(one[-1] < after[0] for one, after in pairwise(groups))


def _order(cell: object) -> tuple[Any, ...]:
    if isinstance(cell, formats.Written):
        return 0, *cell.value
    if isinstance(cell, int | Decimal):
        return 0, "", cell
    text = _text(cell)
    return (2,) if text in ("", formats.NOTHING) else (1, reading_order(text))


def _text(cell: object) -> str:
    return formats.NOTHING if cell is None else str(cell)
