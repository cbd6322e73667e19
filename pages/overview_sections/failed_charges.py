"""What a card could not be charged for, with the next attempt, and one click that mails the customer a link."""

from typing import Final

import streamlit as st

from billing_core.identity import Actor
from billing_core.subscriptions.upkeep import asking as to_mail
from billing_core.subscriptions.upkeep.asking import Failing
from pages.subscription_sections import asking
from pages.ui import formats, tables
from pages.ui.reads import Reader

# Of more, the tab of all that are past due has the rest.
_MOST: Final = 10
_LINK: Final = "failed_charge_to_mail_a_link"


def draw(actor: Actor) -> None:
    read = Reader(actor)
    rows = read(to_mail.failing, limit=_MOST)
    if not rows:
        return
    columns = [
        tables.button("Open", lambda row: f":material/open_in_new: {row.customer_name}", opens=_open, width=190),
        tables.computed("Next attempt", lambda row: formats.instant(row.next_at, read.company.time_zone), width=170),
        tables.money("Due", "due_minor", width=95),
        tables.currency_of(),
        tables.text("Plan", "plan_name"),
        tables.count("Invoices", "invoices"),
    ]
    if asking.may_mail_links(actor):
        columns.insert(1, tables.button("Mail", lambda _: asking.LINK, opens=_ask, width=120))
    tables.show(rows, columns, key="failed_charges", alt="Subscriptions whose card could not be charged")
    asked: int | None = st.session_state.pop(_LINK, None)
    if asked is not None:
        asking.mail_link(asked)


def _open(row: Failing) -> None:
    st.switch_page("subscriptions.py", query_params={"subscription": str(row.subscription_id)})


def _ask(row: Failing) -> None:
    st.session_state[_LINK] = row.subscription_id
