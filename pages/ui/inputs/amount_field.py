"""An amount as people type it, in a currency that is known."""

import streamlit as st

from pages.ui import formats
from pages.ui.inputs import number_input
from pages.ui.text import md


def amount_field(label: str, minor: int, currency: str, *, key: str, help: str | None = None) -> int | None:  # noqa: A002
    """An amount that starts with ``minor``; None, with the reason below the field, where it cannot be read."""
    locale = formats.locale()
    text = st.text_input(
        f"{label}, {currency}", number_input.written_minor(minor, currency, locale), key=key, help=help, width=220
    )
    try:
        return number_input.minor(text, currency, locale)
    except ValueError as reason:
        st.markdown(f":red[:material/error: The amount {md(formats.with_days(str(reason)))}]")
        return None
