"""A customer's prepaid credit: what is there, what became of it, and giving, selling and taking back some."""

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.dates import day_in, utc_now
from billing_core.identity import Actor, Permission
from billing_core.payments.prepaid import granting, queries, top_ups
from billing_core.payments.prepaid.models import MovementKind, Origin
from billing_core.payments.prepaid.queries import GrantRow
from billing_core.payments.prepaid.top_ups import Wanted
from billing_core.usage import activity
from pages.ui import formats, mail_words, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs.amount_field import amount_field
from pages.ui.reads import Reader
from pages.ui.text import md

_ASKED = "prepaid_asked"
_ORIGINS = {Origin.GIVEN: "Given", Origin.BOUGHT: "Bought"}
_KINDS = {
    MovementKind.USED: "Paid an invoice",
    MovementKind.RELEASED: "Came back: that payment was reversed",
    MovementKind.REFUNDED: "Came back with a credit note",
    MovementKind.EXPIRED: "Expired",
    MovementKind.WITHDRAWN: "Taken back",
    MovementKind.RESTORED: "There again: its invoice is paid again",
}


def draw(read: Reader, actor: Actor, customer: Customer) -> None:
    """Nothing where there is none and this actor cannot change that."""
    may_write = actor.may(Permission.PAYMENT_WRITE) and actor.may(Permission.INVOICE_WRITE)
    rows = read(queries.grants, customer.id)
    if not rows and not may_write:
        return
    st.subheader("Prepaid credit", anchor=False)
    day = day_in(read.plain(activity.billing_zone, customer.id), utc_now())
    sums = " · ".join(formats.money(one.minor, one.currency) for one in read(queries.available, customer.id, today=day))
    st.caption(f"{sums or 'Nothing'} is there to pay invoices of usage, as they are sent.")
    if may_write:
        with st.container(horizontal=True):
            if st.button("Give credit", icon=":material/redeem:", key="give_prepaid"):
                _give(customer.id)
            if st.button("Sell credit", icon=":material/add_card:", key="sell_prepaid"):
                _sell(customer.id)
            if st.button("Top up by itself", icon=":material/autorenew:", key="top_up_prepaid"):
                _top_up(customer.id)
    _topped_up(read, customer)
    if rows:
        _grants(read, rows, may_write=may_write)
    asked: GrantRow | None = st.session_state.pop(_ASKED, None)
    if asked is not None:
        _take_back(asked)


def _topped_up(read: Reader, customer: Customer) -> None:
    wanted = read(top_ups.of_customer, customer.id)
    if wanted is not None:
        below, up_to = (formats.money(minor, customer.currency) for minor in (wanted.below_minor, wanted.up_to_minor))
        how = "an invoice is sent" if wanted.sends else "a draft is made"
        st.caption(f"Once less than {below} is left, {how} that fills it up to {up_to}.")
    if refusal := read(top_ups.refusal_of, customer.id):
        st.warning(
            f"It could not be topped up: {md(formats.with_days(refusal))}. It is tried again every hour.",
            icon=":material/report:",
        )


def _grants(read: Reader, rows: list[GrantRow], *, may_write: bool) -> None:
    columns = [
        tables.instant("Since", "created_at", read.company.time_zone),
        tables.computed("Origin", lambda row: _ORIGINS[row.origin]),
        tables.text("Why", "reason"),
        tables.money("Amount", "amount_minor"),
        tables.money("Left", "remaining_minor"),
        tables.currency_of(),
        tables.computed("Last day", lambda row: formats.day(row.expires_on) if row.expires_on else "Does not expire"),
    ]
    if may_write:
        columns.append(tables.button("Take back", _offered, opens=_ask, width=96))
    tables.show(rows, columns, key="prepaid_grants", alt="Prepaid credit of this customer", opens=_open)
    st.caption("Click a row to see what became of it.")


def _offered(row: GrantRow) -> str | None:
    return "Take back" if row.origin is Origin.GIVEN and row.remaining_minor else None


def _ask(row: GrantRow) -> None:
    st.session_state[_ASKED] = row


@st.dialog("What became of it", width="large", icon=":material/account_tree:")
def _open(row: GrantRow) -> None:
    read = Reader(signed_in())
    st.markdown(
        f"{md(formats.money(row.amount_minor, row.currency))}, {_ORIGINS[row.origin].lower()}, of which "
        f"{md(formats.money(row.remaining_minor, row.currency))} is left."
    )
    if row.invoice_id is not None and st.button("Invoice by which it was bought", key="prepaid_invoice"):
        opened.go_to_invoice(row.invoice_id)
    moved = read(queries.movements, row.id)
    if not moved:
        st.caption("Nothing has been taken from it.")
        return
    tables.show(
        moved,
        [
            tables.day("On", "moved_on"),
            tables.computed("What", lambda one: _KINDS[one.kind]),
            tables.computed("Invoice", lambda one: one.number or formats.NOTHING),
            tables.money("Amount", "amount_minor"),
            tables.currency_of(),
            tables.text("By", "created_by"),
        ],
        key="prepaid_movements",
        alt="What was taken from this credit, and what came back",
    )


