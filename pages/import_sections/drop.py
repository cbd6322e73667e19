"""Where files are dropped."""

import streamlit as st

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import Actor
from billing_core.imports import Kind, inbox
from billing_core.imports.kinds.registry import DEFINITIONS


def draw(actor: Actor) -> None:
    """Take what is dropped into the inbox, and empty the box for the next files."""
    with st.popover("Templates", icon=":material/table_view:"):
        _templates()
    emptied = st.session_state.setdefault("import_box", 0)
    dropped = st.file_uploader(
        "Tables",
        accept_multiple_files=True,
        key=f"import_files_{emptied}",
        help="Excel workbooks, OpenDocument sheets, CSV and other texts with separators, also in ZIP or gzip. "
        "Drop several at once: they are taken in the order in which they depend on each other.",
    )
    if not dropped:
        return
    with st.spinner("Looking at the columns"):
        for file in dropped:
            inbox.receive_all(runtime.sessions(), actor, file.name, file, now=utc_now())
    # A fresh box: the upload itself would otherwise stay in memory.
    st.session_state["import_box"] = emptied + 1
    st.rerun()


def _templates() -> None:
    st.caption("A file for each kind, with its columns and an example to replace.")
    address = "/downloads/imports/templates"
    links = (f"{DEFINITIONS[kind].title}: [CSV]({address}/{kind}.csv), [Excel]({address}/{kind}.xlsx)" for kind in Kind)
    st.markdown("\n".join(f"- {link}" for link in links))
