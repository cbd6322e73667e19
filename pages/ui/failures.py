"""What people see when a page fails in a way that nobody expected."""

import secrets

import streamlit as st
import structlog

_log = structlog.get_logger()


def tell(error: Exception) -> bool:
    """Log a bug under a reference, and show the reference instead of the trace."""
    reference = secrets.token_hex(6)
    _log.error("a page failed", reference=reference, exc_info=error)
    st.error(
        f"Something went wrong on our side, and it has been logged. Reference: `{reference}`",
        icon=":material/error:",
    )
    return True
