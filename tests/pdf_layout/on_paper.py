"""What a PDF's pages say and where, as other libraries read them."""

import io
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

import pypdfium2
from hypothesis import strategies as st
from pypdf import PdfReader

from billing_core.pdf_layout.text import is_plain

# Every field is written in letters of its own, so that each can be told apart wherever it stands: code points.
_ALPHABETS = {
    "customer_name": (0x03B1, 0x03C9),
    "customer_address": (0x0430, 0x044F),
    "customer_tax_id": (0x0561, 0x0586),
    "name": (0x0391, 0x03A9),
    "address": (0x0410, 0x042F),
    "tax_id": (0x0531, 0x0556),
    "email": (0x1E00, 0x1E60),
    "phone": (0x2190, 0x21B0),
    "bank_details": (0x1401, 0x1480),
    "footer": (0x0180, 0x01BF),
    "notes": (0x1F00, 0x1F07),
    "reference": (0x10D0, 0x10F0),
    "payment_terms": (0x0490, 0x04BF),
    "zero_tax_reason": (0x0250, 0x02A0),
    "description": (0x1EA0, 0x1EF0),
    "number": (0x0100, 0x017F),
}


def letters_of(field: str) -> str:
    first, last = _ALPHABETS[field]
    return "".join(
        letter
        for letter in map(chr, range(first, last + 1))
        if is_plain(letter) and unicodedata.normalize("NFC", letter) == letter
    )


def written(field: str, length: int, word: int, separator: str) -> str:
    """A text of exactly that length in the field's own letters: words of ``word`` letters and what separates them."""
    letters = letters_of(field)
    text = "".join(
        separator if place % (word + 1) == word else letters[7 * place % len(letters)] for place in range(length)
    )
    return text[:-1] + letters[-1]


def texts(field: str, longest: int, *, lines: bool = False) -> st.SearchStrategy[str]:
    """Texts that the field accepts, mostly as long as it accepts them: unbreakable, in words, in many short lines."""
    lengths = st.just(longest) | st.integers(1, longest)
    words = st.sampled_from((longest, 1, 7, 60))
    return st.builds(written, st.just(field), lengths, words, st.sampled_from(" \n" if lines else " "))


def cut(content: bytes, texts: Mapping[str, str]) -> list[str]:
    """The fields whose text the pages do not have whole: once, or several times, and never a part of it."""
    pages = "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    return [field for field, text in texts.items() if not _whole(pages, field, "".join(text.split()))]


def _whole(pages: str, field: str, text: str) -> bool:
    letters = set(letters_of(field))
    found = "".join(letter for letter in pages if letter in letters)
    times = max(1, len(found) // len(text))
    # Where two columns go on to the next page, parts of both stand there.
    return found == text * times or (times > 1 and Counter(found) == Counter(text * times))


def boxes(content: bytes) -> Iterator[tuple[tuple[float, float], list[tuple[float, float, float, float]]]]:
    """Width and height of each page, and the boxes of the texts on it: left, bottom, right, top, in points."""
    document = pypdfium2.PdfDocument(content)
    try:
        for page in document:
            found = page.get_textpage()
            yield page.get_size(), [found.get_rect(place) for place in range(found.count_rects())]
    finally:
        document.close()


def faults(content: bytes) -> list[str]:
    """Texts that stand upon each other, or beyond the edges of the paper."""
    wrong = []
    for (width, height), found in boxes(content):
        wrong += [f"beyond the edge: {box}" for box in found if min(box) < 0 or box[2] > width or box[3] > height]
        # Letters with marks reach into the line above: two texts collide where their middles do.
        middles = sorted((top * 0.45 + bottom * 0.55, left, right) for left, bottom, right, top in found)
        for lower, upper in pairwise(middles):
            if upper[0] - lower[0] < 1.2 and lower[1] + 1 < upper[2] and upper[1] + 1 < lower[2]:
                wrong.append(f"upon each other: {lower} {upper}")
    return wrong
