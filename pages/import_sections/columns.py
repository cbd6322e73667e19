"""Which column of the file is which of ours."""

import pandas as pd
import streamlit as st

from billing_core.identity import Actor
from billing_core.imports import Kind, inbox
from billing_core.imports.kind import EVERY_CUSTOMER, Field
from billing_core.imports.mapping import Fixed, FromColumns, Origin, Together, from_column
from billing_core.imports.received import Received
from pages.ui.context import transaction
from pages.ui.text import md

ACROSS = 3
NOT_IN_FILE, FIXED, EVERYONE = "not in the file", "the same for every row", "every customer"
EVERY = Fixed(EVERY_CUSTOMER)


def draw(actor: Actor, received: Received) -> None:
    """The mapping as one choice for each of our columns, and the first rows of the file."""
    definition = received.definition
    if definition is None or received.layout is None:
        return
    if missing := received.missing:
        st.warning(_what_is_missing(received, missing), icon=":material/rule:")
    chosen: dict[str, Origin | None] = {}
    with st.expander("Columns", expanded=bool(received.missing), icon=":material/view_column:"):
        for first in range(0, len(definition.fields), ACROSS):
            places = st.columns(ACROSS)
            for place, field in zip(places, definition.fields[first : first + ACROSS], strict=False):
                with place:
                    chosen[field.name] = _choice(received, field)
    if not received.busy and any(received.mapping.get(name) != origin for name, origin in chosen.items()):
        with transaction() as session:
            inbox.choose_origins(session, actor, received.token, chosen)
        st.rerun()
    with st.expander("First rows of the file", icon=":material/table_rows:"):
        _first_rows(received)


def _what_is_missing(received: Received, missing: list[str]) -> str:
    if missing == ["customer_ref"] and received.kind is Kind.PRODUCTS:
        return (
            "The file does not say whose products these are. Under “Columns”, choose the column with the customer, "
            "one customer for all rows, or every customer."
        )
    return f"Choose a column for {md(', '.join(missing))}: without it the file cannot be imported."


def _choice(received: Received, field: Field) -> Origin | None:
    key = f"import_{received.token}_{received.kind}_{field.name}"
    options = _options(received, field)
    current = received.mapping.get(field.name)
    chosen = st.selectbox(
        f"{field.name}{' *' if field.required else ''}",
        options,
        index=options.index(_shown(received, field, current)),
        key=key,
        disabled=received.busy,
    )
    if chosen == FIXED:
        value = current.value if isinstance(current, Fixed) else ""
        text = st.text_input(f"Value of {field.name}", value=value, key=f"{key}_value", disabled=received.busy)
        return Fixed(text.strip()) if text.strip() else None
    if chosen == EVERYONE:
        return EVERY
    if chosen == NOT_IN_FILE:
        return None
    if chosen == _shown(received, field, current):
        return current  # with all that was chosen for it
    by_choice = {_column_choice(name): name for name in received.layout.header} if received.layout else {}
    return from_column(by_choice[chosen])


def _options(received: Received, field: Field) -> list[str]:
    header = received.layout.header if received.layout else ()
    everyone = [EVERYONE] if _may_be_everyone(received, field) else []
    current = received.mapping.get(field.name)
    several = [_several(current)] if isinstance(current, FromColumns) and len(current.columns) > 1 else []
    return [*several, *map(_column_choice, header), *everyone, FIXED, NOT_IN_FILE]


def _column_choice(name: str) -> str:
    """No column may pass for one of the other choices."""
    return f"column “{name}”" if name in (NOT_IN_FILE, FIXED, EVERYONE) else name


def _several(origin: FromColumns) -> str:
    signs = {Together.FIRST: "first filled of", Together.JOINED: "joined from"}
    return f"{signs[origin.together]} {', '.join(f'“{name}”' for name in origin.columns)}"


def _shown(received: Received, field: Field, origin: Origin | None) -> str:
    if isinstance(origin, FromColumns):
        return _column_choice(origin.columns[0]) if len(origin.columns) == 1 else _several(origin)
    if origin == EVERY and _may_be_everyone(received, field):
        return EVERYONE
    return NOT_IN_FILE if origin is None else FIXED


def _may_be_everyone(received: Received, field: Field) -> bool:
    return received.kind is Kind.PRODUCTS and field.name == "customer_ref"


def _first_rows(received: Received) -> None:
    header = list(received.layout.header) if received.layout else []
    rows = [[*row, *[""] * len(header)][: len(header)] for row in received.preview]
    st.dataframe(
        pd.DataFrame(rows, columns=header, dtype=str),
        hide_index=True,
        width="stretch",
        height="content",
        key=f"import_{received.token}_rows",
        alt="The first rows of the file as they are",
    )
