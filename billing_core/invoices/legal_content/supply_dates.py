"""Whether an invoice says when it was supplied what it bills: in its lines, or in its notes."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from babel import Locale

from billing_core.languages.available import languages

# What is called so says when, whatever stands beside it: “Leistungsdatum entspricht Rechnungsdatum” too.
_CALLED: Final = re.compile(
    r"leistungs(datum|tag|zeit|monat)|liefer(datum|tag|zeit|ung am)|geliefert am"
    r"|(date|time|period) of (supply|delivery)|(supply|delivery|service) (date|period)"
    r"|(delivered|supplied|performed) on|date de (la )?(livraison|prestation)"
    r"|fecha de (la )?(entrega|operación|prestación)|取引(年月)?日",
    re.IGNORECASE,
)


def says_when(lines: Iterable[tuple[str, bool]], notes: str) -> bool:
    """``lines``: the text of each, and whether it bills days of its own, as those of reports and usage do.

    Said is it where the lines all have a day, or where it is called by its name.
    """
    texts = list(lines)
    if any(_CALLED.search(text) for text in (notes, *(text for text, _ in texts))):
        return True
    return all(of_days or has_day(text) for text, of_days in texts)


def has_day(text: str) -> bool:
    """Whether there is a day, a month or a period in it, in one of the customers' languages."""
    return _days().search(text.casefold()) is not None


@cache
def _days() -> re.Pattern[str]:
    names = {
        name.strip(".").casefold()
        for language in languages()
        for width in ("abbreviated", "wide")
        for name in Locale.parse(language, sep="-").months["format"][width].values()
    }
    months = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    figures = r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./] ?\d{1,2}[./] ?\d{2,4}\b|\b(0?[1-9]|1[0-2])/20\d\d\b|20\d\d ?年"
    return re.compile(rf"{figures}|\b({months})\b[^\n]{{0,20}}\b20\d\d\b")
