"""The dropped files, one below the other in the order of the import, and what can be done with them."""

from collections.abc import Callable, Sequence

import streamlit as st

from billing_core import runtime
from billing_core.database import Sessions
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor
from billing_core.imports import Kind, inbox
from billing_core.imports.inbox import Received, State
from billing_core.imports.kinds.registry import DEFINITIONS
from pages.import_sections import columns, results
from pages.ui import formats
from pages.ui.colors import Color
from pages.ui.context import reading
from pages.ui.text import md

COLORS: dict[State, Color] = {
    State.NEW: "gray",
    State.WAITING: "blue",
    State.RUNNING: "blue",
    State.READY: "green",
    State.REFUSED: "red",
    State.IMPORTED: "green",
}


def draw(actor: Actor) -> None:
    files = inbox.files_of(actor)
    if not files:
        st.info(
            "Drop an export of customers, services, products, rates, orders or order lines above. "
            "You see what it would change before anything is written.",
            icon=":material/upload_file:",
        )
        return
    if any(received.busy for received in files):
        _progress(actor)
    for received in files:
        with st.container(border=True):
            _file(received)
    _actions(actor, files)


def _file(received: Received) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            st.markdown(f"**{md(received.file_name)}**", width="content")
            st.badge(formats.sentence(received.state), color=COLORS[received.state])
            st.caption(formats.count(max(1, received.size // 1024)) + " kB", width="content")
        removed = st.button(
            "Remove",
            icon=":material/close:",
            key=f"import_{received.token}_remove",
            type="tertiary",
            disabled=received.busy,
        )
    if removed:
        inbox.discard(received)
        st.rerun()
    if received.layout is not None and received.state is not State.IMPORTED:
        _kind(received)
        columns.draw(received)
    results.draw(received)


def _kind(received: Received) -> None:
    kinds = list(Kind)
    chosen = st.selectbox(
        "What it contains",
        kinds,
        index=kinds.index(received.kind) if received.kind else 0,
        format_func=lambda kind: DEFINITIONS[kind].title,
        key=f"import_{received.token}_kind",
        disabled=received.busy,
        width=320,
    )
    if chosen != received.kind and not received.busy:
        with reading() as session:
            inbox.choose_kind(session, received, chosen)
        st.rerun()


def _actions(actor: Actor, files: Sequence[Received]) -> None:
    busy = any(received.busy for received in files)
    usable = [f for f in files if f.layout is not None and f.state is not State.IMPORTED]
    complete = bool(usable) and not any(received.missing for received in usable)
    checked = complete and all(received.state is State.READY for received in usable)
    with st.container(horizontal=True):
        check = st.button(
            "Check",
            icon=":material/fact_check:",
            key="import_check",
            disabled=busy or not complete,
            type="secondary" if checked else "primary",
            help="Shows what the import would do. Nothing is written.",
        )
        take_in = st.button(
            "Import" if len(usable) < 2 else f"Import {len(usable)} files",
            icon=":material/download_done:",
            key="import_apply",
            disabled=busy or not checked,
            type="primary" if checked else "secondary",
            help="Each file is imported entirely or not at all, in this order. Repeating it does no harm.",
        )
        clear = st.button("Remove all", key="import_clear", disabled=busy, type="tertiary")
    if check:
        _start(inbox.check, actor, usable)
    if take_in:
        _start(inbox.import_, actor, usable)
    if clear:
        for received in files:
            inbox.discard(received)
        st.rerun()


def _start(work: Callable[..., None], actor: Actor, files: Sequence[Received]) -> None:
    sessions: Sessions = runtime.sessions()
    try:
        work(sessions, actor, files, now=utc_now())
    except BillingError as error:
        st.error(md(error), icon=":material/error:")
        return
    st.rerun()


@st.fragment(run_every="1s")
def _progress(actor: Actor) -> None:
    """Looks again every second, and redraws the page when the work is over."""
    busy = [received for received in inbox.files_of(actor) if received.busy]
    if not busy:
        st.rerun()
    for received in busy:
        share = min(1.0, received.done / received.total) if received.total else 0.0
        st.progress(share, text=f"{md(received.file_name)}: {received.step or 'waiting for its turn'}")
    st.caption("You may leave this page: the work goes on, and you find it here again.")
