"""What the charts by month have in common: the twelve months that they show, and the currency."""

from datetime import date
from functools import partial

import streamlit as st

from billing_core.dates import Period, add_months, first_of_month, last_of_month
from pages.ui import address

MONTHS = 12


def until(last: date) -> Period:
    """The twelve months that end with the one of this day."""
    return Period(add_months(first_of_month(last), 1 - MONTHS), last_of_month(last))


def choose_currency(currencies: list[str], own: str, *, key: str) -> str:
    """Asked for only where there are several."""
    default = own if own in currencies or not currencies else currencies[0]
    address.read(key, "Currency", partial(address.called, {code: code for code in currencies}), default)
    if len(currencies) < 2:
        address.stop_in_doubt()
        return default
    chosen = st.segmented_control("Currency", currencies, default=default, key=key, bind="query-params", required=True)
    address.stop_in_doubt()
    return chosen or default
