"""What the sandbox keeps of a payment, so that fees can be seen: 2.9 %, and 30 minor units."""

from typing import Final

from billing_core.money import nearest

_PER_MILLE: Final = 29
_FIXED: Final = 30


def of_payment(amount_minor: int) -> int:
    return min(nearest(amount_minor * _PER_MILLE, 1000) + _FIXED, amount_minor)
