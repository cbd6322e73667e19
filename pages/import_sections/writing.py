"""How the columns of a file are written, where only a person knows."""

from dataclasses import replace

import streamlit as st

from billing_core.identity import Actor
from billing_core.imports import inbox
from billing_core.imports.mapping import FromColumns
from billing_core.imports.received import Received
from billing_core.imports.writing.columns import known_readings, with_reading
from billing_core.imports.writing.questions import Question
from pages.ui.context import transaction
from pages.ui.text import md


def draw(actor: Actor, received: Received) -> None:
    """The questions of the last check, and the answers that were given, which can be taken back."""
    for question in received.outcome.questions if received.outcome else ():
        _ask(actor, received, question)
    for field, origin in received.mapping.items():
        if isinstance(origin, FromColumns) and origin.readings:
            _answered(actor, received, field, origin)


def _ask(actor: Actor, received: Received, question: Question) -> None:
    meanings = {choice.reading: choice.meaning for choice in question.choices}
    chosen = st.radio(
        f"How is “{md(question.column)}” written? {md(question.text)}",
        list(meanings),
        index=None,
        format_func=lambda reading: md(meanings[reading]),
        key=f"import_{received.token}_{received.kind}_{question.field}_{'_'.join(meanings)}",
        disabled=received.busy,
    )
    origin = received.mapping.get(question.field)
    if chosen is not None and isinstance(origin, FromColumns) and received.definition and not received.busy:
        written = received.definition.field(question.field).written
        readings = with_reading(written, origin.readings, chosen)
        _say(actor, received, question.field, replace(origin, readings=readings))


def _answered(actor: Actor, received: Received, field: str, origin: FromColumns) -> None:
    known = known_readings(received.definition.field(field).written) if received.definition else {}
    said = ", ".join(known.get(reading, reading) for reading in origin.readings)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"“{md(origin.named)}” is written so: {said}", width="content")
        again = st.button(
            "Ask again",
            key=f"import_{received.token}_{received.kind}_{field}_ask",
            type="tertiary",
            disabled=received.busy,
        )
    if again:
        _say(actor, received, field, replace(origin, readings=()))


def _say(actor: Actor, received: Received, field: str, origin: FromColumns) -> None:
    with transaction() as session:
        inbox.choose_origins(session, actor, received.token, {field: origin})
    st.rerun()
