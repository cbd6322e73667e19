"""Currencies as people and programs write them: ``EUR``, ``€``, ``Euro``, ``US Dollar``, ``USD ($)``."""

import re
import unicodedata
from functools import cache
from typing import Final

from babel import Locale
from babel.core import get_global
from babel.numbers import get_currency_name, get_territory_currencies

from billing_core.languages.written import WRITTEN
from billing_core.money import currencies

# Signs and words of several currencies: alone they mean none of them.
_SHARED: Final = {
    "$": "USD CAD AUD NZD MXN SGD HKD TWD CLP COP ARS BRL JMD FJD",
    "c$": "CAD NIO",
    "dollar": "USD CAD AUD NZD SGD HKD TWD JMD FJD",
    "¥": "JPY CNY",
    "kr": "SEK NOK DKK ISK",
    "krona": "SEK ISK",
    "krone": "NOK DKK",
    "rs": "INR PKR LKR NPR MUR",
    "rupee": "INR PKR LKR NPR MUR",
    "pound": "GBP EGP LBP SYP SDG FKP GIP SHP",
    "franc": "CHF XAF XOF XPF",
    "peso": "MXN ARS CLP COP PHP UYU DOP",
}
_USUAL: Final = {
    "us$": "USD",
    "american dollar": "USD",
    "united states dollar": "USD",
    "au$": "AUD",
    "£": "GBP",
    "pound sterling": "GBP",
    "sterling": "GBP",
    "sfr": "CHF",
    "renminbi": "CNY",
    "rmb": "CNY",
    "yuan": "CNY",
    "yen": "JPY",
}
_APART: Final = re.compile(r"[()\[\],;/|]| [-–—] ")
_LETTERS_OR_SIGNS: Final = re.compile(r"[^\W\d_]+|[^\w\s]+")


def currency_named(text: str) -> str | None:
    """The code of the one currency that is called this; None where none is, or several are: a bare ``$`` or ``kr``."""
    if (code := text.strip().upper()) in currencies():  # before all names are read, which takes a second
        return code
    for parts in ([text], _APART.split(text), _LETTERS_OR_SIGNS.findall(text)):
        meant = [_meanings().get(_plain(part), frozenset()) for part in parts if part.strip()]
        if meant and len(agreed := frozenset.intersection(*meant)) == 1:
            return next(iter(agreed))
    return None


@cache
def _meanings() -> dict[str, frozenset[str]]:
    """Every code, name and sign that is understood, plain, with the currencies that are called this."""
    found: dict[str, set[str]] = {}
    for language in WRITTEN:
        signs = Locale.parse(language, sep="-").currency_symbols
        for code in _tender():
            names = {get_currency_name(code, count=count, locale=language.replace("-", "_")) for count in (None, 1, 2)}
            for name in (*names, signs.get(code, code)):
                found.setdefault(_plain(name), set()).add(code)
    for name, codes in _SHARED.items():
        for spelling in (name, f"{name}s") if name.isalpha() else (name,):
            found.setdefault(spelling, set()).update(codes.split())
    certain = {name: {code} for name, code in _USUAL.items()} | {code.lower(): {code} for code in currencies()}
    return {name: frozenset(codes) for name, codes in (found | certain).items()}


def _tender() -> set[str]:
    """What is money somewhere today: names of former currencies would only make others ambiguous."""
    return {code for territory in get_global("territory_currencies") for code in get_territory_currencies(territory)}


def _plain(text: str) -> str:
    """Without case, accents, dots and hyphens."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(character for character in bare if not unicodedata.combining(character))
    return " ".join(letters.replace(".", "").replace("-", " ").split())
