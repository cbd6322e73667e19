"""What was imported before: which files, and on a click what each of them changed."""

from datetime import timedelta

import streamlit as st

from billing_core.businesses.queries import default_business
from billing_core.dates import start_of_day
from billing_core.identity import Actor
from billing_core.imports import Kind, queries
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.queries import HistoryFilter, HistoryRow
from pages.import_sections import past_import
from pages.ui import tables
from pages.ui.context import reading
from pages.ui.inputs import filters

_PAGE = "import_page"


def draw(actor: Actor) -> None:
    """Asked anew each time: an import that changes nothing leaves no audit entry that would refresh a cached read."""
    st.subheader("Imported before", anchor=False)
    with reading() as session:
        anything = queries.history_count(session, actor)
        zone = default_business(session).time_zone
    if not anything:
        st.caption("Nothing has been imported yet.")
        return
    past_import.draw(actor, zone)
    chosen = _chosen(zone)
    with reading() as session:
        total = queries.history_count(session, actor, chosen)
    first = tables.pager(total, key=_PAGE, noun="import")
    with reading() as session:
        rows = queries.history(session, actor, chosen, limit=tables.PAGE_SIZE, offset=first)
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
        tables.instant("Taken back", "taken_back_at", zone),
    )
    tables.show(rows, shown, key="import_history", alt="Files imported before, newest first", opens=_open)


def _chosen(zone: str) -> HistoryFilter:
    titles = {kind.value: definition.title for kind, definition in DEFINITIONS.items()}
    with filters.row():
        kind = filters.choice("Imports of", list(titles), key="import_kind", page_key=_PAGE, names=titles, width=180)
        first = filters.day("From", key="import_since", page_key=_PAGE, width=140)
        last = filters.day("To", key="import_until", page_key=_PAGE, width=140)
        filters.in_order(first, last, "Days", key="import_until")
    return HistoryFilter(
        kind=Kind(kind) if kind else None,
        since=start_of_day(zone, first) if first else None,
        until=start_of_day(zone, last + timedelta(days=1)) if last else None,
    )


def _open(row: HistoryRow) -> None:
    past_import.open_it(row.id)
