"""One change to an invoice; afterwards the draft that is open in this browser is read anew."""

from contextlib import AbstractContextManager

import streamlit as st
from sqlalchemy.orm import Session

from pages.ui import context

OPEN_DRAFT = "open_draft"


def attempt(message: str) -> AbstractContextManager[Session]:
    """One change, then the page anew with the message; a refusal is said here and leaves what was typed."""
    return context.attempt(message, then=forget_open_draft)


def forget_open_draft() -> None:
    """In a callback, or before a rerun: the next run reads what is stored."""
    st.session_state.pop(OPEN_DRAFT, None)
