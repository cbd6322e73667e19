"""Money: integer minor units with a currency, and the one rounding rule.

Prices and quantities are exact decimals; an amount becomes minor units once, at the end, half away from zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Self

from babel.numbers import list_currencies
from sqlalchemy import ColumnElement

from billing_core.errors import Invalid

# Orders count in thousandths, the lines of an invoice in millionths.
QUANTITY_PLACES = 3
LINE_QUANTITY_PLACES = 6
PRICE_PLACES = 6
USAGE_PRICE_PLACES = 12
PERCENT_PLACES = 4

# The largest amount, in minor units of any currency: ten trillion dollars, and 38 billion dollars in Vietnamese dong.
LARGEST_MINOR = 10**15
# The largest price of a unit, in major units: its millionths fit into 64 bits.
LARGEST_PRICE = Decimal(9 * 10**12)

# ISO 4217 currencies whose minor unit is not a hundredth.
_MINOR_UNIT_DIGITS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
}


@cache
def currencies() -> frozenset[str]:
    """Every ISO 4217 code that may be used, by its three letters."""
    return frozenset(list_currencies("en"))


def decimal_places(currency: str) -> int:
    """The number of decimal places of this currency."""
    return _MINOR_UNIT_DIGITS.get(currency, 2)


def largest_amount(currency: str) -> Decimal:
    """The largest amount in major units."""
    return Money(LARGEST_MINOR, currency).amount


def largest_price(currency: str) -> Decimal:
    """The largest price of a unit in major units: one of it may be billed."""
    return min(LARGEST_PRICE, largest_amount(currency))


def currency_code(text: str) -> str:
    """``" usd "`` -> ``"USD"``; Invalid when there is no such currency."""
    code = text.strip().upper()
    if not code:
        raise Invalid("a currency is needed, such as USD or EUR")
    if code not in currencies():
        raise Invalid(f"“{text.strip()}” is not a currency code such as USD or EUR")
    return code


@dataclass(frozen=True, slots=True)
class Money:
    """``minor`` integer minor units (cents for USD) of ``currency``."""

    minor: int
    currency: str

    @classmethod
    def rounded(cls, amount: Decimal | Fraction, currency: str) -> Self:
        """``amount`` in major units; half a minor unit rounds away from zero. Call once, at the end."""
        numerator, denominator = amount.as_integer_ratio()
        return cls(nearest(numerator * 10 ** decimal_places(currency), denominator), currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units, with exactly the currency's digits."""
        return Decimal(self.minor).scaleb(-decimal_places(self.currency))

    def __add__(self, other: Self) -> Self:
        self._same_currency(other)
        return type(self)(self.minor + other.minor, self.currency)

    def __sub__(self, other: Self) -> Self:
        self._same_currency(other)
        return type(self)(self.minor - other.minor, self.currency)

    def __str__(self) -> str:
        return f"{self.amount:,} {self.currency}"

    def _same_currency(self, other: Self) -> None:
        if self.currency != other.currency:
            raise Invalid(f"cannot combine {other.currency} with {self.currency}")


def scaled(number: Decimal, places: int) -> int:
    """``scaled(Decimal("1.5"), 3)`` -> 1500; ValueError instead of rounding a number with more decimals in silence."""
    shifted = number.scaleb(places)
    whole = int(shifted)
    if whole != shifted:
        raise ValueError(f"{number} has more than {places} decimals")
    return whole


def nearest(dividend: int, divisor: int) -> int:
    """The quotient as a whole number, half away from zero: the one rounding rule. The divisor is positive."""
    whole = (2 * abs(dividend) + divisor) // (2 * divisor)
    return whole if dividend >= 0 else -whole


def split(total: int, shares: Sequence[int], unit: int) -> list[int]:
    """``total`` in whole parts as near to the exact ones as can be: ``shares``, in units of which ``unit`` make 1, and
    which add up to the total but for rounding. What rounding down leaves over goes where most was cut off, the first
    before the later."""
    parts = [share // unit for share in shares]
    by_cut = sorted(range(len(parts)), key=lambda place: -(shares[place] % unit))
    for place in by_cut[: total - sum(parts)]:
        parts[place] += 1
    return parts


def rounded_quotient(dividend: ColumnElement[int], divisor: int | ColumnElement[int]) -> ColumnElement[int]:
    """The same rounding rule in SQL, for amounts that are never negative: integers in, integer out.

    ``nearest`` is its counterpart in Python; a property test holds the two together.
    """
    if isinstance(divisor, int) and divisor == 1:
        return dividend
    return (dividend + divisor // 2) // divisor
