"""Which lines of an invoice are taken back, and how much of each."""

from collections.abc import Sequence
from decimal import Decimal

import pandas as pd
import streamlit as st

from billing_core import runtime
from billing_core.errors import BillingError
from billing_core.invoices import credit_notes
from billing_core.invoices.content.line_credits import Creditable
from billing_core.invoices.rows import InvoiceView
from billing_core.money import LINE_QUANTITY_PLACES
from pages.ui import context, formats, sorting
from pages.ui.context import actor as signed_in
from pages.ui.inputs import number_input
from pages.ui.text import md

BY_AMOUNT, BY_LINES = "An amount", "Lines"
_ROW_HEIGHT, _MOST_SHOWN = 35, 10


def by_lines(key: str) -> bool:
    """Whether lines are chosen, rather than an amount of the whole."""
    return st.segmented_control("What", [BY_AMOUNT, BY_LINES], default=BY_AMOUNT, key=key, required=True) == BY_LINES


def chosen(invoice: InvoiceView, *, key: str) -> dict[int, Decimal] | None:
    """Quantities by the ids of their lines; None, with the reason below them, where they cannot be credited."""
    with context.reading() as session:
        lines = credit_notes.creditable(session, signed_in(), invoice.id)
    frame = st.data_editor(
        _frame(lines),
        key=key,
        hide_index=True,
        num_rows="fixed",
        row_height=_ROW_HEIGHT,
        height=_ROW_HEIGHT * (min(len(lines), _MOST_SHOWN) + 1) + 3,
        disabled=["line", "on_invoice", "credited", "left"],
        placeholder="",
        column_config={
            "line": st.column_config.TextColumn("Line", width=190),
            "credit": st.column_config.TextColumn(
                "Credit now",
                width=95,
                alignment="right",
                help=f"How many, with up to {LINE_QUANTITY_PLACES} decimals; empty for none",
            ),
            "left": st.column_config.TextColumn("Left", width=70, alignment="right"),
            "credited": st.column_config.TextColumn("Credited", width=70, alignment="right"),
            "on_invoice": st.column_config.TextColumn("On invoice", width=80, alignment="right"),
        },
    )
    try:
        wanted = _wanted(lines, frame["credit"].tolist())
        with runtime.sessions()() as session:
            parts = credit_notes.of_lines(session, invoice, wanted) if wanted else []
    except (BillingError, ValueError) as reason:
        st.markdown(f":red[:material/error: {md(formats.with_days(str(reason)))}]")
        return None
    net, total = sum(part.net_minor for part in parts), credit_notes.total_of(parts)
    st.markdown(
        f"{md(formats.money(net, invoice.currency))} and {md(formats.money(total - net, invoice.currency))} tax: "
        f"**{md(formats.money(total, invoice.currency))}**"
    )
    return wanted or None


def _frame(lines: Sequence[Creditable]) -> pd.DataFrame:
    """As text: the browser would turn numbers into binary fractions."""
    cells = {
        "line": [one.description for one in lines],
        # What is typed stands where it is seen on a phone too.
        "credit": [""] * len(lines),
        "left": _quantities([one.left for one in lines]),
        "credited": _quantities([one.credited or None for one in lines]),
        "on_invoice": _quantities([one.line.quantity for one in lines]),
    }
    return pd.DataFrame({name: pd.Series(column, dtype="string") for name, column in cells.items()})


def _quantities(values: Sequence[Decimal | None]) -> list[str]:
    locale = formats.locale()
    return sorting.sortable(
        ["" if one is None else formats.Written(number_input.written(one, locale), one) for one in values]
    )


def _wanted(lines: Sequence[Creditable], typed: Sequence[object]) -> dict[int, Decimal]:
    locale = formats.locale()
    wanted: dict[int, Decimal] = {}
    for place, (one, text) in enumerate(zip(lines, typed, strict=True), start=1):
        if not isinstance(text, str) or not text.strip():
            continue
        try:
            wanted[one.line_id] = number_input.number(text, locale)
        except ValueError as reason:
            raise ValueError(f"Line {place}: the quantity {reason}") from None
    return wanted
