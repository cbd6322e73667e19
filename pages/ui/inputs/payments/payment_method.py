"""How money came in that somebody records by hand."""

from typing import Literal

import streamlit as st

from billing_core.payments.models import PaymentMethod
from pages.ui import formats

# What comes in through Stripe is recorded by its events.
_BY_HAND = [method for method in PaymentMethod if method is not PaymentMethod.STRIPE]


def choose(label: str, *, key: str, width: Literal["stretch"] | int = "stretch") -> PaymentMethod:
    return st.selectbox(label, _BY_HAND, format_func=formats.words, key=key, width=width)
