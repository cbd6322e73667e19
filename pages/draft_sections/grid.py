"""The grid of a draft's lines, and beside it what each line comes to."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from billing_core.invoices.content.content import MOST_LINES
from billing_core.invoices.models import LineType
from billing_core.money import LINE_QUANTITY_PLACES
from billing_core.pdf_layout.text import unprintable
from pages.draft_sections.draft_state import Entered, OpenDraft
from pages.draft_sections.rows import CELLS, PLACE, Row, usual_tax
from pages.ui import formats
from pages.ui.inputs import print_hint
from pages.ui.text import md

_ROW_HEIGHT, _MOST_SHOWN, _AMOUNT_WIDTH = 35, 15, 130
_NAMES = {
    "description": "description",
    "quantity": "quantity",
    "unit_price": "unit price",
    "discount_percent": "discount in percent",
    "discount_minor": "discount",
    "tax_rate": "tax",
    "type": "type",
}
_MOST_SAID = 8


def draw(draft: OpenDraft, entered: Entered, amounts: Mapping[int, int]) -> None:
    """``amounts``: what each line comes to in minor units, counted from 1; lines that cannot be read are missing."""
    currency = entered.content.currency
    # From the rows that the grid was drawn with: whatever else it is given changes only when it is drawn anew, or
    # the browser would take it for another grid and forget what was typed.
    height = _ROW_HEIGHT * (min(len(draft.rows), _MOST_SHOWN) + 2) + 3
    with st.container(horizontal=True, gap="xxsmall", wrap=False):
        st.data_editor(
            _frame(draft.rows),
            key=draft.grid_key,
            num_rows="dynamic",
            hide_index=True,
            height=height,
            row_height=_ROW_HEIGHT,
            placeholder="",
            alt="Lines of the invoice",
            column_config=_columns(usual_tax(draft.rows), currency),
        )
        st.dataframe(
            pd.DataFrame({f"Amount, {currency}": _amounts(entered, amounts)}),
            hide_index=True,
            width=_AMOUNT_WIDTH,
            height=height,
            row_height=_ROW_HEIGHT,
            alt="What each line comes to",
            column_config={f"Amount, {currency}": st.column_config.TextColumn(alignment="right")},
        )
    if draft.cut_up:
        st.error(
            "These rows were not pasted: an emoji among them makes the browser cut the cells in the wrong places. "
            "Paste them without it, and type the emoji afterwards.",
            icon=":material/content_paste_off:",
        )
    _problems(entered)
    _unprintable(entered)
    st.caption(
        "Add a line at the end of the grid, or paste rows from a spreadsheet, up to "
        f"{formats.count(MOST_LINES)} lines in all. To move a line, change its number; to remove lines, tick them and "
        "press Delete."
    )


def _unprintable(entered: Entered) -> None:
    """What the PDF cannot show of the descriptions."""
    found = [(place, unprintable(line.description)) for place, line in enumerate(entered.content.lines, 1)]
    said = [f"Line {place}: {md(print_hint.named(characters))}" for place, characters in found if characters]
    if said:
        more = f", and {formats.counted(len(said) - _MOST_SAID, 'more line')}" if len(said) > _MOST_SAID else ""
        st.caption(f":orange[PDFs cannot show, for no font has it: {'; '.join(said[:_MOST_SAID])}{more}]")


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    """As text: the browser would turn numbers into binary fractions."""
    cells = {name: pd.Series([getattr(row, name) for row in rows], dtype="object") for name in CELLS}
    places = pd.Series(range(1, len(rows) + 1), dtype="Int64")
    return pd.DataFrame({PLACE: places, **{name: column.astype("string") for name, column in cells.items()}})


def _columns(tax_rate: str, currency: str) -> dict[str, ColumnConfig]:
    text = st.column_config.TextColumn
    return {
        PLACE: st.column_config.NumberColumn("#", width=40, help="Another number moves the line there", step=1),
        "description": text("Description", width=210),
        "quantity": text(
            "Quantity",
            width=74,
            alignment="right",
            default="1",
            help=f"With up to {LINE_QUANTITY_PLACES} decimals; negative for what is returned or taken off",
        ),
        "unit_price": text(
            f"Price, {currency}",
            width=90,
            alignment="right",
            help="Of one, before tax unless prices include it; negative for a voucher",
        ),
        "discount_percent": text("Disc. %", width=66, alignment="right"),
        "discount_minor": text("Discount", width=76, alignment="right", help=f"Off this line, in {currency}"),
        "tax_rate": text("Tax %", width=60, alignment="right", default=tax_rate),
        "type": st.column_config.SelectboxColumn(
            "Type",
            width=80,
            options=[one.value for one in LineType],
            format_func=lambda code: formats.words(str(code)),
            default=LineType.SERVICE.value,
            required=True,
        ),
    }


def _amounts(entered: Entered, amounts: Mapping[int, int]) -> list[str]:
    """One cell a row of the grid; untouched rows are no lines and count for nothing."""
    cells, at = [], 0
    for row in entered.rows:
        at += not row.untouched
        amount = None if row.untouched else amounts.get(at)
        cells.append(formats.NOTHING if amount is None else formats.amount(amount, entered.content.currency))
    return cells


def _problems(entered: Entered) -> None:
    """What is wrong with which line, in words."""
    problems: list[tuple[int, str]] = []
    for field, reason in entered.reasons.items():
        match field.split("."):
            case ["lines"] if entered.content.lines:
                problems.append((0, f"The lines {md(formats.with_days(reason))}"))
            case ["lines", at, name]:
                problems.append((int(at), f"Line {at}: the {_NAMES.get(name, name)} {md(formats.with_days(reason))}"))
    # What cannot be read and what cannot be kept come one after the other; people go down the lines.
    sentences = [sentence for _, sentence in sorted(problems, key=lambda one: one[0])]
    for sentence in sentences[:_MOST_SAID]:
        st.markdown(f":red[:material/error: {sentence}]")
    if len(sentences) > _MOST_SAID:
        st.caption(f"… and {formats.count(len(sentences) - _MOST_SAID)} more")
