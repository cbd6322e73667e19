"""One import of before: what it made, changed and removed, and taking it back."""

import pandas as pd
import streamlit as st

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor
from billing_core.imports.history import reading as past
from billing_core.imports.history.reading import Details
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.taking_back import service as taking_back
from billing_core.imports.taking_back.service import TakenBack
from pages.ui import formats, messages, opened
from pages.ui.context import reading, refused
from pages.ui.text import md

PARAMETER = "import"
_SHOWN = 200


def open_it(run_id: int) -> None:
    st.query_params[PARAMETER] = str(run_id)


def draw(actor: Actor, zone: str) -> None:
    """The import that the address names, if it names one."""
    run_id = opened.identity(PARAMETER, "import")
    if run_id is None:
        return
    with reading() as session:
        run = past.details(session, actor, run_id, limit=_SHOWN)
    with st.container(border=True):
        opened.heading(f"{DEFINITIONS[run.kind].title} from {md(run.file_name)}", PARAMETER)
        st.text(f"Import {run.run_id}, by {run.created_by}, {formats.instant(run.created_at, zone)}")
        if run.taken_back_at is not None:
            st.info(
                f"Taken back by {md(run.taken_back_by or '')}, {formats.instant(run.taken_back_at, zone)}.",
                icon=":material/undo:",
            )
        _counts(run)
        _made(run)
        _cells(run)
        _mapping(run)
        if run.made or run.cells:
            st.markdown(f"[Download all that it changed as CSV](/downloads/imports/history/{run.run_id}.csv)")
        if run.may_go_back and st.button(
            "Take back …", icon=":material/undo:", key="import_take_back", help="Shows first what would go and return."
        ):
            _ask(actor, run)


def _counts(run: Details) -> None:
    rows = (("New", run.new), ("Changed", run.changed), ("Unchanged", run.unchanged), ("Removed", run.gone))
    with st.container(horizontal=True, gap="large"):
        for label, value in rows:
            if value or label != "Removed":
                st.metric(label, formats.count(value), width="content")


def _made(run: Details) -> None:
    if not run.made:
        return
    with st.expander("New rows", icon=":material/add:"):
        _table(run, "made", pd.DataFrame({"Row": run.made}), "New rows by their names in the file")
        if run.new > len(run.made):
            st.caption(f"The first {formats.count(len(run.made))} of {formats.count(run.new)}.")


def _cells(run: Details) -> None:
    if not run.cells:
        return
    with st.expander("What was changed or removed", expanded=True, icon=":material/difference:"):
        rows = [
            (one.row, formats.sentence(one.effect), one.column, _text(one.before), _text(one.after))
            for one in run.cells
        ]
        table = pd.DataFrame(rows, columns=["Row", "What", "Column", "Before", "After"])
        _table(run, "cells", table, "Changed cells with their value before and after")
        if run.changed + run.gone > _SHOWN:
            st.caption(f"Of the first {formats.count(_SHOWN)} rows. The download has them all.")


def _mapping(run: Details) -> None:
    if not run.mapping:
        return
    with st.expander("Columns of the file", icon=":material/view_column:"):
        rows = [(name, _origin(origin)) for name, origin in run.mapping.items()]
        _table(run, "mapping", pd.DataFrame(rows, columns=["Column", "From"]), "From which column each value came")


def _origin(origin: dict[str, object]) -> str:
    if "value" in origin:
        return f"the same for every row: {origin['value']}"
    columns = origin.get("columns")
    return ", ".join(map(str, columns)) if isinstance(columns, list) else str(origin.get("column", ""))


def _table(run: Details, name: str, table: pd.DataFrame, alt: str) -> None:
    st.dataframe(table, hide_index=True, width="stretch", key=f"import_{run.run_id}_{name}", alt=alt)


def _ask(actor: Actor, run: Details) -> None:
    try:
        with st.spinner("Looking at what relies on it"):
            rehearsed = taking_back.rehearse(runtime.sessions(), actor, run.run_id, now=utc_now())
    except BillingError as error:
        refused(error)
    else:
        _take_back(actor, rehearsed)


@st.dialog("Take the import back", width="large", icon=":material/undo:")
def _take_back(actor: Actor, rehearsed: TakenBack) -> None:
    if rehearsed.refused:
        _in_the_way(rehearsed)
        return
    st.markdown(_what_happens(rehearsed))
    if rehearsed.edited:
        st.warning(_edited(rehearsed), icon=":material/edit:")
    if st.button("Take it back", type="primary", icon=":material/undo:", key="import_do_take_back"):
        try:
            with st.spinner("Taking it back"):
                taking_back.take_back(runtime.sessions(), actor, rehearsed.run_id, now=utc_now())
        except BillingError as error:
            refused(error)
            return
        messages.say(f"The import of {rehearsed.file_name} is taken back")
        st.rerun()


def _in_the_way(rehearsed: TakenBack) -> None:
    first = "\n".join(f"- {md(formats.with_days(one))}" for one in rehearsed.in_the_way)
    more = rehearsed.obstacles - len(rehearsed.in_the_way)
    others = f"\n- and {formats.count(more)} more" if more else ""
    st.error(f"It cannot be taken back:\n{first}{others}", icon=":material/block:")


def _what_happens(rehearsed: TakenBack) -> str:
    parts = (
        (rehearsed.made, "that it made would go"),
        (rehearsed.changed, "that it changed would be as before"),
        (rehearsed.removed, "that it removed would return"),
    )
    return "; ".join(f"{formats.counted(count, 'row')} {words}" for count, words in parts if count) + "."


def _edited(rehearsed: TakenBack) -> str:
    first = "\n".join(f"- {md(one)}" for one in rehearsed.edited_rows)
    more = rehearsed.edited - len(rehearsed.edited_rows)
    others = f"\n- and {formats.count(more)} more" if more else ""
    return f"People have changed some of them since, which would go with them:\n{first}{others}"


def _text(value: str) -> str:
    return value or formats.NOTHING
