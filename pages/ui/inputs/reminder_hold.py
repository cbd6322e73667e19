"""Until when, and why, somebody is not reminded."""

from datetime import date

import streamlit as st

from billing_core.dates import LATEST_DAY
from pages.ui import formats


def fields(identity: int, until: date, *, today: date, reason: str = "") -> tuple[date, str]:
    """The last day without reminders, which is included, and the reason; ``until`` and ``reason`` as they are now."""
    last_day = st.date_input(
        "Until",
        until,
        min_value=today,
        max_value=LATEST_DAY,
        key=f"hold_until_{identity}",
        required=True,
        width=180,
        format=formats.day_form(),
    )
    why = st.text_input(
        "Reason",
        reason,
        key=f"hold_reason_{identity}",
        max_chars=200,
        required=True,
        placeholder="Such as: they dispute a line",
    )
    return last_day, why
