"""Stripe uses other minor units than ours for a few currencies.

Ours are those of ISO 4217 (``billing_core.money``). Stripe keeps ISK and UGX in hundredths for historical reasons, has
no fractions of the MGA, and takes currencies of three decimal places only where the last one is 0.
"""

from typing import Final

from billing_core.errors import Invalid
from billing_core.money import Money, decimal_places, nearest

_DIGITS: Final = {"ISK": 2, "UGX": 2, "MGA": 0}


def for_stripe(minor: int, currency: str) -> int:
    """Our minor units as Stripe's. Invalid where Stripe cannot charge the amount."""
    ours, theirs = decimal_places(currency), _DIGITS.get(currency, decimal_places(currency))
    amount, rest = divmod(minor * int(10**theirs), int(10**ours))
    if rest or (theirs == 3 and amount % 10):
        raise Invalid(
            f"{Money(minor, currency)} cannot be paid through Stripe, which does not accept amounts that fine"
        )
    return amount


def finest(currency: str) -> int:
    """The smallest amount, in Stripe's units, of which every amount that it takes is a multiple."""
    ours, theirs = decimal_places(currency), _DIGITS.get(currency, decimal_places(currency))
    return 10 if theirs == 3 else int(10 ** max(theirs - ours, 0))


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's amount as our minor units; ``currency`` in any case."""
    code = currency.upper()
    ours, theirs = decimal_places(code), _DIGITS.get(code, decimal_places(code))
    return nearest(amount * int(10**ours), int(10**theirs))
