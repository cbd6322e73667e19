"""The texts of a workbook, which its cells name by number: read as far as they are asked for, few of them in memory."""

import re
import tempfile
from array import array
from collections.abc import Iterator
from html import unescape
from typing import Final

from billing_core.errors import Invalid
from billing_core.imports.sources import markup
from billing_core.imports.sources.limits import LONGEST_CELL

# The first ones, which repeat most: about twenty megabytes. The others are kept in a file.
_IN_MEMORY: Final = 200_000
_TOO_LONG: Final = f"A cell of the workbook is longer than {LONGEST_CELL:,} characters."
_PLAIN: Final = re.compile(r"\s*<si(?: [^<>]*)?>\s*<t(?: [^<>]*)?(?:/>|>([^<]*)</t>)\s*")
_ESCAPED: Final = re.compile("_x([0-9A-Fa-f]{4})_")


def within_limit(text: str) -> str:
    """Invalid where the cell is longer than any may be."""
    within_length(len(text))
    return text


def within_length(characters: int) -> None:
    """As ``within_limit``, of a cell of which some has been read."""
    if characters > LONGEST_CELL:
        raise Invalid(_TOO_LONG)


def shown(text: str) -> str:
    """As the cell has it: entities and Excel's own escapes resolved."""
    return _without_escapes(unescape(text) if "&" in text else text)


def _without_escapes(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


class SharedTexts:
    """``texts[7]`` is the eighth. Reads ``pieces`` of the part only as far as it must."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._texts = self._read(pieces)
        self._known: list[str] = []
        self._places = array("Q", [0])
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as this, and ends with it
        self._end = 0

    def __getitem__(self, number: int) -> str:
        if number < 0:
            raise Invalid(markup.DAMAGED)
        while number >= len(self._known) + len(self._places) - 1:
            text = next(self._texts, None)
            if text is None:
                raise Invalid(markup.DAMAGED)
            self._keep(text)
        if number < len(self._known):
            return self._known[number]
        start, end = self._places[number - len(self._known) : number - len(self._known) + 2]
        self._file.seek(start)
        return self._file.read(end - start).decode("utf-8", "surrogatepass")

    def _keep(self, text: str) -> None:
        if len(self._known) < _IN_MEMORY:
            self._known.append(text)
            return
        self._file.seek(self._end)
        self._end += self._file.write(text.encode("utf-8", "surrogatepass"))
        self._places.append(self._end)

    def close(self) -> None:
        self._file.close()

    def _read(self, pieces: Iterator[bytes]) -> Iterator[str]:
        """One text an ``si``. Those with looks of their own are read by a parser."""
        rest = b""
        for piece in markup.usual(pieces):
            *whole, rest = (rest + piece).split(b"</si>")
            if len(rest) > LONGEST_CELL * 8:
                raise Invalid(_TOO_LONG)
            for part in whole:
                yield _text(part.decode("utf-8", "replace"))


def _text(part: str) -> str:
    opening = part.find("<si")
    if opening > 0:
        part = part[opening:]
    plain = _PLAIN.fullmatch(part)
    return within_limit(shown(plain[1] or "") if plain else _rich(f"{part}</si>"))


def within_text(elements: list[str]) -> bool:
    """Whether these elements, each within the one before, hold text of the cell, and not how to pronounce it."""
    return elements[-1:] == ["t"] and "rPh" not in elements


def _rich(element: str) -> str:
    """The text of an element whose pieces have looks of their own, without what says how to pronounce it."""
    found: list[str] = []
    within: list[str] = []

    def text(piece: str) -> None:
        if within_text(within):
            found.append(piece)

    made = markup.parser(lambda name, _attributes: within.append(name), lambda _name: within.pop(), text)
    markup.feed(made, element, last=True)
    return _without_escapes("".join(found))
