"""Which rows something is done with: those that are ticked, or all that match."""

import streamlit as st

from pages.ui import formats

# What somebody can still look through before saying yes.
MOST = 500


def everything(total: int, *, key: str, limited: bool = True) -> bool:
    """Are all that match meant, whatever is ticked? Not ``limited``: however many they are."""
    fits = not limited or total <= MOST
    chosen = st.checkbox(
        f"All {formats.count(total)} that match",
        # Another number of rows is another question, which starts unticked.
        key=f"{key}_{total}",
        disabled=not fits,
        help=None if fits else f"At most {formats.count(MOST)} can be handled at once: narrow the filters.",
    )
    return chosen and fits
