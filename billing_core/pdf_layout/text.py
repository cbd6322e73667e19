"""Making text legible in a PDF: which characters there are, and which texts must be shaped."""

import re
import unicodedata
from functools import cache
from typing import Final

from billing_core.pdf_layout import fonts
from billing_core.pdf_layout.fonts import FALLBACKS, Face

# Written from right to left, or numbers and signs within such a text.
_RIGHT_TO_LEFT = {"R", "AL", "AN", "RLE", "RLO", "RLI"}
# Joiners, directions, variation selectors and skin tones: no font draws them, and alone they mean nothing.
_SILENT = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff\U000e0000-\U000e01ef]"
)
_SPACES = re.compile(r"[^\S\n]+")
# An emoji or symbol of the newer blocks, with the space behind it.
_PICTURES = re.compile("[\U0001f000-\U0001faff] ?")
REPLACEMENT: Final = "\ufffd"


@cache
def plain() -> frozenset[str]:
    """The characters that can be set one by one in DejaVu, regular and bold."""
    both = fonts.characters(Face.REGULAR) & fonts.characters(Face.BOLD)
    return frozenset(
        character
        for character in map(chr, both)
        if unicodedata.bidirectional(character) not in _RIGHT_TO_LEFT and unicodedata.category(character)[0] not in "MC"
    )


def is_plain(text: str) -> bool:
    """Whether a legible line consists of these."""
    return text.isascii() or plain().issuperset(text)


def reads_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def needs_shaping(text: str) -> bool:
    """Whether glyphs depend on their neighbours: Arabic, and every script whose letters carry marks."""
    return reads_right_to_left(text) or any(unicodedata.category(character)[0] == "M" for character in text)


def legible(text: str) -> str:
    """The text in characters that we have fonts for. Line breaks stay, all other white space becomes a space."""
    if text.isprintable() and is_plain(text):
        return text
    text = unicodedata.normalize("NFC", "\n".join(text.splitlines()))
    text = _SILENT.sub("", _SPACES.sub(_space, text))
    # Pictures newer than the fonts decorate words, and go; where there is nothing else, they are named.
    text = _PICTURES.sub(_picture, text) if _PICTURES.sub("", text).strip() else text
    return "".join(map(_drawable, text))


def _picture(found: re.Match[str]) -> str:
    return found.group() if _in_a_font(found.group()[0]) else ""


def _space(found: re.Match[str]) -> str:
    """A no-break space stays one."""
    return "\u00a0" if found.group() in "\u00a0\u202f" else " "


def _drawable(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "C":
        return character if character == "\n" else ""
    if _in_a_font(character):
        return character
    plainer = unicodedata.normalize("NFKD", character)
    if plainer != character and all(map(_in_a_font, plainer)):
        return plainer
    if category[0] in "LMN":
        return REPLACEMENT
    # A sign newer than the fonts is named: leaving it out could change what is said.
    return f":{unicodedata.name(character, 'sign').lower()}:"


def _in_a_font(character: str) -> bool:
    return character in plain() or any(fonts.has(face, character) for face in (Face.REGULAR, *FALLBACKS))
