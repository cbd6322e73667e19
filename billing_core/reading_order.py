"""The order in which a reader expects names: ``Äpfel`` beside ``Apfel``, ``Łódź`` beside ``Lodz``, ``Store 9`` before
``Store 10``, and every script's letters in their own order.

By the Unicode Collation Algorithm with its default table: letters count first, then accents, then case; blanks and
marks stand before figures, figures before letters. A run of figures is the number that it writes.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from typing import Any, Final

LONGEST_ORDER: Final = 250
# The library's own: of the letters, as it weighs them. What follows has letters; below are blanks, marks and signs.
_ZERO: Final = 0x1CA3
_USUAL_ACCENT, _USUAL_CASE = 0x20, 0x02
_END_OF_LEVEL: Final = "\x01"
_NUMBER: Final = re.compile(r"(\d+)")


@lru_cache(8_192)
def reading_order(name: str) -> str:
    """A text that stands among others of its kind, compared by code points, where a reader expects the name.

    It is kept in the database. Its letters, accents and cases follow each other; what is usual at the end of accents
    and cases is left out.
    """
    letters, accents, cases = [], [], []
    for piece in _NUMBER.split(unicodedata.normalize("NFD", name)):
        if piece.isdecimal():
            letters.append(_number(piece))
        elif piece.isascii():  # no two of its characters are weighed together
            letters.append(piece.translate(_LETTERS))
            accents.append(piece.translate(_ACCENTS))
            cases.append(piece.translate(_CASES))
        else:
            weights = _weights(piece)
            letters.append(_letters(weights))
            accents.append(_accents(weights))
            cases.append(_cases(weights))
    levels = ("".join(letters), _beyond(accents, _USUAL_ACCENT), _beyond(cases, _USUAL_CASE))
    return _END_OF_LEVEL.join(levels).rstrip(_END_OF_LEVEL)[:LONGEST_ORDER]


def orders_of(facts: Mapping[str, Any], *names: str) -> dict[str, str]:
    """Where those of its texts with these names stand, as the columns beside them keep it."""
    return {f"{name}_order": reading_order(facts[name] or "") for name in names if name in facts}


def _weights(piece: str) -> list[tuple[int, int, int]]:
    return [(letter, accent, case) for letter, accent, case, *_ in _collator().collation_elements(piece)]


@cache
def _collator() -> Any:
    """Loaded when it is first needed, which takes a tenth of a second. The table is named, so that no other version of
    Python or of the library changes the order of what is kept.
    """
    from pyuca.collator import Collator_10_0_0

    return Collator_10_0_0()


def _letter(weight: int) -> str:
    """Letters as few bytes, as most texts have most of them; the rarer marks and signs, which come before, as more."""
    if weight < _ZERO:
        return chr(2 + (weight >> 8)) + chr(0x20 + (weight & 0xFF))
    code = weight - _ZERO + ord("0")
    # Where halves of characters are, which no text may have.
    return chr(code if code < 0xD800 else code + 0x800)


def _number(digits: str) -> str:
    """Where figures stand, first how many there are: a longer number is a larger one."""
    written = str(int(digits))
    return "0" + chr(ord("0") + len(written)) + written


def _letters(weights: Iterable[tuple[int, int, int]]) -> str:
    return "".join(_letter(letter) for letter, _, _ in weights if letter)


def _accents(weights: Iterable[tuple[int, int, int]]) -> str:
    return "".join(chr(0x20 + accent) for _, accent, _ in weights if accent)


def _cases(weights: Iterable[tuple[int, int, int]]) -> str:
    return "".join(chr(0x20 + case) for _, _, case in weights if case)


def _beyond(pieces: Iterable[str], usual: int) -> str:
    return "".join(pieces).rstrip(chr(0x20 + usual))


class _OfEach(dict[int, str]):
    """What one level makes of each character, as ``str.translate`` asks for it."""

    def __init__(self, level: Callable[[Iterable[tuple[int, int, int]]], str]) -> None:
        super().__init__()
        self._level = level

    def __missing__(self, character: int) -> str:
        self[character] = made = self._level(_weights(chr(character)))
        return made


_LETTERS, _ACCENTS, _CASES = _OfEach(_letters), _OfEach(_accents), _OfEach(_cases)
