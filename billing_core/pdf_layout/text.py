"""Making text legible in a PDF: which characters there are, and what becomes of those that no font has."""

import re
import unicodedata
from functools import cache
from typing import Final

from billing_core.pdf_layout import fonts
from billing_core.pdf_layout.fonts import BOLD, REGULAR
from billing_core.pdf_layout.shaping import JOINERS, reads_right_to_left

# Joiners, directions, variation selectors and skin tones: no font draws them, and alone they mean nothing.
_SILENT = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff\U000e0000-\U000e01ef]"
)
# They join letters, and keep them apart; between signs they mean nothing.
_STRAY_JOINERS = re.compile(f"(?<![\u0590-\u1fff\ua800-\uabff\U00010800-\U0001efff])[{JOINERS}]+")
_SPACES = re.compile(r"[^\S\n]+")
# An emoji or symbol of the newer blocks, with the space behind it.
_PICTURES = re.compile("[\U0001f000-\U0001faff] ?")
REPLACEMENT: Final = "\ufffd"


@cache
def plain() -> frozenset[str]:
    """The characters that can be set one by one in DejaVu, regular and bold."""
    both = fonts.characters(REGULAR) & fonts.characters(BOLD)
    return frozenset(
        character
        for character in map(chr, both)
        if not reads_right_to_left(character) and unicodedata.category(character)[0] not in "MC"
    )


def is_plain(text: str) -> bool:
    """Whether a legible line consists of these."""
    return text.isascii() or plain().issuperset(text)


def legible(text: str) -> str:
    """The text in characters that we have fonts for. Line breaks stay, all other white space becomes a space."""
    if text.isprintable() and is_plain(text):
        return text
    text = unicodedata.normalize("NFC", "\n".join(text.splitlines()))
    text = _STRAY_JOINERS.sub("", _SILENT.sub("", _SPACES.sub(_space, text)))
    # Pictures newer than the fonts decorate words, and go; where there is nothing else, they are named.
    text = _PICTURES.sub(_picture, text) if _PICTURES.sub("", text).strip() else text
    return "".join(map(_drawable, text))


def _picture(found: re.Match[str]) -> str:
    return found.group() if _in_a_font(found.group()[0]) else ""


def _space(found: re.Match[str]) -> str:
    """A no-break space stays one."""
    return "\u00a0" if found.group() in "\u00a0\u202f" else " "


def unprintable(text: str) -> list[str]:
    """The characters that a PDF would leave out, name in words or mark as missing; each once."""
    if text.replace("\n", "").isprintable() and is_plain(text.replace("\n", "")):
        return []
    kept = _SILENT.sub("", unicodedata.normalize("NFC", text))
    return [character for character in dict.fromkeys(kept) if _says_something(character) and not _drawn(character)]


def _says_something(character: str) -> bool:
    return not character.isspace() and character not in JOINERS and unicodedata.category(character) != "Cc"


def _drawable(character: str) -> str:
    if character == "\n" or character in JOINERS:
        return character
    category = unicodedata.category(character)
    if category[0] == "C":
        return ""
    if drawn := _drawn(character):
        return drawn
    if category[0] in "LMN":
        return REPLACEMENT
    # A sign newer than the fonts is named: leaving it out could change what is said.
    return f":{unicodedata.name(character, 'sign').lower()}:"


def _drawn(character: str) -> str:
    """The character, or plainer ones that mean the same; empty where no font has them."""
    if _in_a_font(character):
        return character
    plainer = unicodedata.normalize("NFKD", character)
    return plainer if plainer != character and all(map(_in_a_font, plainer)) else ""


def _in_a_font(character: str) -> bool:
    return bool(fonts.faces_of(character))
