"""The least and the most that Stripe takes at once, after its page on currencies, in what people write as amounts."""

from decimal import Decimal

import pytest

from billing_core.money import Money, currencies
from billing_core.online_payments.stripe.limits import LEAST, MORE, refusal

# docs.stripe.com/currencies, “Minimum charge amount by currency”.
PUBLISHED = """
0.50 USD, 2.00 AED, 0.50 ARS, 0.50 AUD, 0.50 BRL, 0.50 CAD, 0.50 CHF, 0.50 COP, 15.00 CZK, 2.50 DKK, 0.50 EUR,
0.30 GBP, 4.00 HKD, 175.00 HUF, 0.50 IDR, 0.50 ILS, 0.50 INR, 50 JPY, 50 KRW, 10 MXN, 2.00 MYR, 3.00 NOK, 0.50
NZD, 0.50 PHP, 2.00 PLN, 2.00 RON, 0.50 RUB, 3.00 SEK, 0.50 SGD, 10 THB, 0.50 ZAR, 1.00 BGN
"""
# The same page, “Maximum charge amounts”; of HUF, JPY and LBP by card. Eight digits of all others, in Stripe's units.
LARGEST = """
999999.99 USD, 999999.99 EUR, 9999999999.99 IDR, 99999999.99 COP, 9999999.99 INR, 9999999999 JPY,
9999999999.99 HUF, 99999999 KRW, 99999.99 KWD, 999999 ISK, 999999 UGX, 99999999 MGA, 999999999999.99 LBP
"""


def listed(amounts: str) -> list[Money]:
    pairs = [one.split() for one in amounts.replace("\n", " ").split(",")]
    return [Money.rounded(Decimal(amount), currency) for amount, currency in pairs]


@pytest.mark.parametrize("least", listed(PUBLISHED), ids=str)
def test_less_than_the_least_is_refused_in_words_that_name_it(least):
    assert refusal(least.minor, least.currency) == ""
    said = refusal(least.minor - 1, least.currency)
    assert said.endswith(f"cannot be paid through Stripe, which takes no less than {least} at once")


@pytest.mark.parametrize("most", listed(LARGEST), ids=str)
def test_more_than_the_most_is_refused_in_words_that_name_it(most):
    # Of the ariary no part is taken, and of a dinar's thousandths every tenth.
    step = {"MGA": 100, "KWD": 10}.get(most.currency, 1)
    assert refusal(most.minor, most.currency) == ""
    assert f"which takes no more than {most} at once" in refusal(most.minor + step, most.currency)


@pytest.mark.parametrize(
    ("minor", "currency", "taken"),
    [
        (5_120, "KWD", True),
        (5_124, "KWD", False),
        (10, "TND", True),
        (9, "OMR", False),
        (501, "MGA", False),
        (1, "ISK", True),
        (1, "UGX", True),
        # Pay-outs of these have no hundredths, charges may.
        (17_545, "HUF", True),
        (80_045, "TWD", True),
        # Of what is not listed, only Stripe knows the least.
        (1, "XOF", True),
        (0, "XOF", False),
    ],
)
def test_parts_of_a_unit_are_taken_as_stripe_takes_them(minor, currency, taken):
    assert (refusal(minor, currency) == "") is taken


def test_only_currencies_are_listed():
    assert (LEAST.keys() | MORE.keys()) <= currencies()
