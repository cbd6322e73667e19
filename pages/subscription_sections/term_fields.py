"""How many seats and add-ons a subscription has, as people choose them."""

from collections.abc import Mapping

import streamlit as st

from billing_core.plans.offers import Offer
from billing_core.subscriptions.pricing import MOST_SEATS
from pages.ui import formats
from pages.ui.text import md


def count(label: str, least: int, most: int, *, key: str, value: int | None = None, width: int = 130) -> int:
    begun = least if value is None else value
    return int(st.number_input(label, min_value=least, max_value=most, value=begun, step=1, key=key, width=width))


def seats(value: int, *, key: str) -> int:
    return count("Seats", 1, MOST_SEATS, key=key, value=value)


def add_ons(offer: Offer, value: Mapping[str, int], *, key: str) -> dict[str, int]:
    """How many of each that the plan has, without those of which there are none."""
    if not offer.add_ons:
        return {}
    chosen = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for one in offer.add_ons:
            label = md(f"{one.name}, {formats.money(one.price_minor, offer.currency)} each")
            many = value.get(one.code, 0)
            chosen[one.code] = count(label, 0, MOST_SEATS, key=f"{key}_{one.code}", value=many, width=220)
    return {code: many for code, many in chosen.items() if many}
