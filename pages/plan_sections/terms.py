"""The terms of a plan as people type them: a new plan, and a new version of one."""

from decimal import Decimal

import streamlit as st

from billing_core.dates import utc_now
from billing_core.plans import parts, prices, service
from billing_core.plans.listing import VersionRow
from billing_core.plans.terms import Terms
from pages.plan_sections import term_fields
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import print_hint
from pages.ui.reads import Reader
from pages.ui.text import md


@st.dialog("New plan", width="large", icon=":material/sell:")
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
    print_hint.show(name)
    begun = Terms(Reader(actor).company.currency, Decimal(0), included_calls=0, price_per_call=Decimal(0))
    agreed = term_fields.draw("new", begun, has_prices=False)
    if st.button("Create the plan", type="primary", icon=":material/add:", key="create_plan") and agreed:
        with attempt(f"Created the plan {name}", then=lambda: _open(code.strip())) as session:
            service.create(session, actor, code=code, name=name, agreed=agreed, now=utc_now())


@st.dialog("New version", width="large", icon=":material/edit:")
def new_version(latest: VersionRow) -> None:
    actor = signed_in()
    read = Reader(actor)
    st.markdown(
        f"Whoever is put on **{md(latest.name)}** from now on gets these terms. Those on an older version keep theirs "
        "until they are put on the plan again."
    )
    begun = read.plain(parts.terms_of, latest.id)
    has_prices = bool(read.plain(prices.of_version, latest.id))
    agreed = term_fields.draw(f"{latest.code}_{latest.number}", begun, has_prices=has_prices)
    if st.button("Make the version", type="primary", icon=":material/save:", key="create_version") and agreed:
        with attempt(f"{latest.name} has new terms") as session:
            service.add_version(session, actor, latest.code, agreed, seen=latest.number, now=utc_now())


def _open(code: str) -> None:
    st.query_params["plan"] = code
