"""How much Stripe takes at once, so that it is said before Stripe is asked, and the sandbox refuses the same.

As published at https://docs.stripe.com/currencies (read in November 2026), in Stripe's own minor units. Of a currency
that is not listed as the least, Stripe takes the equivalent of the least of the account's own, which only Stripe knows.
"""

from typing import Final

from billing_core.errors import Invalid
from billing_core.money import Money
from billing_core.online_payments.stripe.amounts import finest, for_stripe, from_stripe

LEAST: Final = {
    **dict.fromkeys("ARS AUD BRL CAD CHF COP EUR IDR ILS INR JPY KRW NZD PHP RUB SGD USD ZAR".split(), 50),
    **dict.fromkeys("AED MYR PLN RON".split(), 200),
    **dict.fromkeys("NOK SEK".split(), 300),
    **dict.fromkeys("MXN THB".split(), 1_000),
    # As it was listed until Bulgaria took the euro.
    "BGN": 100,
    "CZK": 1_500,
    "DKK": 250,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17_500,
}
# Eight digits; more for these, of HUF, JPY and LBP by card alone.
MOST: Final = 99_999_999
MORE: Final = {
    "INR": 999_999_999,
    "COP": 9_999_999_999,
    "JPY": 9_999_999_999,
    "HUF": 999_999_999_999,
    "IDR": 999_999_999_999,
    "LBP": 99_999_999_999_999,
}


def refusal(minor: int, currency: str) -> str:
    """Why Stripe takes no charge of so many of our minor units, in a sentence; empty where it does."""
    try:
        amount = for_stripe(minor, currency)
    except Invalid as error:
        return str(error)
    least, most = LEAST.get(currency, 1), MORE.get(currency, MOST)
    most -= most % finest(currency)
    if least <= amount <= most:
        return ""
    bound = f"no less than {_ours(least, currency)}" if amount < least else f"no more than {_ours(most, currency)}"
    return f"{Money(minor, currency)} cannot be paid through Stripe, which takes {bound} at once"


def _ours(amount: int, currency: str) -> Money:
    return Money(from_stripe(amount, currency), currency)
