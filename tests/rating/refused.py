"""How orders are refused that come to more than can be billed."""

import re

import pytest

from billing_core.errors import Invalid

# The largest amount, as a message writes it.
MOST = {
    "USD": "10,000,000,000,000.00 USD",
    "VND": "1,000,000,000,000,000 VND",
    "JPY": "1,000,000,000,000,000 JPY",
    "KWD": "1,000,000,000,000.000 KWD",
}


def refused(what="Service 1 comes", order="1-0", currency="USD"):
    reason = f"Order {order}: {what} to more than {MOST[currency]}, the most that can be billed"
    return pytest.raises(Invalid, match=f"^{re.escape(reason)}$")
