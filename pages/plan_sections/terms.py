"""The terms of a plan as people type them: a new plan, and a new version of one."""

from collections.abc import Callable
from decimal import Decimal

import streamlit as st

from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.money import Money, currencies
from billing_core.plans import service
from billing_core.plans.listing import VersionRow
from billing_core.plans.terms import MAX_INCLUDED, Terms
from pages.plan_sections import wording
from pages.ui import formats
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import number_input
from pages.ui.reads import Reader
from pages.ui.text import md


@st.dialog("New plan", icon=":material/sell:")
def new_plan() -> None:
    actor = signed_in()
    with st.container(horizontal=True):
        code = st.text_input(
            "Code",
            key="plan_code",
            max_chars=64,
            placeholder="Such as basic",
            help="Files and programs name it",
            width=160,
        )
        name = st.text_input("Name", key="plan_name", max_chars=200, placeholder="Such as Basic")
    agreed = _fields("new", None, Reader(actor).company.currency)
    if st.button("Create the plan", type="primary", icon=":material/add:", key="create_plan"):
        with attempt(f"Created the plan {name}", then=lambda: _open(code.strip())) as session:
            service.create(session, actor, code=code, name=name, agreed=agreed(), now=utc_now())


@st.dialog("New version", icon=":material/edit:")
def new_version(latest: VersionRow) -> None:
    actor = signed_in()
    st.markdown(
        f"Whoever is put on **{md(latest.name)}** from now on gets these terms. Those on an older version keep theirs "
        "until they are put on the plan again."
    )
    agreed = _fields(f"{latest.code}_{latest.number}", latest, latest.currency)
    if st.button("Make the version", type="primary", icon=":material/save:", key="create_version"):
        with attempt(f"{latest.name} has new terms") as session:
            service.add_version(session, actor, latest.code, agreed(), now=utc_now())


def _fields(key: str, latest: VersionRow | None, currency: str) -> Callable[[], Terms]:
    """Draw the fields, filled from a version; returns what reads them, which raises Invalid for what is no number."""
    locale = formats.locale()
    known = Money(latest.price_minor, latest.currency).amount if latest else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        price = st.text_input("Price", number_input.written(known, locale), key=f"plan_price_{key}", width=130)
        codes = list(dict.fromkeys([currency, *sorted(currencies())]))
        in_currency = st.selectbox("Currency", codes, key=f"plan_currency_{key}", width=110)
        intervals = list(wording.INTERVALS)
        interval = st.selectbox(
            "Due",
            intervals,
            intervals.index(latest.interval) if latest else 0,
            format_func=wording.INTERVALS.__getitem__,
            key=f"plan_interval_{key}",
            width=130,
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        included = st.number_input(
            "Included calls a month",
            min_value=0,
            max_value=MAX_INCLUDED,
            value=latest.included_calls if latest else 0,
            step=1,
            key=f"plan_included_{key}",
            width=190,
        )
        per_call = st.text_input(
            "A call beyond costs",
            number_input.written(latest.price_per_call if latest else None, locale),
            key=f"plan_per_call_{key}",
            help="Up to twelve decimals",
            width=190,
        )

    def agreed() -> Terms:
        return Terms(in_currency, _number(price, "price"), int(included), _number(per_call, "price_per_call"), interval)

    return agreed


def _number(text: str, field: str) -> Decimal:
    """0 where nothing is typed."""
    if not text.strip():
        return Decimal(0)
    try:
        return number_input.number(text, formats.locale())
    except ValueError as reason:
        raise Invalid(f"{formats.words(field)} {reason}", fields={field: str(reason)}) from reason


def _open(code: str) -> None:
    st.query_params["plan"] = code
