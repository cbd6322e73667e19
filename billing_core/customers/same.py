"""Whether two ways of writing an e-mail address or a name mean the same one: in any case, with its accents."""

import unicodedata
from functools import lru_cache
from typing import Final

import idna

LONGEST_KEY: Final = 254


def email_key(address: str) -> str:
    """Equal for what is one address: the case of letters does not matter, nor whether the domain is written in its own
    letters or as ``xn--…`` (IDNA 2008). Other letters are others: ``ß`` is not ``ss``, ``é`` not ``e``.
    """
    local, _, domain = address.strip().rpartition("@")
    return f"{_folded(local)}@{_domain(domain)}"[:LONGEST_KEY] if local else ""


def name_key(name: str) -> str:
    """Equal for names that differ at most in the case of letters and in blanks."""
    return _folded(" ".join(name.split()))


@lru_cache(1_024)
def _domain(text: str) -> str:
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
    except idna.IDNAError:
        return _folded(text)
    return ".".join(_in_letters(label) for label in mapped.split("."))


def _in_letters(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return idna.ulabel(label)
    except idna.IDNAError:
        return label


def _folded(text: str) -> str:
    """By Unicode's simple case folding, one letter for one: with the full one ``ß`` would be ``ss``."""
    if text.isascii():
        return text.lower()
    composed = unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", "".join(map(_small, composed)))


def _small(letter: str) -> str:
    return next((small for small in (letter.casefold(), letter.lower()) if len(small) == 1), letter)
