"""A new promo code as a person types it."""

from collections.abc import Callable
from decimal import Decimal

import streamlit as st

from billing_core.dates import LATEST_DAY, utc_now
from billing_core.errors import Invalid
from billing_core.money import currencies
from billing_core.plans import listing as plans
from billing_core.promotions import service
from billing_core.promotions.models import LONGEST_CODE, PromoDuration
from billing_core.promotions.new_codes import MAX_LIMIT, MAX_PERIODS, NewCode
from pages.promo_code_sections import wording
from pages.ui import formats
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import number_input
from pages.ui.reads import Reader

_PERCENT = "%"


@st.dialog("New promo code", icon=":material/redeem:")
def dialog() -> None:
    actor = signed_in()
    code, wanted = _fields(Reader(actor))
    if st.button("Create the promo code", type="primary", icon=":material/add:", key="create_promo_code"):
        with attempt(f"Created the promo code {code}", then=lambda: _open(code)) as session:
            service.create(session, actor, wanted(), now=utc_now())


def _fields(read: Reader) -> tuple[str, Callable[[], NewCode]]:
    """Draw the fields; returns the code, and what reads them all, which raises Invalid for what is no number."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        code = st.text_input(
            "Code", key="promo_code", max_chars=LONGEST_CODE, placeholder="Such as WELCOME20", width=200
        ).strip()
        plan = st.selectbox(
            "Plan",
            ["", *read(plans.codes)],
            format_func=lambda one: one or wording.EVERY_PLAN,
            key="promo_plan",
            width=200,
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input("Takes off the price", key="promo_takes_off", placeholder="Such as 20", width=200)
        own = read.company.currency
        unit = st.selectbox(
            "Percent or currency", [_PERCENT, own, *sorted(currencies() - {own})], key="promo_unit", width=200
        )
    if unit != _PERCENT:
        st.caption(f"Only of prices in {unit}. What it takes off beyond a price is lost.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        duration = st.selectbox(
            "Reduces",
            list(wording.DURATIONS),
            format_func=wording.DURATIONS.__getitem__,
            key="promo_duration",
            width=200,
        )
        periods = (
            st.number_input(
                "How many", min_value=1, max_value=MAX_PERIODS, value=3, step=1, key="promo_periods", width=200
            )
            if duration is PromoDuration.PERIODS
            else None
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        limit = _limit("Times in all", "promo_limit")
        limit_per_customer = _limit("Times each customer", "promo_limit_per_customer")
        last_day = st.date_input(
            "Last day",
            value=None,
            min_value=read.today,
            max_value=LATEST_DAY,
            key="promo_valid_to",
            width=200,
            format=formats.day_form(),
        )

    def wanted() -> NewCode:
        number = _number(typed)
        is_percent = unit == _PERCENT
        return NewCode(
            code,
            plan,
            percent=number if is_percent else None,
            amount=None if is_percent else number,
            currency="" if is_percent else unit,
            duration=duration,
            periods=periods,
            limit=limit,
            limit_per_customer=limit_per_customer,
            valid_to=last_day,
        )

    return code, wanted


def _limit(label: str, key: str) -> int | None:
    return st.number_input(
        label, min_value=1, max_value=MAX_LIMIT, value=None, step=1, placeholder="No limit", key=key, width=200
    )


def _number(text: str) -> Decimal:
    if not text.strip():
        raise Invalid("Say how much it takes off the price", fields={"takes_off": "is needed"})
    try:
        return number_input.number(text, formats.locale())
    except ValueError as reason:
        raise Invalid(f"What it takes off {reason}", fields={"takes_off": str(reason)}) from reason


def _open(code: str) -> None:
    st.query_params["code"] = code
