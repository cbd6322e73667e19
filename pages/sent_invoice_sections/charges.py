"""Charges to cards on file: which were tried, with what came of each and why, and when the next one comes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.invoices.rows import InvoiceView
from billing_core.online_payments.models import AttemptState
from billing_core.subscriptions.overview import charging
from billing_core.subscriptions.overview.charging import ChargeRow
from pages.ui import formats, tables
from pages.ui.colors import Color
from pages.ui.reads import Reader

MOST: Final = 50
_OUTCOMES: Final[dict[AttemptState, tuple[str, Color]]] = {
    AttemptState.STARTED: ("Not answered yet", "orange"),
    AttemptState.SUCCEEDED: ("Paid", "gray"),
    AttemptState.DECLINED: ("Declined", "red"),
    AttemptState.AUTHENTICATION: ("Has to be confirmed", "orange"),
}


class Collected(Protocol):
    """What says how an open invoice is collected."""

    @property
    def failures(self) -> int: ...
    @property
    def collect_at(self) -> datetime | None: ...
    @property
    def gives_up_at(self) -> datetime | None: ...


def draw(read: Reader, actor: Actor, invoice: InvoiceView) -> None:
    """Nothing where no card was charged for the invoice, and none will be."""
    if not actor.may(Permission.PAYMENT_READ):
        return
    zone = read.company.time_zone
    tried = read(charging.of_invoice, invoice.id, limit=MOST)
    coming = read(charging.collecting, invoice.id) if actor.may(Permission.SUBSCRIPTION_READ) else None
    if not tried and (coming is None or coming.collect_at is None):
        return
    st.subheader("Charges to a card", anchor=False)
    if coming is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{following(coming, zone)}.", width="content")
            st.page_link(
                "subscriptions.py",
                label="Its subscription",
                icon=":material/autorenew:",
                query_params={"subscription": str(coming.subscription_id)},
            )
    if tried:
        table(tried, zone, key="invoice_charges", alt="Charges to cards on file for this invoice, the newest first")


def table(rows: Sequence[ChargeRow], zone: str, *, key: str, alt: str, between: Sequence[tables.Column] = ()) -> None:
    """``between``: further columns, before the reasons."""
    columns: list[tables.Column] = [
        tables.instant("When", "started_at", zone),
        tables.badge("Outcome", lambda row: _OUTCOMES[row.state][0], dict(_OUTCOMES.values())),
        tables.money("Amount", "amount_minor", width=110),
        tables.currency_of(),
        tables.computed("Card", lambda row: formats.card(row.card_brand, row.card_last4), width=130),
        *between,
        tables.text("Why not", "failure", width="large"),
    ]
    tables.show(rows, columns, key=key, alt=alt)


def following(row: Collected, zone: str) -> str:
    """What comes next of an open invoice that a subscription bills."""
    failed = f"{formats.counted(row.failures, 'charge')} failed" if row.failures else ""
    if row.gives_up_at is not None:
        return f"{failed}: the card is refused for good, given up on {formats.instant(row.gives_up_at, zone)}"
    if row.collect_at is not None:
        return f"{failed + ', next' if failed else 'Next charge'} on {formats.instant(row.collect_at, zone)}"
    return f"{failed}, none follows" if failed else "Paid by a link"
