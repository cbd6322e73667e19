"""What a file would do, or did: counts, changes, rejected rows."""

import pandas as pd
import streamlit as st

from billing_core.identity import Actor
from billing_core.imports.outcome import Outcome
from billing_core.imports.received import Received
from pages.import_sections import rejected
from pages.ui import formats
from pages.ui.text import md


def draw(actor: Actor, received: Received) -> None:
    if received.problem:
        st.error(md(formats.with_days(received.problem)), icon=":material/error:")
    outcome = received.outcome
    if outcome is None:
        return
    _counts(outcome)
    if outcome.unsaid:
        _unsaid(outcome)
    for note in outcome.notes:
        st.info(md(formats.with_days(note)), icon=":material/info:")
    if outcome.rejected:
        rejected.draw(actor, received, outcome)
    if outcome.changes:
        _changes(received, outcome)
    if outcome.gone:
        _gone(received, outcome)
    if outcome.billed:
        _billed(outcome)


def _counts(outcome: Outcome) -> None:
    rows = (
        ("Would be new" if outcome.refused else "New", outcome.new, "Rows that are not there yet"),
        ("Would change" if outcome.refused else "Changed", outcome.changed, "Rows that are there with other content"),
        ("Unchanged", outcome.unchanged, "Rows that are there just like this"),
        *([("Removed", outcome.gone, "Order lines that the file does not have")] if outcome.gone else []),
        *(
            [("Passed over", outcome.passed_over, "Rows of a key of which another row counts, with other content")]
            if outcome.passed_over
            else []
        ),
        *(
            [("Left out", outcome.left_out, "Rows of a word that leaves them out, and lines of such orders")]
            if outcome.left_out
            else []
        ),
        *(
            [("Waiting", outcome.waiting, "Rows with words of which it is not said what they stand for")]
            if outcome.waiting
            else []
        ),
        (
            "Set aside",
            outcome.set_aside,
            "Rows of the file that cannot be taken in, and are not imported with the others",
        )
        if outcome.set_aside
        else ("Rejected", outcome.rejected, "Rows of the file that cannot be taken in; with a single one nothing is"),
    )
    with st.container(horizontal=True, gap="large"):
        for label, value, meaning in rows:
            st.metric(label, formats.count(value), help=meaning, width="content")


def _unsaid(outcome: Outcome) -> None:
    """Orders that may be cancelled are not billed in silence."""
    hint = (
        f" These columns may tell; choose one as the status: {', '.join(outcome.telling)}." if outcome.telling else ""
    )
    st.warning(
        md(
            f"New orders without a status in this file: {formats.count(outcome.unsaid)}. They count as submitted and "
            f"are billed, also those that were cancelled.{hint}"
        ),
        icon=":material/help:",
    )


def _changes(received: Received, outcome: Outcome) -> None:
    title = "What has changed" if outcome.applied else "What would change"
    with st.expander(title, expanded=not outcome.rejected, icon=":material/difference:"):
        rows = [(c.line, c.row, c.column, _text(c.old), _text(c.new)) for c in outcome.changes]
        st.dataframe(
            pd.DataFrame(rows, columns=["Line", "Row", "Column", "Now" if not outcome.applied else "Before", "New"]),
            column_config={"Line": st.column_config.NumberColumn(format="localized", width=70)},
            hide_index=True,
            width="stretch",
            key=f"import_{received.token}_changes",
            alt="Changed cells with the value that is there and the new one",
        )
        shown = len({change.line for change in outcome.changes})
        if outcome.changed > shown:
            st.caption(f"The first {formats.count(shown)} of {formats.count(outcome.changed)} changed rows.")


def _gone(received: Received, outcome: Outcome) -> None:
    title = "Lines that were removed" if outcome.applied else "Lines that would go"
    with st.expander(f"{title}: {formats.count(outcome.gone)}", expanded=True, icon=":material/delete_sweep:"):
        st.dataframe(
            pd.DataFrame(
                [(line.order_number, line.sku, line.quantity) for line in outcome.gone_lines],
                columns=["Order", "SKU", "Quantity"],
            ),
            hide_index=True,
            width="stretch",
            key=f"import_{received.token}_gone",
            alt="Order lines that are not in the file, with order, SKU and quantity",
        )
        if outcome.gone > len(outcome.gone_lines):
            st.caption(f"The first {formats.count(len(outcome.gone_lines))} of them.")
    if not outcome.applied:
        st.markdown(f"[Download the lines that would go as CSV](/downloads/imports/{received.token}/removed.csv)")


def _billed(outcome: Outcome) -> None:
    named = ", ".join(f"{one.order_number} on {one.invoice}" for one in outcome.billed_orders)
    more = " …" if outcome.billed > len({one.order_number for one in outcome.billed_orders}) else ""
    st.warning(
        f"Orders that this file changes and that are billed already: {formats.count(outcome.billed)}. Their invoices "
        f"stay as they are: {md(named)}{more}",
        icon=":material/request_quote:",
    )


def _text(value: object) -> str:
    return formats.NOTHING if value is None or value == "" else str(value)
