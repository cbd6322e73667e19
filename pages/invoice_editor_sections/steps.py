"""What the dialogs of an invoice share: one change with its message, and amounts as people type them."""

from contextlib import AbstractContextManager

import streamlit as st
from sqlalchemy.orm import Session

from pages.invoice_editor_sections import draft_state
from pages.ui import context, formats, number_input
from pages.ui.text import md


def attempt(message: str) -> AbstractContextManager[Session]:
    """One change, then the page anew with the message; a refusal is said here and leaves what was typed."""
    return context.attempt(message, then=draft_state.forget)


def amount_field(label: str, minor: int, currency: str, *, key: str, help: str | None = None) -> int | None:  # noqa: A002
    """An amount that starts with ``minor``; None, with the reason below the field, where it cannot be read."""
    locale = formats.locale()
    text = st.text_input(
        f"{label}, {currency}", number_input.written_minor(minor, currency, locale), key=key, help=help, width=220
    )
    try:
        return number_input.minor(text, currency, locale)
    except ValueError as reason:
        st.markdown(f":red[:material/error: The amount {md(str(reason))}]")
        return None
