"""What words of a file stand for: those that are not understood, and those that somebody has answered for."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from billing_core.identity import Actor
from billing_core.imports import inbox
from billing_core.imports.kind import Field
from billing_core.imports.mapping import FromColumns
from billing_core.imports.received import Received
from billing_core.imports.words.answers import ANY_DATE, LEAVE_OUT, WordRead
from pages.ui import formats
from pages.ui.context import attempt
from pages.ui.text import md

# At a time: what is left is asked about by the next check.
MOST_SHOWN = 50
BLANK = "(blank)"


@dataclass(frozen=True, slots=True)
class _Word:
    """``rows``: how often it comes, where that is known. ``ours``: what it stands for so far."""

    field: Field
    column: str
    word: str
    rows: int | None = None
    ours: str | None = None

    @property
    def label(self) -> str:
        word = self.word if self.word in (ANY_DATE, "") else f"“{self.word}”"
        rows = "" if self.rows is None else f" · {formats.count(self.rows)} {'row' if self.rows == 1 else 'rows'}"
        return f"{md(self.column)}: {md(word or BLANK)}{rows}"


def draw(actor: Actor, received: Received) -> None:
    """One choice for each word. Nothing is drawn where all words are understood."""
    words = _words(received)
    if received.outcome and received.outcome.read:
        _read(actor, received, received.outcome.read)
    if not words:
        return
    unanswered = any(word.ours is None for word in words)
    with st.expander("What its words stand for", expanded=unanswered, icon=":material/translate:"):
        with st.form(f"import_{received.token}_words", border=False):
            answers = [(word, _answer(received, word)) for word in words[:MOST_SHOWN]]
            submitted = st.form_submit_button("Use these", icon=":material/check:", disabled=received.busy)
        if len(words) > MOST_SHOWN:
            st.caption(
                f"The first {MOST_SHOWN} of {formats.count(len(words))} words. The next check asks for the rest."
            )
    if not submitted:
        return
    chosen: dict[str, dict[str, str]] = {}
    for word, ours in answers:
        if ours is not None and ours != word.ours:
            chosen.setdefault(word.field.name, {})[word.word] = ours
    with attempt(f"{received.file_name}: check it again with what its words stand for") as session:
        inbox.choose_words(session, actor, received.token, chosen)


def _read(actor: Actor, received: Received, words: Sequence[WordRead]) -> None:
    """How the words were read that need no answer; another reading is typed over it."""
    with st.expander("How its words are read", icon=":material/spellcheck:"):
        shown = pd.DataFrame(
            [(word.column, word.word, word.ours, word.rows) for word in words],
            columns=["Column", "Word", "Stands for", "Rows"],
        )
        edited = st.data_editor(
            shown,
            disabled=["Column", "Word", "Rows"] if not received.busy else True,
            column_config={"Rows": st.column_config.NumberColumn(format="localized", width=90)},
            hide_index=True,
            width="stretch",
            key=f"import_{received.token}_{received.kind}_read",
        )
        st.caption(f"Type over what is to stand for something else; “{LEAVE_OUT}” leaves the rows of a word out.")
    typed = zip(words, edited["Stands for"], strict=True)
    changed = [(word, ours.strip()) for word, ours in typed if isinstance(ours, str) and ours.strip() != word.ours]
    if not changed or received.busy:
        return
    with attempt(f"{received.file_name}: check it again with what its words stand for") as session:
        for word, ours in changed:
            inbox.choose_words(session, actor, received.token, {word.field: {word.word: ours}})


def _words(received: Received) -> Sequence[_Word]:
    definition = received.definition
    if definition is None:
        return []
    asked = received.outcome.asked if received.outcome else []
    words = [_Word(definition.field(one.field), one.column, one.word, one.rows) for one in asked]
    for field in definition.fields:
        origin = received.mapping.get(field.name)
        if isinstance(origin, FromColumns):
            words += [_Word(field, origin.named, theirs, ours=ours) for theirs, ours in origin.words]
    return words


def _answer(received: Received, word: _Word) -> str | None:
    key = f"import_{received.token}_{received.kind}_{word.field.name}_word_{word.word}"
    if word.field.choices is None:
        text = st.text_input(word.label, value=word.ours or "", key=key, disabled=received.busy).strip()
        return text or None
    choices = word.field.choices() | {LEAVE_OUT: "Leave these rows out"}
    options = list(choices) if word.ours is None or word.ours in choices else [word.ours, *choices]
    return st.selectbox(
        word.label,
        options,
        index=None if word.ours is None else options.index(word.ours),
        format_func=lambda ours: choices.get(ours, ours or BLANK),
        placeholder="Choose what it stands for",
        key=key,
        disabled=received.busy,
        width=480,
    )
