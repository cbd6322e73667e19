"""A draft on the desk: its fields and lines, saved as they are typed, with the paper beside them."""

from dataclasses import replace
from functools import partial

import streamlit as st

from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices import queries
from billing_core.invoices.content.totals import Totals
from billing_core.invoices.documents import document
from billing_core.invoices.rows import InvoiceView
from pages.draft_sections import draft_state as desks
from pages.draft_sections import fields, grid
from pages.draft_sections.draft_state import Desk, Typed
from pages.invoice_document_sections import amounts, billed_reports, cancelling, drafts, preview, sending, timeline
from pages.invoice_document_sections.changes import forget_open_draft
from pages.payment_link_sections import creating
from pages.ui import context, formats, messages
from pages.ui.reads import Reader
from pages.ui.text import md

# As high as the fields beside it; more pages scroll.
_PAPER_HEIGHT = 620


def draw(read: Reader, actor: Actor, desk: Desk, stored: InvoiceView | None) -> None:
    """``stored``: the draft as it was stored before this run, None for one that is still to be saved."""
    now_typed = desks.read(desk)
    if stored is not None and stored.version != desk.drawn_from and now_typed.content == desk.saved:
        messages.say("Somebody has changed this draft meanwhile: it is shown as it is now", icon=":material/sync:")
        forget_open_draft()
        st.rerun()
    if desks.save(actor, desk, now_typed):
        if stored is None:
            st.query_params.from_dict({"invoice": str(desk.invoice_id)})
        read = Reader(actor)
        stored = read(queries.one, str(desk.invoice_id))
    totals, of_lines = _totals(now_typed)

    _header(read, actor, desk, now_typed, stored)
    _notices(actor, desk, now_typed, stored)
    if st.session_state.get("invoice_preview", True):
        form, paper = preview.beside()
    else:
        form, paper = st.container(), None
    with form:
        fields.draw(read, desk, now_typed.content, now_typed.reasons, stored.number if stored else None)
        fields.notes(desk, now_typed.reasons)
    grid.draw(desk, now_typed, of_lines)
    _sums(read, desk, now_typed, totals, stored)
    if stored is not None:
        billed_reports.draw(read, stored)
        timeline.draw(read, stored)
    # Last, for it takes longest.
    if paper is not None:
        with paper:
            preview.draw(read, stored, height=_PAPER_HEIGHT)


def _sums(read: Reader, desk: Desk, now_typed: Typed, totals: Totals, stored: InvoiceView | None) -> None:
    left, right = preview.beside()
    with left:
        fields.discount(desk, now_typed.content.currency, now_typed.reasons)
        if stored is not None and now_typed.content == desk.saved:
            said = read.plain(document.of_invoice, stored.id).totals.total_minor
            amounts.strip(totals, kept_minor=stored.total_minor, paper_minor=said)
    with right:
        amounts.table(totals, now_typed.content)


def _header(read: Reader, actor: Actor, desk: Desk, now_typed: Typed, stored: InvoiceView | None) -> None:
    name = md(now_typed.content.customer_name) or "nobody yet"
    saved = now_typed.good and now_typed.content == desk.saved
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        title = f"Draft {md(stored.number)} for {name}" if stored and stored.number else f"Draft for {name}"
        st.title(title, anchor=False, width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            st.toggle("Paper", value=True, key="invoice_preview", persist_state="session", help="The PDF beside it")
            sends = st.button("Send", type="primary", icon=":material/send:", key="send_draft", disabled=not saved)
            links_it = actor.may(Permission.LINK_WRITE) and st.button(
                "Payment link",
                icon=":material/add_link:",
                key="link_draft",
                disabled=not saved,
                help="Open the invoice, and have it paid online",
            )
            if stored is not None:
                _menu(read, actor, stored)
    _state(read, desk, now_typed)
    if links_it and stored is not None:
        creating.dialog(stored.id)
    if sends and stored is not None:
        sending.dialog(stored.id)


def _menu(read: Reader, actor: Actor, stored: InvoiceView) -> None:
    steps = {"Duplicate": partial(drafts.duplicate, actor, read, stored.id)}
    if stored.number:
        steps["Cancel invoice"] = partial(cancelling.dialog, stored.id)
    else:
        steps["Discard draft"] = partial(drafts.discard, stored)
    st.link_button("PDF", preview.address(stored), icon=":material/download:")
    chosen = st.menu_button("More", list(steps), key="draft_more", icon=":material/more_horiz:")
    if chosen:
        steps[chosen]()


def _state(read: Reader, desk: Desk, now_typed: Typed) -> None:
    """Whether what stands here is stored."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if now_typed.good and now_typed.content == desk.saved and desk.saved_at:
            st.badge("Saved", icon=":material/cloud_done:", color="green")
            st.caption(formats.instant(desk.saved_at, read.company.time_zone), width="content")
        elif set(now_typed.reasons) == {"lines"} and not now_typed.content.lines:
            st.badge("Not saved yet", icon=":material/edit:", color="gray")
            st.caption("It is saved with its first line, and from then on by itself.", width="content")
        else:
            st.badge("Not saved", icon=":material/cloud_off:", color="orange")
            count = len(now_typed.reasons)
            st.caption(f"{formats.counted(count, 'thing')} to put right below" if count else "", width="content")


def _notices(actor: Actor, desk: Desk, now_typed: Typed, stored: InvoiceView | None) -> None:
    """What stood in the way of saving."""
    conflict = desk.conflict
    if conflict is None and stored is not None and not now_typed.good and stored.version != desk.drawn_from:
        conflict = Conflict("Somebody has saved this draft in the meantime")
    if conflict is not None:
        with st.container(border=True):
            said = str(conflict).partition(":")[0]
            st.warning(f"{md(said)}. What you typed is not saved yet.", icon=":material/sync_problem:")
            if conflict.fields:
                st.caption("Where it differs from what stands here:")
            st.markdown(
                "\n".join(f"- {md(formats.words(field))} {md(reason)}" for field, reason in conflict.fields.items())
            )
            with st.container(horizontal=True):
                st.button("Show theirs", icon=":material/visibility:", on_click=forget_open_draft, key="show_theirs")
                st.button(
                    "Keep mine",
                    icon=":material/save:",
                    on_click=desks.keep_mine,
                    args=(actor, desk),
                    key="keep_mine",
                    help="What you typed replaces what they saved; the audit log keeps both.",
                )
    if desk.refused is not None:
        context.refused(desk.refused)


def _totals(now_typed: Typed) -> tuple[Totals, dict[int, int]]:
    """What it comes to, and each line; lines that cannot be read are left out."""
    content = now_typed.content
    wrong = {int(field.split(".")[1]) for field in now_typed.reasons if field.startswith("lines.")}
    places = [at for at in range(1, len(content.lines) + 1) if at not in wrong]
    readable = replace(content, lines=tuple(content.lines[at - 1] for at in places))
    if {"discount_minor", "discount_percent"} & set(now_typed.reasons):
        readable = replace(readable, discount_minor=None, discount_percent=None)
    totals = readable.totals()
    return totals, dict(zip(places, totals.lines, strict=True))
