"""How a file is read: its encoding, separator, sheet and header, each of which can be changed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import streamlit as st

from billing_core import runtime
from billing_core.errors import BillingError
from billing_core.identity import Actor
from billing_core.imports import inbox, sources
from billing_core.imports.models import FileState
from billing_core.imports.received import Received
from billing_core.imports.sources.encodings import CHOICES
from pages.ui import formats
from pages.ui.text import md

FOUND_OUT: Final = "found out"
SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
# Further below, nobody looks for the names of columns.
HEADER_LINES: Final = 20
Choice = TypeVar("Choice", bound=str | int)


def draw(actor: Actor, received: Received) -> None:
    """Closed unless something was guessed. Also of a text that cannot be read as what it was taken for."""
    layout = received.layout
    if received.state is FileState.IMPORTED or (layout is None and not received.problem):
        return
    doubts = () if layout is None else layout.doubts
    chosen = sources.NOTHING_CHOSEN if layout is None else layout.chosen
    with st.expander("How the file is read", expanded=bool(doubts), icon=":material/find_in_page:"):
        for doubt in doubts:
            st.caption(md(doubt))
        wanted = _choices(received, chosen)
    if wanted != chosen and not received.busy:
        _choose(actor, received, wanted)


def draw_odd_lines(actor: Actor, received: Received) -> None:
    """Lines that look like totals or a footer: which of them are left out."""
    outcome, layout = received.outcome, received.layout
    if outcome is None or outcome.applied or layout is None or not (outcome.odd_lines or layout.chosen.kept):
        return
    odd = {line.line: line for line in outcome.odd_lines}
    out = [number for number, line in odd.items() if not line.taken]
    named = {number: f"line {formats.count(number)}: {line.text}, {line.why}" for number, line in odd.items()}
    named |= {number: f"line {formats.count(number)}" for number in layout.chosen.kept if number not in odd}
    left = st.multiselect(
        "Lines that are left out",
        sorted(named),
        default=out,
        format_func=named.__getitem__,
        key=f"import_{received.token}_left_out",
        disabled=received.busy,
        help="They look like totals or a footer. Take one out of this list to have it imported as a row.",
    )
    if outcome.no_rows > len(out):
        st.caption(f"The first of {formats.count(outcome.no_rows)} lines that are left out.")
    if set(left) == set(out) or received.busy:
        return
    kept = (set(layout.chosen.kept) | set(out)) - set(left)
    dropped = (set(layout.chosen.dropped) | (set(left) - set(out))) - kept
    _choose(actor, received, replace(layout.chosen, kept=tuple(sorted(kept)), dropped=tuple(sorted(dropped))))


def _choose(actor: Actor, received: Received, chosen: sources.Chosen) -> None:
    """Read the file so from now on. What it could not be read with is not tried again on every run."""
    tried = f"import_{received.token}_read_as"
    if st.session_state.get(tried) == chosen:
        return
    st.session_state[tried] = chosen
    try:
        inbox.choose_reading(runtime.sessions(), actor, received.token, chosen)
    except BillingError as refusal:
        st.error(md(formats.with_days(str(refusal))), icon=":material/error:")
        return
    st.rerun()


def _choices(received: Received, chosen: sources.Chosen) -> sources.Chosen:
    layout = received.layout
    if layout is None or layout.form is sources.Form.TEXT:
        encoding, delimiter = (None, None) if layout is None else (layout.encoding, layout.delimiter)
        signs = dict.fromkeys([*SEPARATORS, *filter(None, (delimiter, chosen.delimiter))])
        chosen = replace(
            chosen,
            encoding=_select(received, "Encoding", list(CHOICES), CHOICES.__getitem__, chosen.encoding, encoding),
            delimiter=_select(received, "Separator", list(signs), _separator, chosen.delimiter, delimiter),
        )
    elif len(layout.sheets) > 1:
        sheets = list(layout.sheets)
        chosen = replace(chosen, sheet=_select(received, "Sheet", sheets, str, chosen.sheet, layout.sheet))
    if layout is None:
        return chosen
    lines = sorted({*range(HEADER_LINES + 1), layout.header_line})
    found = _select(received, "Names of the columns", lines, _line, chosen.header_line, layout.header_line)
    return replace(chosen, header_line=found)


def _separator(sign: str) -> str:
    return SEPARATORS.get(sign, sign)


def _line(number: int) -> str:
    return f"on line {number:d}" if number else "on no line: the columns are numbered"


def _select(
    received: Received,
    label: str,
    options: Sequence[Choice],
    words: Callable[[Choice], str],
    chosen: Choice | None,
    found: Choice | None,
) -> Choice | None:
    """What was chosen; None stands first, and says what was found out."""
    so = "" if found is None or chosen is not None else f": {words(found)}"
    return st.selectbox(
        label,
        [None, *options],
        index=0 if chosen is None else 1 + options.index(chosen),
        format_func=lambda option: f"{FOUND_OUT}{so}" if option is None else words(option),
        key=f"import_{received.token}_{label.lower().replace(' ', '_')}",
        disabled=received.busy,
        width=420,
    )
