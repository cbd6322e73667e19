"""Our own business: the name on documents, and what a day and a currency are."""

import streamlit as st

from billing_core.businesses import choices, service
from billing_core.businesses.queries import default_business
from billing_core.businesses.service import LONGEST, Details
from billing_core.dates import day_in, utc_now
from billing_core.identity import Permission
from pages.ui import context

actor = context.require(Permission.BUSINESS_WRITE)
st.title("Business", anchor=False)
st.caption("What documents carry, what new customers start with, and where a day begins.")


def start_anew() -> None:
    """Forget what was typed, and show what is saved now."""
    st.session_state["business_form"] = st.session_state.get("business_form", 0) + 1


# The form keeps the version that it was drawn from until it is saved or given up, so that a colleague's change
# in between is noticed instead of overwritten.
form = st.session_state.setdefault("business_form", 0)
if f"business_drawn_{form}" not in st.session_state:
    with context.reading() as session:
        business = default_business(session)
        st.session_state[f"business_drawn_{form}"] = (business.version, service.details(business))
drawn_from, saved = st.session_state[f"business_drawn_{form}"]

if st.session_state.pop("business_saved", False):
    st.success("Saved.", icon=":material/check:")

with st.form(f"business_{form}", width=640):
    name = st.text_input("Name", value=saved.name, max_chars=LONGEST["name"], key=f"business_name_{form}")
    address = st.text_area(
        "Address", value=saved.address, max_chars=LONGEST["address"], height=110, key=f"business_address_{form}"
    )
    tax_id = st.text_input("Tax number", value=saved.tax_id, max_chars=LONGEST["tax_id"], key=f"business_tax_id_{form}")
    currencies = choices.currency_names(day_in(saved.time_zone, utc_now()), also=saved.currency)
    codes = list(currencies)
    currency = st.selectbox(
        "Currency",
        codes,
        index=codes.index(saved.currency) if saved.currency in codes else None,
        format_func=currencies.__getitem__,
        key=f"business_currency_{form}",
        help="What new customers start with. Customers, rates and reports that exist keep theirs.",
    )
    zones = choices.time_zones()
    time_zone = st.selectbox(
        "Time zone",
        zones,
        index=zones.index(saved.time_zone) if saved.time_zone in zones else None,
        key=f"business_time_zone_{form}",
        help="It decides on which day something happened, and which day is today.",
    )
    submitted = st.form_submit_button("Save", type="primary", icon=":material/save:", key="business_save")
st.button("Discard my changes", type="tertiary", icon=":material/undo:", on_click=start_anew, key="business_discard")

if submitted:
    wanted = Details(name, address, tax_id, currency or "", time_zone or "")
    with context.transaction() as session:
        service.change(session, actor, wanted=wanted, drawn_from=drawn_from, now=utc_now())
    start_anew()
    st.session_state["business_saved"] = True
    st.rerun()
