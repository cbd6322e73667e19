"""Spelling habits that do not matter where words are compared."""

import re
import unicodedata


def snake(text: str) -> str:
    """``In Progress``, ``in-progress`` and ``IN_PROGRESS`` alike, without accents."""
    bare = unicodedata.normalize("NFKD", text.strip().casefold())
    letters = "".join(character for character in bare if not unicodedata.combining(character))
    return re.sub(r"[\s_-]+", "_", letters)


def same_word(cell: str) -> str:
    """Words that people answer for are told apart without regard to case and blanks."""
    return " ".join(cell.split()).casefold()
