"""A link that is shown once, until the person has copied it."""

import streamlit as st

_KEY = "one_time_link"


def keep_link(purpose: str, address: str, token: str) -> None:
    """Show this link from the next run on. It is kept in this browser's session alone."""
    st.session_state[_KEY] = (purpose, f"{address}/auth/welcome?token={token}")


def show_link() -> None:
    """Draw the link that waits to be copied, if there is one."""
    if _KEY not in st.session_state:
        return
    purpose, link = st.session_state[_KEY]
    with st.container(border=True):
        st.text(purpose)
        st.code(link, language=None, wrap_lines=True)
        st.caption("Copy it now and send it on: it is not shown again. A newer link for this person replaces it.")
        st.button("Done", key="one_time_link_done", on_click=_forget)


def _forget() -> None:
    st.session_state.pop(_KEY, None)
