"""A customer's cards on file: which there are, asking for one, and taking one off."""

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.online_payments.off_session import methods, requests
from billing_core.online_payments.off_session.methods import CardRow
from billing_core.settings import settings
from pages.ui import collection_mode, formats, tables
from pages.ui.colors import Color
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt, reading, transaction
from pages.ui.reads import Reader
from pages.ui.text import md

_ASKED = "card_asked"
_GOOD, _SOON, _OVER, _UNUSED = "Current", "Expires soon", "Expired", "Of another mode"
_COLORS: dict[str, Color] = {_GOOD: "gray", _SOON: "orange", _OVER: "red", _UNUSED: "gray"}


def draw(read: Reader, actor: Actor, customer: Customer) -> None:
    """Nothing where there is none and this actor cannot ask for one."""
    rows = read(methods.of_customer, customer.id)
    may_write = actor.may(Permission.PAYMENT_WRITE)
    if not rows and not may_write:
        return
    st.subheader("Payment methods", anchor=False)
    st.caption(
        "Cards that the payment service keeps and charges without the customer. Their numbers never come here."
        if rows
        else "No card is on file: invoices are paid by payment link or otherwise."
    )
    if may_write and st.button("Ask for a card", icon=":material/add_card:", key="ask_for_card"):
        _ask_for_one(customer.id)
    if rows:
        _cards(read, rows, may_write=may_write)
    asked: CardRow | None = st.session_state.pop(_ASKED, None)
    if asked is not None:
        _take_off(asked)


def _cards(read: Reader, rows: list[CardRow], *, may_write: bool) -> None:
    today = read.today

    def state(row: CardRow) -> str:
        if row.mode is not collection_mode.mode():
            return _UNUSED
        if row.expires_on < today:
            return _OVER
        return _SOON if row.expires_on <= today + methods.EXPIRING_WITHIN else _GOOD

    columns = [
        tables.computed("Card", methods.card_of),
        tables.computed("Expires", _expiry),
        tables.badge("State", state, _COLORS),
        tables.instant("On file since", "attached_at", read.company.time_zone),
    ]
    if may_write:
        columns.append(tables.button("Take off file", lambda _: "Take off file", opens=_ask, width=120))
    tables.show(rows, columns, key="cards_on_file", alt="Cards on file for this customer")


def _expiry(row: CardRow) -> str:
    return formats.Written(f"{row.exp_month:02} / {row.exp_year}", row.exp_year * 12 + row.exp_month)


def _ask(row: CardRow) -> None:
    st.session_state[_ASKED] = row


@st.dialog("Ask for a card", icon=":material/add_card:")
def _ask_for_one(customer_id: int) -> None:
    actor = signed_in()
    customer = Reader(actor)(customers.one, customer_id)
    st.markdown(
        f"**{md(customer.name)}** opens an address and enters a card at the payment service. The address is good for "
        f"{requests.VALID_FOR.days} days, and for one card."
    )
    with reading() as session:
        open_one = requests.open_for(session, actor, customer_id, now=utc_now())
        token = open_one.token if open_one else None
    place = st.empty()
    if token is None and place.button(
        "Create the address", type="primary", icon=":material/add_link:", key="ask_for_card_done"
    ):
        with transaction() as session:
            token = requests.ask(session, actor, customer_id, now=utc_now()).token
        place.empty()
    if token is not None:
        st.code(requests.address_of(token, settings().address), language=None, wrap_lines=True)
        st.caption("Hand it to the customer alone: whoever has it can put a card on file for them.")


@st.dialog("Take a card off file", icon=":material/credit_card_off:")
def _take_off(row: CardRow) -> None:
    card = methods.card_of(row)
    st.markdown(
        f"**{md(card)}** is charged no more, and the payment service forgets it. To charge it again, the customer has "
        "to enter it again."
    )
    if st.button("Take off file", type="primary", icon=":material/credit_card_off:", key="take_card_off"):
        with attempt(f"{card} is off file") as session:
            methods.detach(session, signed_in(), row.id, now=utc_now())
