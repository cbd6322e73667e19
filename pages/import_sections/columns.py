"""Which column of the file is which of ours."""

import pandas as pd
import streamlit as st

from billing_core.identity import Actor
from billing_core.imports import inbox, mapping
from billing_core.imports.kind import EVERY_CUSTOMER, Field
from billing_core.imports.mapping import Fixed, FromColumns, Origin, Together, from_column
from billing_core.imports.received import Received
from pages.ui import formats
from pages.ui.context import reading, transaction
from pages.ui.text import md

ACROSS = 3
NOT_IN_FILE, FIXED, EVERYONE = "not in the file", "the same for every row", "every customer"
SEVERAL = "several columns"
# Of columns that are not used.
MOST_NAMED = 40
EVERY = Fixed(EVERY_CUSTOMER)


def draw(actor: Actor, received: Received) -> None:
    """The mapping as one choice for each of our columns, and the first rows of the file."""
    definition = received.definition
    if definition is None or received.layout is None:
        return
    if missing := received.missing:
        st.warning(_what_is_missing(received, missing), icon=":material/rule:")
    chosen: dict[str, Origin | None] = {}
    doubtful = received.guessed and mapping.in_doubt(received.layout, received.mapping)
    with st.expander("Columns", expanded=bool(received.missing) or doubtful, icon=":material/view_column:"):
        for first in range(0, len(definition.fields), ACROSS):
            places = st.columns(ACROSS)
            for place, field in zip(places, definition.fields[first : first + ACROSS], strict=False):
                with place:
                    chosen[field.name] = _choice(received, field)
        _unused(received)
    if not received.busy and any(received.mapping.get(name) != origin for name, origin in chosen.items()):
        with transaction() as session:
            inbox.choose_origins(session, actor, received.token, chosen)
        st.rerun()
    if not received.missing:
        with st.expander("First rows as they will be stored", icon=":material/preview:"):
            _as_stored(actor, received)


def _what_is_missing(received: Received, missing: list[str]) -> str:
    definition = received.definition
    if missing == ["customer_ref"] and definition is not None and definition.for_everyone:
        return (
            f"The file does not say whose {definition.title.lower()} these are. Under “Columns”, choose the column "
            "with the customer, one customer for all rows, or every customer."
        )
    return f"Choose a column for {md(', '.join(missing))}: without it the file cannot be imported."


def _unused(received: Received) -> None:
    """What is in the file and goes nowhere: a status among them decides what is billed."""
    unused = mapping.unused(received.layout, received.mapping) if received.layout else []
    if unused:
        more = f" and {formats.count(len(unused) - MOST_NAMED)} more" if len(unused) > MOST_NAMED else ""
        st.caption(md(f"Columns of the file that are not used: {', '.join(unused[:MOST_NAMED])}{more}"))


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
    if chosen == SEVERAL:
        return _several(received, field, current, key)
    if chosen == EVERYONE:
        return EVERY
    if chosen == NOT_IN_FILE:
        return None
    if chosen == _shown(received, field, current):
        return current  # with all that was chosen for it
    by_choice = {_column_choice(name): name for name in received.layout.header} if received.layout else {}
    return from_column(by_choice[chosen])


def _several(received: Received, field: Field, current: Origin | None, key: str) -> Origin | None:
    """Columns in the order in which they are chosen, and how they are one value."""
    before = current if isinstance(current, FromColumns) and current.or_else is None else FromColumns(())
    names = st.multiselect(
        f"Columns of {field.name}",
        received.layout.header if received.layout else (),
        default=before.columns,
        key=f"{key}_columns",
        disabled=received.busy,
        placeholder="In their order",
    )
    together = st.segmented_control(
        f"How they are {field.name}",
        list(Together),
        default=before.together if len(before.columns) > 1 else Together.JOINED,
        format_func={Together.JOINED: "Joined", Together.FIRST: "The first that is filled"}.__getitem__,
        key=f"{key}_together",
        disabled=received.busy,
        label_visibility="collapsed",
    )
    chosen = FromColumns(tuple(names), together or before.together)
    if not names:
        return None
    return before if (chosen.alternatives == before.alternatives) else chosen


def _options(received: Received, field: Field) -> list[str]:
    header = received.layout.header if received.layout else ()
    everyone = [EVERYONE] if _may_be_everyone(received, field) else []
    current = received.mapping.get(field.name)
    either = [_either(current)] if isinstance(current, FromColumns) and current.or_else is not None else []
    several = [SEVERAL] if len(header) > 1 else []
    return [*either, *map(_column_choice, header), *several, *everyone, FIXED, NOT_IN_FILE]


def _column_choice(name: str) -> str:
    """No column may pass for one of the other choices."""
    return f"column “{name}”" if name in (NOT_IN_FILE, FIXED, EVERYONE, SEVERAL) else name


def _either(origin: FromColumns) -> str:
    return ", or else ".join(" and ".join(f"“{name}”" for name in joined) for joined in origin.alternatives)


def _shown(received: Received, field: Field, origin: Origin | None) -> str:
    if isinstance(origin, FromColumns):
        if origin.or_else is not None:
            return _either(origin)
        return _column_choice(origin.columns[0]) if len(origin.columns) == 1 else SEVERAL
    if origin == EVERY and _may_be_everyone(received, field):
        return EVERYONE
    return NOT_IN_FILE if origin is None else FIXED


def _may_be_everyone(received: Received, field: Field) -> bool:
    definition = received.definition
    return definition is not None and definition.for_everyone and field.name == "customer_ref"


def first_rows(received: Received) -> None:
    """As they are in the file."""
    with st.expander("First rows of the file", icon=":material/table_rows:"):
        _first_rows(received)


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


def _as_stored(actor: Actor, received: Received) -> None:
    with reading() as session:
        rows = inbox.first_rows(session, actor, received)
    if not rows:
        st.caption("None of the first rows of the file holds any.")
        return
    named = dict.fromkeys(name for row in rows for name in row.values)
    st.dataframe(
        pd.DataFrame([[row.values.get(name, "") for name in named] for row in rows], columns=list(named), dtype=str),
        hide_index=True,
        width="stretch",
        height="content",
        key=f"import_{received.token}_{received.kind}_stored",
        alt="The first rows of the file as they will be stored",
    )
    for number, row in enumerate(rows, start=1):
        for name, reason in row.reasons.items():
            said = f"{name} “{row.values[name]}” {reason}" if name else reason
            st.caption(md(f"Row {number}: {formats.with_days(said)}"))
