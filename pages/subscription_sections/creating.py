"""Signing a customer up: what is agreed, and what that bills before anything is done."""

from dataclasses import dataclass
from decimal import Decimal

import streamlit as st

from billing_core import runtime
from billing_core.customers import queries as customers
from billing_core.dates import day_in, utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor
from billing_core.plans import listing as plans
from billing_core.plans.models import TrialEnd
from billing_core.plans.offers import Offer
from billing_core.subscriptions import listing, signing_up
from billing_core.subscriptions.overview import rehearsal
from billing_core.subscriptions.overview.rehearsal import Rehearsed
from billing_core.subscriptions.service import LONGEST_TRIAL, Wanted
from pages.plan_sections.wording import due
from pages.subscription_sections import paying_by, term_fields, timeline
from pages.ui import collection_mode, context, formats
from pages.ui.context import actor as signed_in
from pages.ui.inputs import customer_names, number_input
from pages.ui.reads import Reader
from pages.ui.text import md

_AT_THE_END = {
    TrialEnd.CANCEL: "it is canceled",
    TrialEnd.PAUSE: "it is paused",
    TrialEnd.INVOICE: "an invoice with a link is sent",
}


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What was filled in; ``method`` None: a mailed link."""

    wanted: Wanted
    method: str | None


@st.dialog("New subscription", width="large", icon=":material/event_repeat:")
def dialog(customer_id: int | None = None) -> None:
    """``customer_id``: who is chosen at first."""
    actor = signed_in()
    read = Reader(actor)
    collection_mode.mark()
    chosen = _fields(read, actor, customer_id)
    if chosen is None:
        return
    try:
        with runtime.sessions().begin() as session:
            found = rehearsal.rehearse(
                session, actor, chosen.wanted, has_method=chosen.method is not None, now=utc_now()
            )
    except BillingError as error:
        context.refused(error)
        return
    st.markdown(_summary(found, chosen.method))
    if st.button("Start the subscription", type="primary", icon=":material/check:", key="do_subscribe"):
        _subscribe(actor, chosen)
    bills = [*([found.first] if found.first else []), *found.following]
    if bills:
        timeline.bills(bills, found.currency, key="subscription_preview")


def _fields(read: Reader, actor: Actor, preset: int | None) -> _Chosen | None:
    """None until a customer and a plan are chosen that go together."""
    codes = read(plans.codes)
    if not codes:
        st.info("There is no plan to subscribe to yet. Create one under “Plans and meters”.", icon=":material/sell:")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = customer_names.offered(read, key="subscribe_customer", active_only=True)
        ids = list(names)
        customer_id = st.selectbox(
            "Customer",
            ids,
            index=ids.index(preset) if preset in names else None,
            format_func=lambda one: names.get(one, str(one)),
            placeholder="Who signs up",
            key="subscribe_customer",
        )
        code = st.selectbox(
            "Plan",
            codes,
            index=None,
            placeholder="In its latest version",
            key="subscribe_plan",
        )
    if customer_id is None or code is None:
        st.caption("Choose a customer and a plan to see what it bills.")
        return None
    offer = _offer(actor, customer_id, code)
    if offer is None:
        return None
    price = formats.money(offer.price_minor, offer.currency)
    st.caption(f"{md(offer.name)}, version {offer.number}: {md(price)} {due(offer)}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        counts_seats = offer.seat_price_minor is not None
        seats = term_fields.seats(1, key=f"subscribe_seats_{code}") if counts_seats else 1
        trial = term_fields.count("Days of trial", 0, LONGEST_TRIAL, key="subscribe_trial")
        promo = st.text_input("Promo code", key="subscribe_promo", max_chars=64, width=150)
        tax = st.text_input("Tax, %", key="subscribe_tax", max_chars=10, placeholder="0", width=90)
    add_ons = term_fields.add_ons(offer, {}, key=f"subscribe_{offer.version_id}")
    method = paying_by.choose(read, customer_id, key="subscribe")
    try:
        rate = number_input.number(tax, formats.locale()) if tax.strip() else Decimal(0)
    except ValueError as reason:
        st.error(f"The tax {md(formats.with_days(str(reason)))}", icon=":material/error:")
        return None
    public_id = read(customers.one, customer_id).public_id
    return _Chosen(Wanted(public_id, code, trial, promo.strip(), seats, add_ons, rate), method)


def _offer(actor: Actor, customer_id: int, code: str) -> Offer | None:
    """What the plan costs this customer; a refusal is said here."""
    try:
        with runtime.sessions()() as session:
            return rehearsal.offered(session, actor, customer_id, code)
    except BillingError as error:
        context.refused(error)
        return None


def _summary(found: Rehearsed, method: str | None) -> str:
    """What happens at once, and what happens next."""
    if found.trial_ends_at is not None:
        day = formats.day(day_in(found.zone, found.trial_ends_at))
        told = f"Nothing is billed now. The trial ends on **{md(day)}**"
        if method is None:
            return f"{told}: without a card {_AT_THE_END[found.trial_end]} then."
        return f"{told}: then it is billed, and charged to the card."
    if found.first is None:
        return "Nothing is billed now." + (" It is billed after each period." if found.following else "")
    total = md(formats.money(found.first.total_minor, found.currency))
    to_pay = md(formats.money(found.to_pay_minor, found.currency))
    by_credit = found.first.total_minor - found.to_pay_minor
    credit = f", of which credit pays {md(formats.money(by_credit, found.currency))}" if by_credit else ""
    if not found.to_pay_minor:
        return f"Now an invoice of **{total}**{credit}: nothing is left to pay."
    warning = paying_by.warning(found.to_pay_minor, found.currency)
    if method is None:
        return f"Now an invoice of **{total}** is sent{credit}: **{to_pay}** to pay by its link.{warning}"
    charged = f"Now an invoice of **{total}**{credit}: **{to_pay}** is" if credit else f"Now **{total}** is"
    return f"{charged} charged at once. If that fails, nothing is kept.{warning}"


def _subscribe(actor: Actor, chosen: _Chosen) -> None:
    with collection_mode.asking("The subscription has begun") as sessions:
        public_id = signing_up.subscribe(
            sessions, actor, collection_mode.gateway(), chosen.wanted, method=chosen.method, now=utc_now()
        )
        with sessions() as session:
            st.query_params["subscription"] = str(listing.one(session, actor, public_id).id)
