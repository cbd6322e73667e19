"""The fields of a plan's terms, in parts that fit on a screen each."""

from dataclasses import replace

import streamlit as st

from billing_core.errors import Invalid
from billing_core.money import currencies
from billing_core.plans import terms
from billing_core.plans.models import BillingTiming, PlanInterval, TrialEnd
from billing_core.plans.terms import MAX_INCLUDED, MAX_INTERVALS, Terms
from pages.plan_sections import term_tables, wording
from pages.plan_sections.typed import Typed, amount


def draw(key: str, begun: Terms, *, has_prices: bool) -> Terms | None:
    """Filled from the terms that they begin with; None while something is wrong, which is said where it is, and below
    in which part. ``has_prices``: other meters than calls have prices.
    """
    typed, agreed = Typed(), begun
    # Each part returns the terms with what is typed there.
    for (name, part), tab in zip(_PARTS.items(), st.tabs(list(_PARTS)), strict=True):
        typed.part = name
        with tab:
            agreed = part(typed, begun, agreed, key)
    if not typed.wrong:
        _check(typed, agreed, has_prices=has_prices)
    if typed.wrong:
        where = " and ".join(f"“{part}”" for part in dict.fromkeys(typed.wrong_in))
        st.markdown(f":red[:material/error: Something is wrong under {where}.]")
        return None
    return agreed


def _check(typed: Typed, agreed: Terms, *, has_prices: bool) -> None:
    try:
        terms.columns(agreed)
        terms.check_parts(agreed, has_prices=has_prices)
    except Invalid as invalid:
        for name, reason in invalid.fields.items():
            typed.say(name, reason)


def _price(typed: Typed, begun: Terms, agreed: Terms, key: str) -> Terms:
    with st.container(horizontal=True):
        price = typed.number("price", "Price", amount(begun.price, begun.currency), key=f"plan_price_{key}", width=140)
        codes = list(dict.fromkeys([begun.currency, *sorted(currencies())]))
        currency = st.selectbox("Currency", codes, key=f"plan_currency_{key}", width=110)
        with st.container(width=110):
            interval_count = st.number_input(
                "Due every",
                min_value=1,
                max_value=max(MAX_INTERVALS.values()),
                value=begun.interval_count,
                step=1,
                key=f"plan_interval_count_{key}",
            )
            typed.put("interval_count", "Due every", st.container())
        intervals = list(PlanInterval)
        interval = st.selectbox(
            "Interval",
            intervals,
            intervals.index(begun.interval),
            format_func=lambda one: one.value if interval_count == 1 else f"{one.value}s",
            key=f"plan_interval_{key}",
            width=130,
        )
        timings = list(BillingTiming)
        timing = st.selectbox(
            "Billed",
            timings,
            timings.index(begun.timing),
            format_func=wording.TIMINGS.__getitem__,
            key=f"plan_timing_{key}",
            help="As a period begins, or once it has ended",
            width=140,
        )
    with st.container(horizontal=True):
        included = st.number_input(
            "Included calls a month",
            min_value=0,
            max_value=MAX_INCLUDED,
            value=begun.included_calls,
            step=1,
            key=f"plan_included_{key}",
            width=190,
        )
        per_call = typed.number(
            "price_per_call",
            "A call beyond costs",
            begun.price_per_call,
            key=f"plan_per_call_{key}",
            help="Up to twelve decimals",
        )
    return replace(
        agreed,
        price=price,
        currency=currency,
        interval_count=int(interval_count),
        interval=interval,
        timing=timing,
        included_calls=int(included),
        price_per_call=per_call,
    )


def _seats(typed: Typed, begun: Terms, agreed: Terms, key: str) -> Terms:
    with st.container(horizontal=True):
        seat_price = typed.number_or_none(
            "seat_price",
            "A seat costs",
            amount(begun.seat_price, begun.currency),
            key=f"plan_seat_price_{key}",
            help="Each period. Empty: seats are not counted",
        )
        included = typed.whole_or_none(
            "included_seats",
            "Included seats",
            begun.included_seats or None,
            key=f"plan_included_seats_{key}",
            help="So many cost nothing",
        )
    add_ons = term_tables.add_ons(typed, begun, agreed.currency, key)
    return replace(agreed, seat_price=seat_price, included_seats=included or 0, add_ons=add_ons)


def _phases(typed: Typed, begun: Terms, agreed: Terms, key: str) -> Terms:
    with st.container(horizontal=True):
        ends_after = typed.whole_or_none(
            "ends_after",
            "Ends after so many periods",
            begun.ends_after,
            key=f"plan_ends_after_{key}",
            help="Empty: it goes on until somebody cancels it",
        )
        trial_ends = list(TrialEnd)
        trial_end = st.selectbox(
            "When a trial ends without a payment method",
            trial_ends,
            trial_ends.index(begun.trial_end),
            format_func=wording.TRIAL_ENDS.__getitem__,
            key=f"plan_trial_end_{key}",
            width=360,
        )
    return replace(
        agreed, ends_after=ends_after, trial_end=trial_end, phases=term_tables.phases(typed, begun.phases, key)
    )


def _further(typed: Typed, begun: Terms, agreed: Terms, key: str) -> Terms:
    return replace(agreed, further=term_tables.further(typed, begun.further, agreed.currency, key))


_PARTS = {"Price": _price, "Seats and add-ons": _seats, "Phases and end": _phases, "Further currencies": _further}