@st.dialog("Give prepaid credit", icon=":material/redeem:")
def _give(customer_id: int) -> None:
    actor = signed_in()
    read = Reader(actor)
    customer = read(customers.one, customer_id)
    st.markdown(f"Nobody pays for it. It pays usage of **{md(customer.name)}** before credit that was bought.")
    amount = amount_field("Amount", 0, customer.currency, key="give_prepaid_amount")
    last_day = st.date_input(
        "Last day",
        value=None,
        min_value=read.day_of(customer.business_id),
        key="give_prepaid_until",
        help="Empty: it does not expire",
        format=formats.day_form(),
    )
    reason = st.text_input("Reason", key="give_prepaid_reason", max_chars=200, required=True)
    if st.button("Give", type="primary", icon=":material/redeem:", key="give_prepaid_done") and amount is not None:
        with attempt(f"{formats.money(amount, customer.currency)} is there for usage") as session:
            granting.give(
                session,
                actor,
                customer_id,
                amount_minor=amount,
                expires_on=last_day,
                reason=reason,
                today=read.day_of(customer.business_id),
                now=utc_now(),
            )


@st.dialog("Sell prepaid credit", icon=":material/add_card:")
def _sell(customer_id: int) -> None:
    actor = signed_in()
    read = Reader(actor)
    customer = read(customers.one, customer_id)
    st.markdown(
        f"Drafts an invoice to **{md(customer.name)}**. Once it is paid, what it comes to before tax is there for "
        "usage. Tax is due on the usage, not on this invoice."
    )
    amount = amount_field("Amount", 0, customer.currency, key="sell_prepaid_amount")
    days = st.number_input(
        "Days it can be used",
        value=None,
        min_value=1,
        max_value=granting.MOST_DAYS,
        step=1,
        key="sell_prepaid_days",
        help="From the day on which it is paid; empty: it does not expire",
        width=220,
    )
    drafted = st.button("Draft the invoice", type="primary", icon=":material/add_card:", key="sell_prepaid_done")
    if drafted and amount is not None:
        now = utc_now()
        with attempt("The draft is among the customer's invoices") as session:
            granting.sell(
                session,
                actor,
                customer_id,
                amount_minor=amount,
                valid_days=days,
                today=read.day_of(customer.business_id),
                now=now,
            )


@st.dialog("Top up by itself", icon=":material/autorenew:")
def _top_up(customer_id: int) -> None:
    actor = signed_in()
    read = Reader(actor)
    customer, known = read(customers.one, customer_id), read(top_ups.of_customer, customer_id)
    st.markdown("Once too little is left, one invoice sells the whole gap. While it is to be paid there is no other.")
    shown = known or Wanted(0, 0)
    below = amount_field("When less is left than", shown.below_minor, customer.currency, key="top_up_below")
    up_to = amount_field("Fill up to", shown.up_to_minor, customer.currency, key="top_up_to")
    days = st.number_input(
        "Days it can be used",
        value=shown.valid_days,
        min_value=1,
        max_value=granting.MOST_DAYS,
        step=1,
        key="top_up_days",
        help="From the day on which it is paid; empty: it does not expire",
        width=220,
    )
    sends = st.checkbox("Mail the invoice; otherwise it stays a draft", value=shown.sends, key="top_up_sends")
    if sends:
        mail_words.warn_of_none()
    with st.container(horizontal=True):
        saved = st.button("Save", type="primary", icon=":material/autorenew:", key="top_up_done")
        ended = known is not None and st.button("No longer", icon=":material/block:", key="top_up_end")
    if saved and below is not None and up_to is not None:
        with attempt("It is topped up by itself from now on") as session:
            top_ups.change(session, actor, customer_id, Wanted(below, up_to, days, sends), now=utc_now())
    if ended:
        with attempt("It is topped up no longer") as session:
            top_ups.change(session, actor, customer_id, None, now=utc_now())


@st.dialog("Take back prepaid credit", icon=":material/undo:")
def _take_back(row: GrantRow) -> None:
    actor = signed_in()
    left = formats.money(row.remaining_minor, row.currency)
    st.markdown(f"{md(left)} is left of it, and no longer there for usage then. What it has paid stays paid.")
    reason = st.text_input("Reason", key=f"take_prepaid_{row.id}", max_chars=200, required=True)
    if st.button("Take back", type="primary", icon=":material/undo:", key="take_prepaid_done"):
        with attempt(f"{left} was taken back") as session:
            today = Reader(actor).today
            granting.take_back(session, actor, row.id, reason=reason, today=today, now=utc_now())
