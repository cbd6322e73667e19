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


def catalogue_of(language: str) -> Path:
    """The file with a language's words; English needs none."""
    return CATALOGUES / f"{language.replace('-', '_')}.po"


@cache
def own_name(language: str) -> str:
    """A language's name in itself: ``Deutsch``."""
    from babel import Locale  # Babel is not loaded where only the codes are needed

    name = str(Locale.parse(language, sep="-").get_display_name())
    return name[:1].upper() + name[1:]
