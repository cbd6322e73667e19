"""What people see when a page fails in a way that nobody expected."""

import secrets

import streamlit as st
import structlog

from billing_core import runtime
from billing_core.database.files import opened_file
from pages.ui import formats
from pages.ui.text import md

_log = structlog.get_logger()


def tell(error: Exception) -> bool:
    """Log a bug under a reference, and show the reference instead of the trace; or why nothing can be changed now."""
    if reason := opened_file.reason_of(error):
        st.error(md(formats.with_days(reason)), icon=":material/error:")
        return True
    reference = secrets.token_hex(6)
    _log.error("a page failed", reference=reference, exc_info=error)
    st.error(
        f"Something went wrong on our side, and it has been logged. Reference: `{reference}`",
        icon=":material/error:",
    )
    return True


def warn_of_lost_file() -> None:
    """On top of every page while the database's file is gone: what is shown is of before, nothing can be changed."""
    if reason := opened_file.problem(runtime.sessions().engine):
        st.error(md(formats.with_days(reason)), icon=":material/warning:")
