"""Alerts: at which thresholds of usage somebody is told, and which were reached."""

from dataclasses import replace

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.metering.alerts import AlertMeasure
from billing_core.usage import alerts
from billing_core.usage.alerts import GREATEST, MOST_RECIPIENTS, AlertRow, Threshold, Told
from pages.ui import formats, mail_words, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import bounced_addresses
from pages.ui.inputs.amount_field import amount_field
from pages.ui.reads import Reader
from pages.ui.text import md

_MEASURES = {
    AlertMeasure.ALLOWANCE: "Share of the allowance",
    AlertMeasure.CALLS: "Calls",
    AlertMeasure.COST: "Cost",
}
_USUAL = {AlertMeasure.ALLOWANCE: 80, AlertMeasure.CALLS: 10_000, AlertMeasure.COST: 100_00}
_ASKED = "usage_alert"


def draw(read: Reader, actor: Actor, customer_id: int | None = None) -> None:
    """Those of one customer and of all, or (None) every one."""
    may_write = actor.may(Permission.PLAN_WRITE) and (actor.customer_id in (None, customer_id))
    if may_write and st.button("New alert", icon=":material/add_alert:", key="new_alert"):
        _new(customer_id)
    watched = read(alerts.alerts, customer_id=customer_id)
    if watched:
        columns = [
            tables.computed("Whose usage", lambda row: row.customer or "Every organization"),
            tables.computed("Threshold", lambda row: threshold(row.measure, row.threshold, row.currency)),
            tables.computed("Told", _told, width=260),
            tables.instant("Since", "set_at", read.company.time_zone),
        ]
        if may_write:
            columns += [
                tables.button("Change", lambda _: "Change", opens=_ask_to_change, width=84),
                tables.button("Remove", lambda _: "Remove", opens=_ask_to_remove, width=84),
            ]
        tables.show(watched, columns, key="usage_alerts", alt="Alerts on usage")
    else:
        st.info(
            "Nobody is told when usage reaches a threshold."
            + (" Set up an alert with “New alert”." if may_write else ""),
            icon=":material/notifications:",
        )
    _reached(read, customer_id)
    asked: tuple[str, AlertRow] | None = st.session_state.pop(_ASKED, None)
    if asked is not None:
        _DIALOGS[asked[0]](asked[1])


def threshold(measure: AlertMeasure, value: int, currency: str) -> str:
    """Such as ``80% of the allowance``, ``10,000 calls``, ``50.00 USD``."""
    match measure:
        case AlertMeasure.ALLOWANCE:
            return formats.Written(f"{formats.count(value)}% of the allowance", value, "%")
        case AlertMeasure.CALLS:
            return formats.counted(value, "call")
        case AlertMeasure.COST:
            return formats.money(value, currency)


def _reached(read: Reader, customer_id: int | None) -> None:
    st.subheader("Reached", anchor=False)
    rows = read(alerts.reached, customer_id=customer_id)
    if not rows:
        st.caption("No threshold has been reached yet. Each is told of once a month.")
        return
    tables.show(
        rows,
        [
            tables.instant("When", "reached_at", read.company.time_zone),
            tables.text("Organization", "customer"),
            tables.computed("Threshold", lambda row: threshold(row.measure, row.threshold, row.alert_currency)),
            tables.computed("Month", lambda row: formats.days(row.first_day, row.last_day)),
            tables.count("Calls then", "calls"),
            tables.count("Included", "included_calls"),
            tables.money("Cost then", "cost_minor"),
            tables.currency_of(),
        ],
        key="usage_reached",
        alt="Thresholds that were reached, the latest first",
    )


def _told(row: AlertRow) -> str:
    told = [*row.recipients, *(["the organization"] if row.to_customer else [])]
    return ", ".join(told) or "Webhooks alone"


def _ask_to_change(row: AlertRow) -> None:
    st.session_state[_ASKED] = ("change", row)


def _ask_to_remove(row: AlertRow) -> None:
    st.session_state[_ASKED] = ("remove", row)


@st.dialog("New alert", icon=":material/add_alert:")
def _new(customer_id: int | None) -> None:
    actor = signed_in()
    read = Reader(actor)
    currency = read.company.currency
    if customer_id is None:
        st.markdown("Watches the usage of **every organization**. For one alone, open its page.")
    else:
        customer = read(customers.one, customer_id)
        currency = customer.currency
        st.markdown(f"Watches the usage of **{md(customer.name)}**.")
    measure = st.selectbox("Measure", list(_MEASURES), format_func=_MEASURES.__getitem__, key="alert_measure")
    if measure is AlertMeasure.COST and customer_id is None:
        codes = list(dict.fromkeys([currency, *read(customers.currencies)]))
        currency = st.selectbox("Currency", codes, key="alert_currency", width=120)
    value = _value(measure, _USUAL[measure], currency, key="new")
    told = _recipients(Told(), key="new")
    if st.button("Watch", type="primary", icon=":material/add_alert:", key="create_alert") and value is not None:
        with attempt("The alert watches from now on") as session:
            wanted = Threshold(measure, value, currency if measure is AlertMeasure.COST else "")
            alerts.create(session, actor, customer_id, wanted, told, now=utc_now())


@st.dialog("Change the alert", icon=":material/notifications:")
def _change(row: AlertRow) -> None:
    actor = signed_in()
    value = _value(row.measure, row.threshold, row.currency, key=f"{row.id}_{row.version}")
    told = _recipients(Told(tuple(row.recipients), row.to_customer), key=f"{row.id}_{row.version}")
    if st.button("Save", type="primary", icon=":material/save:", key="change_alert") and value is not None:
        with attempt("Changed the alert") as session:
            alerts.change(session, actor, row.id, value, told, drawn_from=row.version, now=utc_now())


@st.dialog("Remove the alert", icon=":material/notifications_off:")
def _remove(row: AlertRow) -> None:
    actor = signed_in()
    st.markdown(
        f"Nobody is told any more when {md(row.customer or 'an organization')} reaches "
        f"{md(threshold(row.measure, row.threshold, row.currency))}. What it has told stays on the list."
    )
    if st.button("Remove", type="primary", icon=":material/notifications_off:", key="remove_alert"):
        with attempt("Removed the alert") as session:
            alerts.remove(session, actor, row.id, now=utc_now())


_DIALOGS = {"change": _change, "remove": _remove}


def _value(measure: AlertMeasure, value: int, currency: str, *, key: str) -> int | None:
    if measure is AlertMeasure.COST:
        return amount_field("Threshold", value, currency, key=f"alert_cost_{key}_{currency}")
    label = (
        "Threshold, percent of what is included" if measure is AlertMeasure.ALLOWANCE else "Threshold, calls a month"
    )
    return int(
        st.number_input(
            label,
            min_value=1,
            max_value=GREATEST[measure],
            value=value,
            step=1,
            key=f"alert_{measure}_{key}",
            width=260,
        )
    )


def _recipients(told: Told, *, key: str) -> Told:
    text = st.text_area(
        "Mail to",
        "\n".join(told.recipients),
        key=f"alert_recipients_{key}",
        placeholder="One address a line",
        help=f"At most {MOST_RECIPIENTS}. Outgoing webhooks are told in any case.",
        height=90,
    )
    to_customer = st.checkbox("Mail the organization too", told.to_customer, key=f"alert_to_customer_{key}")
    mail_words.warn_of_none()
    addresses = (text or "").replace(",", "\n").replace(";", "\n").split()
    bounced_addresses.warn(addresses)
    return replace(told, recipients=tuple(addresses), to_customer=to_customer)
