"""Months and days of the week as English, German, French and Spanish texts name them."""

import unicodedata
from functools import cache
from typing import Final

from babel import Locale

_LANGUAGES: Final = ("en", "de", "fr", "es")
# Customary ones that Babel does not contain.
_FURTHER_MONTHS: Final = {"sept": 9, "set": 9, "setiembre": 9, "mrz": 3, "maerz": 3, "janner": 1, "jaenner": 1}
# What may stand before a date beside the day of the week.
_ARTICLES: Final = frozenset({"le", "el", "den", "the"})


def month_of(name: str) -> int | None:
    """1 to 12, of a name or its abbreviation; None where no month is called that."""
    return _months().get(_plain(name))


def may_precede(word: str) -> bool:
    """Whether the word stands before a date without changing it: ``Tuesday``, ``Di``, ``le``."""
    return _plain(word) in _days() or _plain(word) in _ARTICLES


@cache
def _months() -> dict[str, int]:
    names = dict(_FURTHER_MONTHS)
    for language in _LANGUAGES:
        for context in Locale.parse(language).months.values():
            for width in ("wide", "abbreviated"):
                names |= {_plain(name): month for month, name in context[width].items()}
    return names


@cache
def _days() -> frozenset[str]:
    contexts = [context for language in _LANGUAGES for context in Locale.parse(language).days.values()]
    return frozenset(
        _plain(name)
        for context in contexts
        for width in ("wide", "abbreviated", "short")
        for name in context[width].values()
    )


def _plain(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name.casefold())
    return "".join(one for one in bare if one.isalpha())
