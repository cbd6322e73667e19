"""Countries as people write them: an ISO code of two or three letters, or a name in one of the customers' languages."""

import re
import unicodedata
from functools import cache

import pycountry
from babel import Locale

from billing_core.languages.available import languages

# Customary names that neither Babel's territories nor the ISO list contain.
_ALIASES = {
    "america": "US",
    "england": "GB",
    "great britain": "GB",
    "holland": "NL",
    "ivory coast": "CI",
    "macedonia": "MK",
    "northern ireland": "GB",
    "russia": "RU",
    "scotland": "GB",
    "south korea": "KR",
    "swaziland": "SZ",
    "taiwan": "TW",
    "turkey": "TR",
    "u k": "GB",
    "u s": "US",
    "u s a": "US",
    "uae": "AE",
    "uk": "GB",
    "united states of america": "US",
    "usa": "US",
    "vatican": "VA",
    "venezuela": "VE",
    "wales": "GB",
}


def country_code(text: str) -> str | None:
    """``"Germany"``, ``"Alemania"``, ``"de"`` or ``"DEU"`` -> ``"DE"``; None where no country is called that."""
    return _codes().get(_plain(text))


@cache
def _codes() -> dict[str, str]:
    """Every spelling that is understood, plain. Codes and aliases win over names."""
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


def _plain(text: str) -> str:
    """Without accents, case and punctuation, so that spelling habits do not matter."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(character for character in bare if not unicodedata.combining(character))
    return re.sub(r"\W+", " ", letters).strip()
