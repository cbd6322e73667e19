"""What is agreed in a version of a plan: what is due when, seats, add-ons, phases and further currencies."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from operator import itemgetter

import streamlit as st

from billing_core.money import Money
from billing_core.plans import offers, parts
from billing_core.plans.listing import VersionRow
from billing_core.plans.offers import Offer
from billing_core.plans.terms import Terms
from pages.plan_sections import wording
from pages.ui import formats, tables
from pages.ui.reads import Reader
from pages.ui.text import md


def draw(read: Reader, version: VersionRow) -> None:
    st.subheader(f"Terms of version {version.number}", anchor=False)
    agreed = read.plain(parts.terms_of, version.id)
    with st.grid(3, min_column_width=220, gap="small"):
        for label, value in _facts(agreed):
            with st.container(gap=None):
                st.caption(label)
                st.markdown(md(value))
    tabled = [
        ("Further currencies", _further(agreed)),
        ("Add-ons", _add_ons(agreed)),
        ("Phases", _phases(read.plain(offers.offer, version.id, agreed.currency))),
    ]
    for name, rows in tabled:
        if rows:
            st.markdown(f"**{name}**")
            key = f"plan_{name.lower().replace(' ', '_')}"
            columns = [tables.computed(label, itemgetter(label), right=label not in _WORDS) for label in rows[0]]
            tables.show(rows, columns, key=key, alt=f"{name} of version {version.number}")


# The columns of words, which begin at the left.
_WORDS = {"Currency", "Code", "Name", "Periods"}


def _facts(agreed: Terms) -> Iterator[tuple[str, str]]:
    yield "Price", f"{_money(agreed.price, agreed.currency)} {wording.due(agreed)}"
    yield "Billed", wording.TIMINGS[agreed.timing]
    yield "Seats", _seats(agreed)
    yield "Ends", "When it is canceled" if agreed.ends_after is None else f"After {_periods(agreed.ends_after)}"
    yield "After a trial without a payment method", wording.TRIAL_ENDS[agreed.trial_end]


def _periods(count: int) -> str:
    return formats.counted(count, "period")


def _seats(agreed: Terms) -> str:
    if agreed.seat_price is None:
        return "Are not counted"
    each = f"{_money(agreed.seat_price, agreed.currency)} each"
    return f"{formats.count(agreed.included_seats)} included, then {each}" if agreed.included_seats else each


def _further(agreed: Terms) -> list[Mapping[str, str]]:
    return [
        {
            "Currency": currency,
            "Price": formats.price(amounts.price, currency),
            "A seat": formats.NOTHING if amounts.seat_price is None else formats.price(amounts.seat_price, currency),
        }
        for currency, amounts in agreed.further.items()
    ]


def _add_ons(agreed: Terms) -> list[Mapping[str, str]]:
    """A column for each currency, the version's own first."""
    codes = [agreed.currency, *agreed.further]
    return [
        {
            "Code": one.code,
            "Name": one.name,
            **{f"One, {currency}": formats.price(one.prices[currency], currency) for currency in codes},
        }
        for one in agreed.add_ons
    ]


def _phases(offered: Offer) -> list[Mapping[str, str]]:
    if not offered.phases:
        return []
    rows, first = [], 0
    for phase in offered.phases:
        rows.append((_from_to(first + 1, first + phase.periods), first))
        first += phase.periods
    if offered.ends_after is None or first < offered.ends_after:
        rows.append((f"From {formats.count(first + 1)} on", first))
    return [
        {
            "Periods": periods,
            "Percent of the price": formats.decimal(offered.percent_in(number)),
            f"Due, {offered.currency}": formats.amount(offered.price_in(number), offered.currency),
        }
        for periods, number in rows
    ]


def _from_to(first: int, last: int) -> str:
    return formats.count(first) if first == last else f"{formats.count(first)} – {formats.count(last)}"


def _money(amount: Decimal, currency: str) -> str:
    money = Money.rounded(amount, currency)
    return formats.money(money.minor, currency)
