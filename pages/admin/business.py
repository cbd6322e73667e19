"""Our own legal entities: what documents carry, what a day and a currency are, and how documents are numbered."""

import streamlit as st

from billing_core.businesses import number_format, queries, service
from billing_core.businesses.models import Business
from billing_core.dates import utc_now
from billing_core.identity import Permission
from billing_core.invoices import numbering
from billing_core.metering import zone_changes
from pages.admin_sections import business_form, business_invoices, business_logo
from pages.admin_sections.business_form import Drawn
from pages.ui import address, context, messages, tables
from pages.ui.reads import Reader
from pages.ui.text import md

actor = context.require(Permission.BUSINESS_WRITE)
read = Reader(actor)
# Beside real businesses, whose ids begin at 1.
ADDED = 0


def start_anew() -> None:
    """Forget what was typed, and show what is saved now."""
    st.session_state["business_form"] = st.session_state.get("business_form", 0) + 1


def opened(row: Business) -> None:
    st.query_params["business"] = str(row.id)


def add() -> None:
    st.query_params["business"] = "new"


def give_up() -> None:
    st.query_params.pop("business", None)
    start_anew()


with context.reading() as session:
    businesses = queries.every(session)
named = address.one("business", "business")
by_id = {str(business.id): business for business in businesses}
chosen = (
    None if named == "new" else by_id.get(named or str(businesses[0].id)) or address.missing("business", "business")
)
chosen_id = chosen.id if chosen else ADDED

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.title("Business", anchor=False, width="content")
    if chosen is not None:
        st.button("Add a business", icon=":material/domain_add:", on_click=add, key="business_add")
st.caption("What documents show, what new customers start with, and when a day begins.")

if len(businesses) > 1:
    tables.show(
        businesses,
        [
            tables.text("Name", "name"),
            tables.text("Currency", "currency"),
            tables.text("Payment terms", "payment_terms"),
            tables.text("Invoice numbers", "invoice_format"),
            tables.badge(
                "State",
                lambda row: "In use" if row.active else "No longer used",
                {"In use": "green", "No longer used": "gray"},
            ),
        ],
        key="businesses",
        alt="Our businesses",
        opens=opened,
    )
    st.caption("Click a business to see and change it.")

# The form keeps the version that it was drawn from until it is saved or given up, so that a colleague's change
# in between is noticed instead of overwritten.
if st.session_state.setdefault("business_in_form", chosen_id) != chosen_id:
    st.session_state["business_in_form"] = chosen_id
    start_anew()
form = st.session_state.setdefault("business_form", 0)
if f"business_drawn_{form}" not in st.session_state:
    st.session_state[f"business_drawn_{form}"] = (
        (chosen.version, service.details(chosen)) if chosen else (0, business_form.NEW)
    )
drawn_from, saved = st.session_state[f"business_drawn_{form}"]

if st.session_state.pop("business_saved", False):
    st.success("Saved.", icon=":material/check:")

if chosen is None:
    st.subheader("A new business", anchor=False)
elif len(businesses) > 1:
    st.subheader(md(chosen.name), anchor=False)

series = read.plain(numbering.series, business_id=chosen_id)
fields, beside = st.columns([2, 1], gap="medium")
with fields:
    last = {number_format.key_of(one.series): one.last for one in sorted(series, key=lambda one: one.last)}
    details, reasons = business_form.draw(Drawn(form, saved, read.today, last))
    with st.container(horizontal=True):
        submitted = st.button(
            "Save" if chosen else "Add this business", type="primary", icon=":material/save:", key="business_save"
        )
        st.button(
            "Discard my changes" if chosen else "Do not add it",
            type="tertiary",
            icon=":material/undo:",
            on_click=start_anew if chosen else give_up,
            key="business_discard",
        )

if submitted:
    with context.transaction() as session:
        if chosen is None:
            stored = service.create(session, actor, wanted=details, now=utc_now())
        else:
            stored = zone_changes.change_business(
                session, actor, chosen_id, wanted=details, drawn_from=drawn_from, now=utc_now()
            )
        stored_id = stored.id
    st.query_params["business"] = str(stored_id)
    st.session_state["business_in_form"] = stored_id
    start_anew()
    st.session_state["business_saved"] = True
    st.rerun()

with beside:
    if chosen is None:
        st.info("A logo can be uploaded as soon as the business is added.", icon=":material/image:")
        st.stop()
    business_invoices.draw(chosen)
    business_logo.draw(read, actor, chosen_id)
    with st.container(border=True):
        st.subheader("Use", anchor=False)
        if chosen.active:
            st.caption("New customers and documents can belong to it.")
            st.caption("Once stopped, it is no longer offered for new documents; what it has issued stays as it is.")
        else:
            st.caption("It is no longer offered for new documents. What it has issued stays as it is.")
        if st.button(
            "Stop using it" if chosen.active else "Use it again",
            icon=":material/block:" if chosen.active else ":material/undo:",
            key="business_active",
            disabled=chosen.active and sum(business.active for business in businesses) == 1,
            help="The only business in use cannot be stopped." if chosen.active else None,
        ):
            with context.transaction() as session:
                service.set_active(session, actor, chosen_id, active=not chosen.active, now=utc_now())
            start_anew()
            messages.say(f"{chosen.name} is {'no longer used' if chosen.active else 'in use again'}.")
            st.rerun()
