"""What becomes of rows that meet others: lines of orders that have some, and rows of a file that have one key."""

import enum
from collections.abc import Callable, Mapping
from typing import TypeVar

import streamlit as st
from sqlalchemy.orm import Session

from billing_core.identity import Actor
from billing_core.imports import Kind, Lines, Repeats, inbox
from billing_core.imports.kind import NEWEST_BY
from billing_core.imports.layouts import newest
from billing_core.imports.mapping import FromColumns, from_column
from billing_core.imports.received import Received
from pages.ui.context import transaction

LINES = {
    Lines.ADD: "Add: they stay, and those of the file come in addition",
    Lines.REPLACE: "Replace: the orders in the file have its lines alone, the others go",
    Lines.CHANGE: "Change what is named: the same SKU gets the quantity of the file, the others stay",
}
REPEATS = {
    Repeats.FIRST: "The first: the other rows of its key are passed over",
    Repeats.LAST: "The last: the rows of its key above it are passed over",
}
NEWEST = {Repeats.NEWEST: "The newest, by a column that says when: the older rows of its key are passed over"}
Answer = TypeVar("Answer", bound=enum.StrEnum)


def draw(actor: Actor, received: Received) -> None:
    if received.kind is Kind.ORDER_ITEMS:
        _choice(
            actor,
            received,
            "Lines that these orders have already",
            LINES,
            received.lines,
            inbox.choose_lines,
            key="lines",
            hint="It matters for orders that have other lines than the file: without a choice, such a file is refused.",
        )
    if received.repeats is not None or (received.outcome and received.outcome.repeated):
        _repeats(actor, received)


def _repeats(actor: Actor, received: Received) -> None:
    header = received.layout.header if received.layout else ()
    by_time = received.repeats is Repeats.NEWEST or newest.column(header, received.preview) is not None
    _choice(
        actor,
        received,
        "Which row counts where several have the same key and differ",
        REPEATS | (NEWEST if by_time else {}),
        received.repeats,
        inbox.choose_repeats,
        key="repeats",
        hint="Many shops export the newest first: then the first row of a key is its newest.",
    )
    if received.repeats is Repeats.NEWEST:
        _newest_by(actor, received, newest.columns(header, received.preview))


def _choice(
    actor: Actor,
    received: Received,
    question: str,
    answers: Mapping[Answer, str],
    current: Answer | None,
    choose: Callable[[Session, Actor, str, Answer], None],
    *,
    key: str,
    hint: str,
) -> None:
    chosen = st.radio(
        question,
        list(answers),
        index=None if current is None else list(answers).index(current),
        format_func=answers.__getitem__,
        key=f"import_{received.token}_{key}",
        disabled=received.busy,
        help=hint,
    )
    if chosen is not None and chosen != current and not received.busy:
        with transaction() as session:
            choose(session, actor, received.token, chosen)
        st.rerun()


def _newest_by(actor: Actor, received: Received, dated: list[str]) -> None:
    origin = received.mapping.get(NEWEST_BY.name)
    current = origin.columns[0] if isinstance(origin, FromColumns) else None
    columns = dated if current is None or current in dated else [current, *dated]
    chosen = st.selectbox(
        "The column that says when a row was written",
        columns,
        index=None if current is None else columns.index(current),
        key=f"import_{received.token}_newest_by",
        disabled=received.busy,
        width=420,
    )
    if chosen is not None and chosen != current and not received.busy:
        with transaction() as session:
            inbox.choose_origins(session, actor, received.token, {NEWEST_BY.name: from_column(chosen)})
        st.rerun()
