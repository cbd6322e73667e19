"""The dropped files, one below the other in the order of the import, and what can be done with them."""

from collections.abc import Callable, Sequence

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor
from billing_core.imports import Kind, inbox, queries
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.models import FileState
from billing_core.imports.queries import FileProgress
from billing_core.imports.received import Received
from billing_core.jobs import imports, nudges
from billing_core.processes import pausing
from billing_core.processes import queries as processes
from billing_core.processes.models import Queue
from pages.import_sections import columns, file_reading, meeting, next_steps, results, without_customer, words, writing
from pages.ui import formats
from pages.ui.colors import Color
from pages.ui.context import reading, transaction
from pages.ui.text import md

COLORS: dict[FileState, Color] = {
    FileState.NEW: "gray",
    FileState.WAITING: "blue",
    FileState.RUNNING: "blue",
    FileState.READY: "green",
    FileState.REFUSED: "red",
    FileState.IMPORTED: "green",
}


def draw(actor: Actor) -> None:
    with reading() as session:
        files = inbox.files_of(session, actor)
    if not files:
        st.info(
            "Drop an export of customers, services, products, rates, orders, order lines or plans above. "
            "You see what it would change before anything is written.",
            icon=":material/upload_file:",
        )
        return
    if any(received.busy for received in files):
        _progress(actor)
    for parts in _by_file(files):
        with st.container(border=True):
            _file(actor, parts)
    _actions(actor, files)
    next_steps.draw(actor, files)


def _by_file(files: Sequence[Received]) -> list[list[Received]]:
    """The parts of each file together, where the first of them stands."""
    grouped: dict[int, list[Received]] = {}
    for received in files:
        grouped.setdefault(received.kept_as, []).append(received)
    return list(grouped.values())


