"""The sizes of paper, and which one is usual where."""

import enum
from typing import Final

from billing_core.dates import country_of

# As CLDR has it (supplemental data, paperSize); everywhere else paper is A4.
_LETTER_COUNTRIES: Final = frozenset("BZ CA CL CO CR GT MX NI PA PH PR SV US VE".split())


class PaperSize(enum.StrEnum):
    """A4 has 210 × 297 millimetres, US Letter 215.9 × 279.4."""

    A4 = "a4"
    LETTER = "letter"


def usual_in(time_zone: str) -> PaperSize:
    """What paper is used in the country of an IANA time zone; A4 where it is in none, as UTC."""
    return PaperSize.LETTER if country_of(time_zone) in _LETTER_COUNTRIES else PaperSize.A4
