"""Short messages that outlive the rerun which follows a change: said before it, they would never be seen."""

import streamlit as st

from pages.ui.text import md

_KEY = "messages_after_the_rerun"


def say(text: str, *, icon: str = ":material/check:") -> None:
    """Show this once, on the next run, as it is: it is no Markdown."""
    st.session_state.setdefault(_KEY, []).append((text, icon))


def show() -> None:
    """Show what waits. The menu calls it, before the page."""
    for text, icon in st.session_state.pop(_KEY, []):
        st.toast(md(text), icon=icon)
