"""Amounts as anybody writes them, looked for in columns of minor units: ``1113.46``, ``1,113.46``, ``1.113,46``,
``1 113,46``, ``1'113.46``, ``11,13,000``, with or without a currency.
"""

import re
import unicodedata
from collections.abc import Iterable, Set
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final

from babel import Locale
from sqlalchemy import ColumnElement, SQLColumnExpression, and_, false, or_

from billing_core.money import LARGEST_MINOR, currencies, decimal_places

# Signs of a currency that are no code and that English does not have.
_LOCAL: Final = {
    "kr": "DKK ISK NOK SEK",
    "zł": "PLN",
    "kč": "CZK",
    "ft": "HUF",
    "lei": "RON",
    "лв": "BGN",
    "fr": "CHF",
    "sfr": "CHF",
    "rs": "INR PKR LKR NPR MUR",
    "元": "CNY",
    "円": "JPY",
    "₽": "RUB",
    "₺": "TRY",
    "₴": "UAH",
    "₸": "KZT",
    "₾": "GEL",
    "us$": "USD",
}
# Signs that many currencies have, by the words of their names.
_SHARED: Final = {"$": ("Dollar", "Peso"), "£": ("Pound",)}
_LONGEST: Final = 60
# Signs, and the dash that stands for no cents.
_AROUND: Final = "+-\N{MINUS SIGN}–—() "
_NUMBER: Final = re.compile(r"[.,٫]?[0-9](?:[0-9.,'’٬٫ ]*[0-9])?")
_GROUPED: Final = (
    re.compile(r"[0-9]{1,3}(?:([.,'’٬ ])[0-9]{3})(?:\1[0-9]{3})*"),
    re.compile(r"[0-9]{1,2}(?:(,)[0-9]{2})+,[0-9]{3}"),
)


@dataclass(frozen=True, slots=True)
class Sought:
    """What a text may mean, in major units: ``1.113`` is 1113, or 1.113 of a currency that is paid in thousandths.
    ``currencies`` are those that it names, all where it names none.
    """

    amounts: frozenset[Decimal]
    currencies: frozenset[str]

    def is_one_of(self, currency: SQLColumnExpression[str], *columns: SQLColumnExpression[int]) -> ColumnElement[bool]:
        """In SQL: one of these columns of minor units of the currency has this amount. By the column's index."""
        by_places = {}
        for places in {decimal_places(code) for code in self.currencies}:
            scaled = {amount.scaleb(places) for amount in self.amounts}
            minors = {int(one) for one in scaled if one == one.to_integral_value() and one <= LARGEST_MINOR}
            codes = {code for code in self.currencies if decimal_places(code) == places}
            by_places[places] = (minors, _among(currency, codes))
        every = sorted({minor for minors, _ in by_places.values() for minor in minors})
        return or_(false(), *(_is_one_of(column, every, by_places.values()) for column in columns))


def has_amount(
    text: str, currency: SQLColumnExpression[str], *columns: SQLColumnExpression[int]
) -> ColumnElement[bool]:
    """In SQL: the text is the amount in one of these columns, which are minor units of the currency."""
    amount = sought(text)
    return false() if amount is None else amount.is_one_of(currency, *columns)


def sought(text: str) -> Sought | None:
    """The amount that a text is; None where it is none."""
    plain = " ".join("".join(map(_plain, unicodedata.normalize("NFKC", text[: _LONGEST + 1]))).split())
    found = _NUMBER.search(plain)
    if found is None or len(plain) > _LONGEST:
        return None
    before, after = (part.strip(_AROUND) for part in (plain[: found.start()], plain[found.end() :]))
    after = after.removeprefix(".-").removeprefix(",-").strip(_AROUND + ".,")
    if before and after:
        return None
    named = _currencies(before or after)
    amounts = frozenset(_readings(found.group()))
    return Sought(amounts, named) if amounts and named else None


def _plain(character: str) -> str:
    if unicodedata.category(character) == "Cf":
        return ""
    return str(unicodedata.decimal(character, character))


def _readings(number: str) -> list[Decimal]:
    readings = [] if (whole := _whole(number)) is None else [Decimal(whole)]
    mark = max(number.rfind(one) for one in ".,٫")
    if mark >= 0:
        head, decimals = number[:mark], number[mark + 1 :]
        whole = _whole(head) if head else "0"
        # A mark that separates thousands is not the one before the decimals.
        if whole is not None and number[mark] not in head and decimals.isdigit():
            readings.append(Decimal(f"{whole}.{decimals}"))
    return readings


def _whole(number: str) -> str | None:
    """The digits, where all that stands between them separates thousands."""
    if number.isdigit():
        return number
    return re.sub("[^0-9]", "", number) if any(form.fullmatch(number) for form in _GROUPED) else None


def _is_one_of(
    column: SQLColumnExpression[int], every: list[int], ways: Iterable[tuple[Set[int], ColumnElement[bool]]]
) -> ColumnElement[bool]:
    """Of all first, by which the column's index is read."""
    in_its_unit = (and_(column.in_(sorted(minors)), paid_in) for minors, paid_in in ways)
    return and_(column.in_(every), or_(*in_its_unit))


def _among(currency: SQLColumnExpression[str], codes: Set[str]) -> ColumnElement[bool]:
    """The shorter way to say it."""
    others = currencies() - codes
    return currency.not_in(sorted(others)) if len(others) < len(codes) else currency.in_(sorted(codes))


def _currencies(name: str) -> frozenset[str]:
    """The currencies that have this code or sign."""
    if not name:
        return currencies()
    if (code := name.upper()) in currencies():
        return frozenset([code])
    return _by_sign().get(name.casefold().rstrip("."), frozenset())


@cache
def _by_sign() -> dict[str, frozenset[str]]:
    """``ca$`` is Canadian; ``$`` is any dollar or peso."""
    english = Locale.parse("en")
    signs: dict[str, set[str]] = {sign: set(codes.split()) for sign, codes in _LOCAL.items()}
    for code in currencies():
        written = english.currency_symbols.get(code, "").casefold()
        if written and unicodedata.category(written[-1]) == "Sc":
            signs.setdefault(written, set()).add(code)
            signs.setdefault(written[-1], set()).add(code)
        for sign, words in _SHARED.items():
            if any(word in english.currencies[code] for word in words):
                signs.setdefault(sign, set()).add(code)
    return {sign: frozenset(codes) for sign, codes in signs.items()}
