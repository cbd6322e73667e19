"""Countries as people and programs write them: an ISO code of two or three letters, or a name in a language that many
write in, also with what some programs put beside it: ``United Kingdom (UK)``, ``Netherlands, The``, ``DE - Germany``.
"""

import re
import unicodedata
from functools import cache
from typing import Final

import pycountry
from babel import Locale

from billing_core.languages.available import languages
from billing_core.languages.written import WRITTEN

# Customary names that neither Babel's territories nor the ISO list contain.
_ALIASES = {
    "america": "US",
    "brd": "DE",
    "britain": "GB",
    "brunei darussalam": "BN",
    "burma": "MM",
    "cape verde": "CV",
    "cote divoire": "CI",
    "czech rep": "CZ",
    "dprk": "KP",
    "drc": "CD",
    "east timor": "TL",
    "eire": "IE",
    "england": "GB",
    "fyrom": "MK",
    "great britain and northern ireland": "GB",
    "great britain": "GB",
    "holland": "NL",
    "holy see": "VA",
    "hong kong": "HK",
    "hongkong": "HK",
    "ivory coast": "CI",
    "korea north": "KP",
    "korea south": "KR",
    "ksa": "SA",
    "lao pdr": "LA",
    "macao": "MO",
    "macau": "MO",
    "macedonia fyrom": "MK",
    "macedonia": "MK",
    "mainland china": "CN",
    "northern ireland": "GB",
    "p r china": "CN",
    "palestine": "PS",
    "pr china": "CN",
    "prc": "CN",
    "republic of ireland": "IE",
    "russia": "RU",
    "scotland": "GB",
    "slovak republic": "SK",
    "south korea": "KR",
    "swaziland": "SZ",
    "syria": "SY",
    "taiwan": "TW",
    "turkey": "TR",
    "u a e": "AE",
    "u k": "GB",
    "u s a": "US",
    "u s": "US",
    "uae": "AE",
    "uk": "GB",
    "united states of america": "US",
    "usa": "US",
    "vatican city state": "VA",
    "vatican": "VA",
    "venezuela": "VE",
    "wales": "GB",
}


# What stands beside a name and says nothing about which country it is.
_BESIDE: Final = frozenset({"", "the", "sar", "s a r", "sar china", "republic of", "rep of"})
_ARTICLES: Final = re.compile(r"^(?:the|la|le|les|die|der|los|las) | (?:sar|s a r)(?: china)?$")
_APART: Final = re.compile(r"[()\[\],;/|]| [-–—] ")


def country_code(text: str) -> str | None:
    """``"Germany"``, ``"Alemania"``, ``"de"`` or ``"DEU"`` -> ``"DE"``; None where no country is called that."""
    return _named(text) or _of_parts([part for part in _APART.split(text) if _plain(part) not in _BESIDE])


def _named(text: str) -> str | None:
    plain = _plain(text)
    return _codes().get(plain) or _further_names().get(plain) or _codes().get(_ARTICLES.sub("", plain))


def _of_parts(parts: list[str]) -> str | None:
    """The country that each of these names: ``Georgia (US)`` is none."""
    named = {_named(part) for part in parts}
    return named.pop() if len(named) == 1 else None


@cache
def _codes() -> dict[str, str]:
    """Every spelling in the customers' languages that is understood, plain. Codes and aliases win over names."""
    official = {country.alpha_2: country for country in pycountry.countries}
    known: dict[str, str] = {}
    for language in languages():
        for code, name in Locale.parse(language, sep="-").territories.items():
            if code in official:
                known.setdefault(_plain(name), code)
    for code, country in official.items():
        for attribute in ("name", "official_name", "common_name"):
            if name := getattr(country, attribute, None):
                known.setdefault(_plain(name), code)
        known[_plain(country.alpha_3)] = code
        known[_plain(code)] = code
    return known | _ALIASES


@cache
def _further_names() -> dict[str, str]:
    """Those in other languages, and with ae, oe and ue for umlauts, without names that mean two countries."""
    official = {country.alpha_2 for country in pycountry.countries}
    found: dict[str, set[str]] = {}
    for language in WRITTEN:
        for code, name in Locale.parse(language, sep="-").territories.items():
            if code in official:
                for spelling in (name, name.translate(_UMLAUTS)):
                    found.setdefault(_plain(spelling), set()).add(code)
    return {name: codes.pop() for name, codes in found.items() if len(codes) == 1}


_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})


def _plain(text: str) -> str:
    """Without accents, case and punctuation, so that spelling habits do not matter."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(character for character in bare if not unicodedata.combining(character))
    return re.sub(r"\W+", " ", letters).strip()
