"""The rows of a file that cannot be imported: why, what would mend them, and what may become of the others."""

import pandas as pd
import streamlit as st

from billing_core.identity import Actor
from billing_core.imports import Lines, inbox
from billing_core.imports.mapping import FromColumns
from billing_core.imports.models import FileState
from billing_core.imports.outcome import Outcome
from billing_core.imports.received import Received
from billing_core.imports.rejections import Group
from pages.ui import formats
from pages.ui.context import transaction
from pages.ui.text import md


def draw(actor: Actor, received: Received, outcome: Outcome) -> None:
    _fate(outcome)
    _groups(received, outcome)
    if received.state is not FileState.IMPORTED:
        for place, group in enumerate(outcome.groups):
            _mend(actor, received, group, place)
    _first(received, outcome)
    st.markdown(
        f"[Download the rejected rows, to repair and drop again](/downloads/imports/{received.token}/rejected.csv)"
    )
    if received.state is not FileState.IMPORTED and received.lines is not Lines.REPLACE:
        _set_aside(actor, received, outcome)


def _fate(outcome: Outcome) -> None:
    rows = formats.count(outcome.rejected)
    if outcome.set_aside:
        fate = "were set aside" if outcome.applied else "would be set aside"
        st.warning(f"Rejected rows that {fate}: {rows}. The others do not wait for them.", icon=":material/block:")
    else:
        st.error(
            "Nothing of this file is imported while rows are rejected. Mend them here, or correct them in the file and "
            "drop it again.",
            icon=":material/block:",
        )


def _groups(received: Received, outcome: Outcome) -> None:
    shown = [
        (group.rows, group.column, formats.with_days(group.reason), _values(group), group.advice)
        for group in outcome.groups
    ]
    st.dataframe(
        pd.DataFrame(shown, columns=["Rows", "Column", "Why", "Values", "What to do"]),
        column_config={"Rows": st.column_config.NumberColumn(format="localized", width=70)},
        hide_index=True,
        width="stretch",
        key=f"import_{received.token}_groups",
        alt="Why rows are rejected, with how many, and what to do",
    )


def _values(group: Group) -> str:
    """The most frequent ones, with their rows where there are several."""
    named = [f"{value or 'blank'} ({formats.count(rows)})" for value, rows in group.values]
    more = [f"and {formats.count(group.value_count - len(named))} more"] if group.value_count > len(named) else []
    return ", ".join(named + more)


def _mend(actor: Actor, received: Received, group: Group, place: int) -> None:
    """One answer for all rows that have the same value."""
    origin = received.mapping.get(group.field)
    if not group.mendable or not isinstance(origin, FromColumns):
        return
    key = f"import_{received.token}_mend_{place}"
    with st.expander(f"Mend {md(group.column)}: {md(formats.with_days(group.reason))}", icon=":material/healing:"):
        with st.form(key, border=False):
            said = {
                value: st.text_input(
                    f"Read “{md(value)}” as" if value else "Read blanks as",
                    key=f"{key}_{at}",
                    help=f"In {formats.count(rows)} rows. Empty: it stays as it is.",
                    width=320,
                )
                for at, (value, rows) in enumerate(group.values)
            }
            mended = st.form_submit_button("Read them so", key=f"{key}_save", disabled=received.busy)
        if not mended:
            return
        words = {theirs: ours.strip() for theirs, ours in said.items() if ours.strip()}
        with transaction() as session:
            inbox.choose_words(session, actor, received.token, {group.field: words})
        st.rerun()


def _first(received: Received, outcome: Outcome) -> None:
    reasons = pd.DataFrame(
        [(row.line, row.column, row.value, formats.with_days(row.reason)) for row in outcome.rejections],
        columns=["Line", "Column", "Value", "Reason"],
    )
    with st.expander("The rejected rows", icon=":material/list:"):
        st.dataframe(
            reasons,
            column_config={
                "Line": st.column_config.NumberColumn(format="localized", width=70),
                "Reason": st.column_config.TextColumn(width="large"),
            },
            hide_index=True,
            width="stretch",
            key=f"import_{received.token}_rejected",
            alt="Rejected rows with line, column, value and reason",
        )
        if outcome.rejected > len({row.line for row in outcome.rejections}):
            st.caption(f"The first of {formats.count(outcome.rejected)} rejected rows. The download has them all.")


def _set_aside(actor: Actor, received: Received, outcome: Outcome) -> None:
    chosen = st.checkbox(
        f"Set these {formats.count(outcome.rejected)} rows aside, and import the others",
        value=received.may_set_aside >= outcome.rejected,
        key=f"import_{received.token}_set_aside",
        disabled=received.busy,
        help="They can be repaired and dropped later. How many were set aside is in the audit log. Should more be "
        "rejected by then, you are asked again.",
    )
    if chosen != (received.may_set_aside >= outcome.rejected) and not received.busy:
        with transaction() as session:
            inbox.choose_setting_aside(session, actor, received.token, outcome.rejected if chosen else 0)
        st.rerun()
