"""What was imported before."""

import streamlit as st

from billing_core.businesses.queries import default_business
from billing_core.identity import Actor
from billing_core.imports import Kind, queries
from billing_core.imports.kinds.registry import DEFINITIONS
from pages.ui import tables
from pages.ui.context import reading


def draw(actor: Actor) -> None:
    """Asked anew each time: an import that changes nothing leaves no audit entry that would refresh a cached read."""
    st.subheader("Imported before", anchor=False)
    with reading() as session:
        total = queries.history_count(session, actor)
        zone = default_business(session).time_zone
    if not total:
        st.caption("Nothing has been imported yet.")
        return
    first = tables.pager(total, key="import_page", noun="import")
    with reading() as session:
        rows = queries.history(session, actor, limit=tables.PAGE_SIZE, offset=first)
    shown = (
        tables.instant("When", "created_at", zone),
        tables.text("Who", "created_by"),
        tables.computed("What", lambda row: DEFINITIONS[Kind(row.kind)].title),
        tables.text("File", "file_name"),
        tables.count("New", "new"),
        tables.count("Changed", "changed"),
        tables.count("Unchanged", "unchanged"),
        tables.count(
            "Set aside", "set_aside", help="Rows of the file that were rejected, and not imported with the others"
        ),
        tables.count("Removed", "gone", help="Order lines that the file did not have"),
    )
    tables.show(rows, shown, key="import_history", alt="Files imported before, newest first")
