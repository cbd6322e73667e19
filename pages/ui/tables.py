"""Tables whose rows the database sorted and paged: amounts right-aligned and exact, a click opens a row."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Literal, Self

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ButtonColumnResult, ColumnConfig, ColumnWidth, ContentAlignment

from billing_core.money import Money
from pages.ui import address, formats, sorting
from pages.ui.text import md

PAGE_SIZE = 50
# Of a row, in pixels: a line of text, and what is around all of them.
_LINE_HEIGHT, _PADDING = 20, 15
# Across a cell: a digit, what separates them, and what is around all of it.
_DIGIT, _SEPARATOR, _AROUND = 7, 4, 16
Height = int | Literal["auto", "content"]
SelectionMode = Literal["multi-row", "single-row", "single-cell", "single-column"]
# Pixels: without a width of its own the pagination of a few pages shrinks until it hides all numbers but one.
_ROOM_FOR_PAGES = {2: 200, 3: 240, 4: 240}


@dataclass(frozen=True, slots=True)
class Column:
    """``cell`` makes of a row what the table shows; ``order`` is the query's name for sorting by it, if it has one.
    ``opens`` is what a click on this column's cells does with the row, where that is not what the table does.
    ``presses``: its cells are buttons, and this is what one does with its row; ``cell`` names it.
    """

    label: str
    cell: Callable[[Any], object]
    config: ColumnConfig
    order: str = ""
    opens: Callable[[Any], None] | None = None
    presses: Callable[[Any], None] | None = None

    def opening(self, opens: Callable[[Any], None]) -> Self:
        """The same column, whose cells open something of their own: the rows behind the number, for one."""
        return replace(self, opens=opens)


def text(
    label: str,
    name: str,
    *,
    order: str = "",
    help: str | None = None,  # noqa: A002
    width: ColumnWidth | None = None,
) -> Column:
    config = st.column_config.TextColumn(label, help=help, width=width)
    return Column(label, lambda row: _shown(getattr(row, name)), config, order)


def words(label: str, name: str, *, order: str = "") -> Column:
    """A code such as ``per_order``, as people read it."""
    return Column(
        label, lambda row: formats.words(str(getattr(row, name) or "")), st.column_config.TextColumn(label), order
    )


def computed(
    label: str,
    cell: Callable[[Any], object],
    *,
    help: str | None = None,  # noqa: A002
    width: ColumnWidth | None = None,
    right: bool = False,
) -> Column:
    alignment: ContentAlignment | None = "right" if right else None
    return Column(label, cell, st.column_config.TextColumn(label, help=help, width=width, alignment=alignment))


def money(
    label: str,
    name: str,
    *,
    currency: Callable[[Any], str] = lambda row: row.currency,
    order: str = "",
    help: str | None = None,  # noqa: A002
    width: ColumnWidth | None = None,
) -> Column:
    """Minor units, or a Money. Put ``currency_of`` beside it."""

    def cell(row: Any) -> str:
        value = getattr(row, name)
        if value is None:
            return formats.NOTHING
        return (
            formats.amount(value.minor, value.currency)
            if isinstance(value, Money)
            else formats.amount(value, currency(row))
        )

    return Column(label, cell, st.column_config.TextColumn(label, alignment="right", help=help, width=width), order)


def currency_of(name: str = "currency", *, order: str = "") -> Column:
    return Column("Currency", lambda row: getattr(row, name), st.column_config.TextColumn("Currency", width=70), order)


def count(label: str, name: str, *, order: str = "", help: str | None = None) -> Column:  # noqa: A002
    config = st.column_config.NumberColumn(label, format="localized", help=help)
    return Column(label, lambda row: getattr(row, name), config, order)


def quantity(label: str, name: str, *, order: str = "", help: str | None = None) -> Column:  # noqa: A002
    """An exact decimal: text, because the browser knows only floats."""
    config = st.column_config.TextColumn(label, alignment="right", help=help)
    return Column(label, lambda row: formats.decimal(_decimal(getattr(row, name))), config, order)


def day(label: str, name: str, *, order: str = "", help: str | None = None) -> Column:  # noqa: A002
    config = st.column_config.DateColumn(label, format=formats.day_form(), help=help)
    return Column(label, lambda row: _day(getattr(row, name)), config, order)


def instant(label: str, name: str, zone: str, *, order: str = "") -> Column:
    """A moment, written as the clock on the business's wall shows it."""
    return Column(
        label, lambda row: formats.instant(getattr(row, name), zone), st.column_config.TextColumn(label), order
    )


def badge(label: str, cell: Callable[[Any], str], colors: Mapping[str, str]) -> Column:
    """A status as a coloured mark."""
    return badges(label, lambda row: [cell(row)], colors)


def badges(label: str, cell: Callable[[Any], list[str]], colors: Mapping[str, str]) -> Column:
    """Several of them in one cell."""
    config = st.column_config.MultiselectColumn(label, options=list(colors), color=list(colors.values()))
    return Column(label, cell, config)


