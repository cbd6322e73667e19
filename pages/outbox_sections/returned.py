"""Whom a mail did not reach after the mail server had taken it, and why, in the words of the server."""

import streamlit as st

from billing_core.bounces.queries import BounceRow
from pages.ui import formats
from pages.ui.inputs import bounced_addresses
from pages.ui.text import md


def draw(rows: list[BounceRow], zone: str) -> None:
    for row in rows:
        icon = ":material/unsubscribe:" if row.final else ":material/schedule_send:"
        (st.error if row.final else st.info)(_sentence(row, zone), icon=icon)
        if row.final and row.dismissed_at is None:
            bounced_addresses.button(row.address, f"dismiss_bounce_{row.id}")
        elif row.dismissed_at is not None:
            st.caption(f"Dismissed by {md(row.dismissed_by)} on {md(formats.instant(row.dismissed_at, zone))}.")


def _sentence(row: BounceRow, zone: str) -> str:
    when = md(formats.instant(row.told_at, zone))
    told = (
        f"It came back from {md(row.address)} on {when}"
        if row.final
        else (f"It is late for {md(row.address)}, and still being tried, as of {when}")
    )
    answer = row.reason or row.status
    return f"{told}: “{md(answer)}”" if answer else f"{told}."
