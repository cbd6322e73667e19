"""Recording a payment: what came in, which invoices it pays, and what of it becomes credit."""

from dataclasses import dataclass

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.dates import EARLIEST_DAY, utc_now
from billing_core.identity import Actor
from billing_core.money import Money, currencies
from billing_core.payments import received
from billing_core.payments.received import LONGEST, Received
from billing_core.receivables import statement
from pages.payment_sections import allocating
from pages.ui import address, formats, messages, opened
from pages.ui.context import transaction
from pages.ui.inputs import business_names, customer_names, number_input
from pages.ui.inputs.payments import payment_method, repeated_payment
from pages.ui.reads import Reader
from pages.ui.text import md


@dataclass(frozen=True, slots=True)
class Payer:
    """Who paid whom, and in what."""

    customer: Customer
    business_id: int
    currency: str


def draw(read: Reader, actor: Actor, named: str) -> None:
    """``named``: a customer's id, or any word where one is still to be chosen."""
    opened.back("All payments", "record")
    st.title("Record payment", anchor=False)
    payer = _payer(read, named)
    if payer is None:
        return
    facts = _facts(read, payer)
    allocations = None
    if facts is not None:
        allocations = allocating.draw(
            read, payer.customer.id, payer.business_id, payer.currency, facts.amount_minor, facts.received_on
        )
    else:
        st.caption("Type the amount that came in: the invoices that it can pay are shown then.")
    if facts is not None:
        amount = Money(facts.amount_minor, facts.currency)
        repeated_payment.warn(read, payer.customer.id, amount, facts.received_on, facts.reference)
    ready = facts is not None and allocations is not None
    clicked = st.button("Record payment", type="primary", icon=":material/check:", key="do_record", disabled=not ready)
    if clicked and facts is not None and allocations is not None:
        with transaction() as session:
            payment_id = received.record(
                session,
                actor,
                customer_id=payer.customer.id,
                received=facts,
                allocations=allocations,
                business_id=payer.business_id,
                today=read.day_of(payer.business_id),
                now=utc_now(),
            ).id
        messages.say(f"Recorded {formats.money(facts.amount_minor, facts.currency)}")
        st.query_params.clear()
        st.query_params["payment"] = str(payment_id)
        st.rerun()


def _payer(read: Reader, named: str) -> Payer | None:
    names = customer_names.offered(read, key="record_customer")
    known = opened.parsed(named)
    if known is not None and known not in names and (name := read(customers.name_of, known)):
        names = {known: name, **names}
    if named != "new" and known not in names:
        address.missing("record", "customer")
    if not names:
        st.info("There are no customers yet, or none matches the search: import them.", icon=":material/info:")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Customer",
            list(names),
            index=list(names).index(known) if known in names else None,
            format_func=lambda one: names.get(one, str(one)),
            placeholder="Who paid?",
            key="record_customer",
            width=320,
        )
        if chosen is None:
            return None
        customer = read(customers.one, chosen)
        # What the customer has been invoiced in comes first, then all the rest.
        codes = dict.fromkeys([customer.currency, *read(statement.currencies, customer.id), *sorted(currencies())])
        currency = st.selectbox("Currency", list(codes), key=f"record_currency_{chosen}", width=110)
        business_id = customer.business_id
        businesses = business_names.by_id(read)
        if len(businesses) > 1:
            business_id = st.selectbox(
                "Paid to",
                list(businesses),
                index=list(businesses).index(customer.business_id),
                format_func=lambda one: businesses.get(one, str(one)),
                key=f"record_business_{chosen}",
            )
    return Payer(customer, business_id, currency)


def _facts(read: Reader, payer: Payer) -> Received | None:
    """What came in; None while something about it is missing or wrong, which is said at the field."""
    key, currency = f"{payer.customer.id}_{payer.currency}", payer.currency
    with st.grid(3, min_column_width=210, gap="small") as grid:
        with grid.cell():
            amount = _amount("Amount received", currency, key=f"record_amount_{key}", least=1)
        with grid.cell():
            method = payment_method.choose("Method", key=f"record_method_{key}")
        with grid.cell():
            received_on = st.date_input(
                "Received on",
                read.day_of(payer.business_id),
                min_value=EARLIEST_DAY,
                max_value=read.day_of(payer.business_id),
                key=f"record_day_{key}",
                required=True,
                format=formats.day_form(),
            )
        with grid.cell():
            reference = st.text_input(
                "Reference",
                key=f"record_reference_{key}",
                max_chars=LONGEST["reference"],
                placeholder="What the bank statement or the cheque says",
            )
        with grid.cell():
            fee = _amount("Fee kept by the bank", currency, key=f"record_fee_{key}", most=amount)
        with grid.cell():
            note = st.text_input("Note", key=f"record_note_{key}", max_chars=LONGEST["note"])
    if not amount or fee is None or received_on is None:
        return None
    return Received(currency, amount, method, received_on, reference, note, fee)


def _amount(label: str, currency: str, *, key: str, least: int = 0, most: int | None = None) -> int | None:
    """Minor units, 0 where nothing is typed; None, with the reason below the field, where it cannot be."""
    text = st.text_input(f"{label}, {currency}", key=key, max_chars=40)
    if not text.strip():
        return 0
    try:
        minor = number_input.minor(text, currency, formats.locale())
    except ValueError as reason:
        _wrong(str(reason))
        return None
    if minor < least:
        _wrong("must be more than 0" if least else "must not be below 0")
        return None
    if most is not None and minor > most:
        _wrong("cannot be more than the amount received")
        return None
    return minor


def _wrong(reason: str) -> None:
    st.markdown(f":red[:material/error: The amount {md(formats.with_days(reason))}]")