def _file(actor: Actor, parts: Sequence[Received]) -> None:
    first, several = parts[0], len(parts) > 1
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            st.markdown(f"**{md(first.file_name)}**", width="content")
            if not several:
                _state(first)
            st.caption(formats.count(max(1, first.size // 1024)) + " kB", width="content")
            if first.source:
                st.caption(md(first.source), width="content")
        removed = st.button(
            "Remove",
            icon=":material/close:",
            key=f"import_{first.token}_remove",
            type="tertiary",
            disabled=any(part.busy for part in parts),
        )
    if removed:
        _discard(actor, [first])
    file_reading.draw(actor, first)
    if first.layout is not None and first.state is not FileState.IMPORTED:
        columns.first_rows(first)
    taken = sum(not part.left_out for part in parts)
    for part in parts:
        if several:
            _part_heading(actor, part)
        if not part.left_out:
            _part(actor, part, alone=taken == 1, others=[one for one in parts if one is not part])
    if first.layout is not None and first.kind is not None and first.state is not FileState.IMPORTED:
        _further_kind(actor, parts)


def _state(received: Received) -> None:
    st.badge(formats.sentence(received.state), color=COLORS[received.state])


def _part_heading(actor: Actor, part: Received) -> None:
    """What the file holds of one kind, and whether that is imported."""
    title = DEFINITIONS[part.kind].title if part.kind else "Not known"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{title}**", width="content")
        if not part.left_out:
            _state(part)
        if part.state is FileState.IMPORTED:
            return
        taken = st.toggle(
            f"Import the {title.lower()} of this file",
            value=not part.left_out,
            key=f"import_{part.token}_taken",
            disabled=part.busy,
        )
    if taken is part.left_out and not part.busy:
        with transaction() as session:
            inbox.leave_out(session, actor, part.token, not taken)
        st.rerun()


def _part(actor: Actor, received: Received, *, alone: bool, others: Sequence[Received]) -> None:
    if received.layout is not None and received.state is not FileState.IMPORTED:
        if alone:
            _kind(actor, received, others)
        meeting.draw(actor, received)
        without_customer.draw(actor, received)
        columns.draw(actor, received)
        words.draw(actor, received)
        writing.draw(actor, received)
    results.draw(actor, received)
    file_reading.draw_odd_lines(actor, received)


def _kind(actor: Actor, received: Received, others: Sequence[Received]) -> None:
    if received.question:
        st.warning(md(received.question), icon=":material/help:")
    kinds = [kind for kind in Kind if kind not in {other.kind for other in others}]
    chosen = st.selectbox(
        "What it contains",
        kinds,
        index=kinds.index(received.kind) if received.kind else None,
        placeholder="Choose",
        format_func=lambda kind: DEFINITIONS[kind].title,
        key=f"import_{received.token}_kind",
        disabled=received.busy,
        width=320,
    )
    if chosen is not None and chosen != received.kind and not received.busy:
        with transaction() as session:
            inbox.choose_kind(session, actor, received.token, chosen)
        st.rerun()


def _further_kind(actor: Actor, parts: Sequence[Received]) -> None:
    """What a file holds beside what was found in it; such a part is taken out again as any other."""
    first, busy = parts[0], any(part.busy for part in parts)
    further = [kind for kind in Kind if kind not in {part.kind for part in parts}]
    chosen = st.selectbox(
        "It also contains",
        further,
        index=None,
        placeholder="Nothing else",
        format_func=lambda kind: DEFINITIONS[kind].title,
        key=f"import_{first.kept_as}_further_{len(parts)}",
        disabled=busy,
        width=320,
        help="The same rows are read as this as well, and go in together with the rest of the file, or not at all.",
    )
    if chosen is not None and not busy:
        with transaction() as session:
            inbox.add_kind(session, actor, first.token, chosen)
        st.rerun()


def _actions(actor: Actor, files: Sequence[Received]) -> None:
    """What cannot be imported holds nothing up: the others are checked and imported without it."""
    busy = any(received.busy for received in files)
    left = _by_file([one for one in files if one.state is not FileState.IMPORTED and not one.left_out])
    usable = [one for one in left if all(part.layout and part.kind and not part.missing for part in one)]
    ready = [one for one in usable if all(part.state is FileState.READY for part in one)]
    checked = bool(ready) and all(part.state in (FileState.READY, FileState.REFUSED) for one in usable for part in one)
    if checked and len(ready) < len(left):
        rest = ", ".join(one[0].file_name for one in left if one not in ready)
        st.caption(f"Of {len(left)} files {len(ready)} can be imported. Not imported with them: {md(rest)}")
    with st.container(horizontal=True):
        check = st.button(
            "Check",
            icon=":material/fact_check:",
            key="import_check",
            disabled=busy or not usable,
            type="secondary" if checked else "primary",
            help="Shows what the import would do. Nothing is written.",
        )
        take_in = st.button(
            "Import" if len(ready) < 2 else f"Import {len(ready)} files",
            icon=":material/download_done:",
            key="import_apply",
            disabled=busy or not checked,
            type="primary" if checked else "secondary",
            help="In this order, each file entirely, but for rows that are set aside, or not at all.",
        )
        clear = st.button("Remove all", key="import_clear", disabled=busy, type="tertiary")
    if check:
        _start(inbox.check, actor, [part for one in usable for part in one])
    if take_in:
        _start(inbox.import_, actor, [part for one in ready for part in one])
    if clear:
        _discard(actor, files)


def _discard(actor: Actor, files: Sequence[Received]) -> None:
    with transaction() as session:
        inbox.discard(session, actor, [received.token for received in files])
    # Whoever works on imports deletes what they held.
    nudges.tell(Queue.IMPORTS)
    st.rerun()


def _start(request: Callable[..., int], actor: Actor, files: Sequence[Received]) -> None:
    with transaction() as session:
        job_id = request(session, actor, [received.token for received in files], now=utc_now())
    imports.begin(job_id)
    st.rerun()


@st.fragment(run_every="1s")
def _progress(actor: Actor) -> None:
    """Looks again every second, and redraws the page when the work is over."""
    with reading() as session:
        busy = queries.under_way(session, actor)
        somebody = bool(processes.living(session, limit=1))
        paused = Queue.IMPORTS in pausing.paused(session)
    if not busy:
        st.rerun()
    for file in busy:
        share = min(1.0, file.done / file.total) if file.total else 0.0
        what = md(file.file_name) + (f", {DEFINITIONS[file.kind].title.lower()}" if file.kind else "")
        st.progress(share, text=f"{what}: {_what_happens(file, somebody=somebody, paused=paused)}")
    st.caption("You may leave this page: the work goes on, and you find it here again.")
    waiting = {file.job_id for file in busy if not file.taken_up}
    if waiting and st.button("Do not wait", icon=":material/cancel:", key="import_cancel", type="tertiary"):
        with transaction() as session:
            for job_id in sorted(waiting):
                inbox.cancel(session, actor, job_id, now=utc_now())
        st.rerun()


def _what_happens(file: FileProgress, *, somebody: bool, paused: bool) -> str:
    """Nobody is promised what nobody works on."""
    if file.worked_on:
        return file.step or "waiting for its turn"
    if paused:
        return "waiting until imports, which are paused, are resumed"
    return "waiting for its turn" if somebody else "waiting for a process: at present none is running"
