"""Small XML parts of workbooks, and cells that are not written as usual, by expat: it keeps nothing in memory.

Nothing outside of the file is ever read, and no document may declare entities.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, NoReturn
from xml.parsers import expat

from billing_core.errors import Invalid
from billing_core.imports.sources.limits import LONGEST_TAG, MOST_ELEMENTS

Attributes = dict[str, str]
DAMAGED = "The workbook is damaged or not whole. Get it again, or save it anew."


def parser(
    start: Callable[[str, Attributes], None],
    end: Callable[[str], object],
    text: Callable[[str], None] | None = None,
) -> expat.XMLParserType:
    """Calls with the elements' names without prefixes; attributes keep theirs."""
    made = expat.ParserCreate()
    made.buffer_text = True
    made.StartElementHandler = lambda name, attributes: start(name.rpartition(":")[2], attributes)
    made.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    made.StartDoctypeDeclHandler = _refuse
    if text is not None:
        made.CharacterDataHandler = text
    return made


def _refuse(*_declared: object) -> NoReturn:
    raise Invalid(DAMAGED)


def feed(made: expat.XMLParserType, piece: bytes | str, *, last: bool = False) -> None:
    """Invalid where it is no XML."""
    try:
        made.Parse(piece, last)
    except expat.ExpatError:
        raise Invalid(DAMAGED) from None


def fed(made: expat.XMLParserType, pieces: Iterator[bytes]) -> Iterator[None]:
    """A part, piece by piece. Invalid where it is no XML, or a tag goes on and on: expat keeps it until its end."""
    size = 0
    for piece in pieces:
        feed(made, piece)
        size += len(piece)
        if size - made.CurrentByteIndex > LONGEST_TAG:
            raise Invalid(f"{DAMAGED} It has a part that is longer than any usual one. Is a cell too long?")
        yield
    feed(made, b"", last=True)
    yield


_DECLARED: Final = re.compile(rb"<\?xml[^>]*encoding=[\"']([A-Za-z0-9._-]+)")
_PREFIX: Final = re.compile(rb"<([A-Za-z_][A-Za-z0-9_.-]*:)(?:sst|worksheet)\b")


def usual(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A part in UTF-8, and its elements without the prefix that some programs give all of them."""
    first = next(pieces, b"")
    mark = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    declared = _DECLARED.match(first.removeprefix(codecs.BOM_UTF8))
    name = "utf-16" if mark else declared[1].decode() if declared else "utf-8"
    pieces = chain([first], pieces)
    if name.lower() not in ("utf-8", "utf8", "us-ascii"):
        pieces = _recoded(pieces, name)
        first = next(pieces, b"")
        pieces = chain([first], pieces)
    prefix = _PREFIX.search(first)
    return _without_prefix(pieces, prefix[1]) if prefix else pieces


def _recoded(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    try:
        decoder = codecs.getincrementaldecoder(name)()
        for piece in pieces:
            yield decoder.decode(piece).encode("utf-8", "surrogatepass")
    except (LookupError, UnicodeError):
        raise Invalid(DAMAGED) from None


def _without_prefix(pieces: Iterator[bytes], prefix: bytes) -> Iterator[bytes]:
    """Within a text, < is written otherwise: whatever begins so is an element."""
    rest = b""
    for piece in pieces:
        joined = rest + piece
        cut = joined.rfind(b"<", -len(prefix) - 2)
        whole, rest = (joined, b"") if cut < 0 else (joined[:cut], joined[cut:])
        yield whole.replace(b"<" + prefix, b"<").replace(b"</" + prefix, b"</")
    yield rest.replace(b"<" + prefix, b"<").replace(b"</" + prefix, b"</")


def elements(content: bytes) -> list[tuple[str, str, Attributes]]:
    """All elements of a small part in their order, each with the name of the one around it."""
    found: list[tuple[str, str, Attributes]] = []
    around = [""]

    def start(name: str, attributes: Attributes) -> None:
        if len(found) == MOST_ELEMENTS:
            raise Invalid("The workbook has more styles and sheets than any usual one. Save the table as CSV.")
        found.append((around[-1], name, {key.rpartition(":")[2]: value for key, value in attributes.items()}))
        around.append(name)

    feed(parser(start, lambda _name: around.pop()), content, last=True)
    return found
