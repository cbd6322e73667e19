"""Mails that came back, among what needs a hand: whose address, why, and what settles it."""

from typing import Final

import streamlit as st

from billing_core.bounces import queries
from billing_core.bounces.figures import BOUNCED_MAILS
from billing_core.bounces.queries import Unreached
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from pages.overview_sections.matter import Matter
from pages.ui import formats, tables
from pages.ui.inputs import bounced_addresses
from pages.ui.reads import Reader

# Of more, the outbox has the rest.
_MOST: Final = 10
_DISMISSED: Final = "bounced_address_to_dismiss"


def matters(actor: Actor, scope: Scope) -> list[Matter]:
    """For those who see the outbox."""
    if not actor.may(Permission.OUTBOX_READ):
        return []
    return [
        Matter(
            BOUNCED_MAILS,
            scope,
            lambda count: f"{formats.counted(count, 'mail')} came back",
            "admin/outbox.py",
            {"state": "bounced"},
            "Open the outbox",
            Permission.OUTBOX_READ,
            ":material/unsubscribe:",
            _addresses,
        )
    ]


def _addresses(actor: Actor) -> None:
    read = Reader(actor)
    rows = read(queries.unreached, limit=_MOST)
    if not rows:
        return
    columns = [
        tables.button("Address", lambda row: f":material/open_in_new: {row.address}", opens=_open, width=230),
        tables.computed("Customer", lambda row: row.customer_name or formats.NOTHING),
        tables.computed("Why", lambda row: row.reason or formats.NOTHING, width="large"),
        tables.count("Mails", "mails"),
        tables.instant("Last", "told_at", read.company.time_zone),
    ]
    if actor.may(Permission.INVOICE_SEND):
        columns.insert(1, tables.button("Dismiss", lambda _: ":material/check: Dismiss", opens=_ask, width=110))
    tables.show(rows, columns, key="bounced_mails", alt="Addresses that mails came back from")
    asked: str | None = st.session_state.pop(_DISMISSED, None)
    if asked is not None:
        bounced_addresses.dismiss(asked)


def _open(row: Unreached) -> None:
    """Where the address is changed, or the mail."""
    if row.customer_id is None:
        st.switch_page("admin/outbox.py", query_params={"message": str(row.message_id)})
    st.switch_page("customers.py", query_params={"customer": str(row.customer_id)})


def _ask(row: Unreached) -> None:
    st.session_state[_DISMISSED] = row.address