def link(label: str, address: Callable[[Any], str], shown: str = ":material/open_in_new:") -> Column:
    """A link to one of our own pages or downloads."""
    return Column(label, address, st.column_config.LinkColumn(label, display_text=shown, width=60))


def button(
    label: str,
    cell: Callable[[Any], str | None],
    *,
    opens: Callable[[Any], None],
    width: ColumnWidth | None = None,
    right: bool = False,
) -> Column:
    """A button in each row, or nothing where ``cell`` names none. It is pressed by a click alone, where a table that
    opens its rows would open one for whoever only moves through it with the keyboard. For them a row can be ticked, and
    its buttons stand below the table. ``right``: they show amounts.
    """
    config = st.column_config.TextColumn(label, width=width, alignment="right" if right else "left")
    return Column(label, cell, config, presses=opens)


def orderings(columns: Sequence[Column]) -> dict[str, str]:
    """What a table can be sorted by, both ways: the query's word for it and the words for people."""
    both = {}
    for column in columns:
        if column.order:
            both[column.order] = f"{column.label} ↑"
            both[f"-{column.order}"] = f"{column.label} ↓"
    return both


def _sortable(column: Column, cells: Sequence[object], lines: int) -> tuple[Sequence[object], Column]:
    """As the browser is given it; numbers and days it sorts by itself."""
    kind = column.config.get("type_config")
    if kind is None or kind["type"] != "text":
        return cells, column
    if column.presses is not None:
        return _labels(cells), column
    if column.config.get("alignment") == "right":
        return sorting.sortable(cells), column
    if lines > 1:
        # Choices are not wrapped.
        return cells, column
    texts = sorting.sortable(cells)
    if all(text == sorting.shown(text) for text in texts):
        return texts, column
    # The blanks before a text would be a gap at its left; of a choice, the name alone is drawn.
    choices = [sorting.untrimmed(text) for text in texts]
    config = st.column_config.SelectboxColumn(
        column.label,
        help=column.config.get("help"),
        width=column.config.get("width"),
        options=list(dict.fromkeys(choices)),
        format_func=lambda choice: sorting.shown(str(choice)),
    )
    return choices, replace(column, config=config)


def _labels(cells: Sequence[object]) -> list[str | None]:
    """Of buttons: an icon begins the label, and a cell without one is no button."""
    parts = {place: _icon_and_text(cell) for place, cell in enumerate(cells) if isinstance(cell, str)}
    texts = sorting.sortable([text for _, text in parts.values()])
    labels = {
        place: f"{icon} {text}" if icon else text for (place, (icon, _)), text in zip(parts.items(), texts, strict=True)
    }
    return [labels.get(place) for place in range(len(cells))]


def show(
    rows: Sequence[Any],
    columns: Sequence[Column],
    *,
    key: str,
    alt: str,
    opens: Callable[[Any], None] | None = None,
    order_key: str | None = None,
    choose: bool = False,
    height: Height = "content",
    lines: int = 1,
) -> list[Any]:
    """Draw the rows; returns those that are ticked where ``choose`` is set. In each is room for so many ``lines``, over
    which long texts are wrapped.

    ``opens``, or what the cell's column opens, is called in a callback with the row whose cell was clicked. With
    ``order_key`` a click on a column's head sorts by it in SQL, through the widget of that key.
    """
    clicks = opens is not None or any(column.opens for column in columns)
    buttons = [column for column in columns if column.presses]
    modes = _modes(choose, bool(buttons) and not choose, clicks, order_key)
    data, configs = {}, {}
    for column in columns:
        cells = [column.cell(row) for row in rows]
        data[column.label], drawn = _sortable(column, cells, lines)
        configs[column.label] = _config(_roomy(drawn, cells), key, tuple(rows))
    look: dict[str, Any] = {
        "column_config": configs,
        "hide_index": True,
        "alt": alt,
        "height": height,
        "placeholder": formats.NOTHING,
        "row_height": None if lines == 1 else _LINE_HEIGHT * lines + _PADDING,
    }
    # It keeps its columns when there are no rows.
    frame = pd.DataFrame(data)
    if not modes:
        st.dataframe(frame, key=key, **look)
        return []
    turn_key = f"{key}_{st.session_state.get(f'{key}_turn', 0)}"
    react = partial(_react, key, turn_key, tuple(rows), tuple(columns), opens, order_key)
    selected = st.dataframe(frame, key=turn_key, on_select=react, selection_mode=modes, **look)
    ticked = [rows[position] for position in selected.selection.rows if position < len(rows)]
    if buttons and len(ticked) == 1:
        _buttons_of(ticked[0], buttons, key)
    return ticked if choose else []


