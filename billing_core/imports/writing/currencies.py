"""Currencies that stand around a price, ``€ 12.50`` or ``12,50 EUR``: no price may change its currency in silence."""

import re
from functools import cache
from typing import Final

from billing_core.imports.writing.damage import unwrapped
from billing_core.money import currencies

_SIGNS: Final = {
    "€": "EUR",
    "euro": "EUR",
    "£": "GBP EGP LBP SYP GIP FKP SHP",
    "$": "USD CAD AUD NZD SGD HKD MXN TWD ARS CLP COP BRL UYU BBD BMD BSD BZD FJD GYD JMD KYD LRD NAD SBD SRD TTD XCD",
    "us$": "USD",
    "ca$": "CAD",
    "c$": "CAD",
    "a$": "AUD",
    "au$": "AUD",
    "nz$": "NZD",
    "s$": "SGD",
    "hk$": "HKD",
    "mx$": "MXN",
    "nt$": "TWD",
    "r$": "BRL",
    "¥": "JPY CNY",
    "元": "CNY",
    "円": "JPY",
    "₹": "INR",
    "₩": "KRW",
    "₺": "TRY",
    "₽": "RUB",
    "₴": "UAH",
    "₪": "ILS",
    "₫": "VND",
    "฿": "THB",
    "kr": "SEK NOK DKK ISK",
    "zł": "PLN",
    "kč": "CZK",
    "ft": "HUF",
    "lei": "RON MDL",
    "fr": "CHF",
    "sfr": "CHF",
}
_TOKEN: Final = r"[^\W\d_]*[^\d\s.,'’()+−_-]"
_BEFORE: Final = re.compile(rf"(?P<sign>{_TOKEN})(?:\.(?=\s))?\s*(?=[\d.,(−-])")
_AFTER: Final = re.compile(rf"\s*(?P<sign>{_TOKEN})\.?$")


def without_currency(text: str) -> str:
    """The number alone; the text as it is where what stands around it is no currency."""
    return _taken_off(text)[0]


def currencies_of(cell: str) -> frozenset[str] | None:
    """The codes of those that the cell may mean; None where it names none."""
    named = _taken_off(unwrapped(cell, code=True).strip().strip("()-−"))[1]
    return frozenset.intersection(*named) if named else None


def _taken_off(text: str) -> tuple[str, list[frozenset[str]]]:
    named = []
    if (match := _BEFORE.match(text)) and (codes := _known().get(match["sign"].casefold())):
        named.append(codes)
        text = text[match.end() :]
    if (match := _AFTER.search(text)) and (codes := _known().get(match["sign"].casefold())):
        named.append(codes)
        text = text[: match.start()]
    return text, named


@cache
def _known() -> dict[str, frozenset[str]]:
    codes = currencies()
    known = {code.casefold(): frozenset({code}) for code in codes}
    return known | {sign: frozenset(meant.split()) & codes for sign, meant in _SIGNS.items()}
