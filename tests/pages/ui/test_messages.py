"""What is said after a change."""

import pytest

from pages.ui import formats


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("bank_transfer", "by bank transfer"),
        ("cash", "in cash"),
        ("card", "by card"),
        ("stripe", "through Stripe"),
        ("other", "in another way"),
    ],
)
def test_a_way_of_payment_follows_the_word_paid(method, words):
    assert formats.by_method(method) == words