def _buttons_of(row: Any, columns: Sequence[Column], key: str) -> None:
    """Those of the ticked row, where the keyboard reaches them. Behind an icon stands a name, and not yet of what; nor
    does an amount say it.
    """
    with st.container(horizontal=True):
        for column in columns:
            if shown := column.cell(row):
                icon, text = _icon_and_text(str(shown))
                st.button(
                    md(f"{column.label} {text}" if icon or column.config.get("alignment") == "right" else text),
                    key=f"{key}_{column.label}_of_ticked",
                    icon=icon,
                    on_click=column.presses,
                    args=(row,),
                )


def _icon_and_text(shown: str) -> tuple[str | None, str]:
    """Such as ``:material/open_in_new: Acme: Berlin``, whose name may hold whatever it likes."""
    icon, found, text = shown.partition(": ")
    return (f"{icon}:", text) if found and icon.startswith(":material/") else (None, shown)


def _roomy(column: Column, texts: Iterable[object]) -> Column:
    """The same with room for its longest figure, so that none is cut off: the browser looks at the first rows alone."""
    width = column.config.get("width")
    if column.config.get("alignment") != "right" or isinstance(width, str):
        return column
    least = wide_enough([column.label]) if width is None else width
    return replace(column, config={**column.config, "width": max(wide_enough(texts), least)})


def wide_enough(texts: Iterable[object]) -> int:
    """For a column of such figures, in pixels."""
    return _AROUND + max(
        (sum(_SEPARATOR if one in ".,’ -" else _DIGIT for one in str(text)) for text in texts), default=0
    )


def _config(column: Column, key: str, rows: tuple[Any, ...]) -> ColumnConfig | ButtonColumnResult:
    if column.presses is None:
        return column.config
    button_key = f"{key}_{column.label}"
    return st.column_config.ButtonColumn(
        column.label,
        width=column.config.get("width"),
        type="tertiary",
        alignment=column.config.get("alignment"),
        key=button_key,
        on_click=_press,
        args=(button_key, rows, column.presses),
    )


def _press(button_key: str, rows: tuple[Any, ...], presses: Callable[[Any], None]) -> None:
    row = st.session_state[button_key].row
    if row < len(rows):
        presses(rows[row])


def pager(
    total: int, *, key: str, noun: str, size: int = PAGE_SIZE, of: object = None, sorts_whole: bool = False
) -> int:
    """The count, the pages, and how many rows to skip. Drawn above its table, so that the query knows the page.

    ``noun`` is the singular: the count says whether it takes an s. ``of``: what the rows belong to, where one table
    shows those of one thing after those of another: each begins at its first page. ``sorts_whole``: a click on a head
    of the table sorts all pages of it, and not only the rows that are shown.
    """
    if st.session_state.setdefault(f"{key}_of", of) != of:
        st.session_state[f"{key}_of"] = of
        if key in st.session_state:
            st.session_state[key] = 1
    pages = max(1, -(-total // size))
    address.read(key, "Page", partial(address.page_number, pages), 1)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        place = st.empty()
        page = 1
        if pages > 1:
            room: int | Literal["content"] = _ROOM_FOR_PAGES.get(pages, "content")
            page = min(st.pagination(pages, key=key, bind="query-params", width=room), pages)
        first = (page - 1) * size
        last = min(total, first + size)
        shown = f", {formats.count(first + 1)}–{formats.count(last)} shown" if pages > 1 else ""
        if pages > 1 and not sorts_whole:
            shown += "; a click on a column’s head sorts these alone"
        place.caption(f"{formats.counted(total, noun)}{shown}", width="content")
    address.stop_in_doubt()
    return first


def _modes(choose: bool, tick: bool, clicks: bool, order_key: str | None) -> list[SelectionMode]:
    modes: dict[SelectionMode, bool] = {
        "multi-row": choose,
        "single-row": tick,
        "single-cell": clicks,
        "single-column": order_key is not None,
    }
    return [mode for mode, needed in modes.items() if needed]


def _react(
    key: str,
    turn_key: str,
    rows: tuple[Any, ...],
    columns: tuple[Column, ...],
    opens: Callable[[Any], None] | None,
    order_key: str | None,
) -> None:
    selection = st.session_state[turn_key].selection
    if not selection.cells and not selection.columns:
        return
    # A table of its own for the next click, so that one on the same cell or head is a click again. Emptying this
    # one's selection would not do: when a dialog closes, the focus returns and selects a cell that nobody clicked.
    st.session_state[f"{key}_turn"] = st.session_state.get(f"{key}_turn", 0) + 1
    if selection.cells:
        position, label = selection.cells[0]
        own = next((column.opens for column in columns if column.label == label), None)
        open_row = own or opens
        if position < len(rows) and open_row:
            open_row(rows[position])
    elif order_key is not None:
        names = {column.label: column.order for column in columns}
        order = names.get(selection.columns[0], "")
        if order:
            st.session_state[order_key] = f"-{order}" if st.session_state.get(order_key) == order else order


def _shown(value: object) -> object:
    return "" if value is None else str(value)


def _decimal(value: Decimal | int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _day(value: date | datetime | None) -> date | None:
    return value.date() if isinstance(value, datetime) else value
