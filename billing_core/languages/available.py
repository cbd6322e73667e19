"""The languages that customers are written to in: English, and each that has a catalogue.

A further language is one more file in ``catalogues``, named for its code (``it.po``, ``pt_BR.po``); no other place
lists them.
"""

from functools import cache
from pathlib import Path
from typing import Final

SOURCE_LANGUAGE: Final = "en"
CATALOGUES: Final = Path(__file__).parent / "catalogues"


@cache
def languages() -> tuple[str, ...]:
    """The codes, English first. Named as in ``Accept-Language``: ``de``, ``pt-BR``."""
    return (SOURCE_LANGUAGE, *sorted(file.stem.replace("_", "-") for file in CATALOGUES.glob("*.po")))


def nearest(language: str) -> str:
    """The language to write to a person of this language: ``de`` for ``de-AT``, English for unknown ones."""
    general = language.partition("-")[0]
    return next((code for code in (language, general) if code in languages()), SOURCE_LANGUAGE)


@cache
def regions(language: str) -> tuple[str, ...]:
    """The countries that write this language in a known way of their own, by ISO code: ``CH`` of ``de``.

    None of a language whose catalogue is one country's already.
    """
    from babel.localedata import locale_identifiers

    beginning = f"{language}_"
    ways = (one.removeprefix(beginning) for one in locale_identifiers() if one.startswith(beginning))
    # Scripts and continents have longer codes.
    return tuple(sorted(way for way in ways if len(way) == 2))


def regional(language: str, country: str) -> str:
    """The language as that country writes figures and dates, ``de-CH``; alone where no such way is known."""
    return f"{language}-{country}" if country in regions(language) else language


def is_known(locale: str) -> bool:
    """Whether it is one of the ``languages``, alone or as a country writes it."""
    language, _, country = locale.partition("-")
    return locale in languages() or (language in languages() and country in regions(language))


def catalogue_of(language: str) -> Path:
    """The file with a language's words; English needs none."""
    return CATALOGUES / f"{language.replace('-', '_')}.po"


@cache
def own_name(language: str) -> str:
    """A language's name in itself: ``Deutsch``; as a country writes it ``Deutsch (Schweiz)``."""
    from babel import Locale  # Babel is not loaded where only the codes are needed

    name = str(Locale.parse(language, sep="-").get_display_name())
    return name[:1].upper() + name[1:]


@cache
def english_name(language: str) -> str:
    """``German``."""
    from babel import Locale

    return str(Locale.parse(language, sep="-").get_display_name(SOURCE_LANGUAGE))
