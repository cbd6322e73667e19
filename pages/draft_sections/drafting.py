"""Writing a draft: its fields and lines, saved as they are entered, with the PDF beside them."""

from dataclasses import replace
from functools import partial

import streamlit as st

from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices import queries
from billing_core.invoices.content.totals import Totals
from billing_core.invoices.documents import document, legibility
from billing_core.invoices.rows import InvoiceView
from pages.draft_sections import draft_state, fields, grid
from pages.draft_sections.draft_state import Entered, OpenDraft
from pages.invoice_document_sections import amounts, billed_reports, cancelling, drafts, preview, sending, timeline
from pages.invoice_document_sections.changes import forget_open_draft
from pages.payment_link_sections import creating
from pages.ui import context, formats, messages
from pages.ui.inputs import print_hint
from pages.ui.reads import Reader
from pages.ui.text import md

# As high as the fields beside it; more pages scroll.
_PAPER_HEIGHT = 620


def draw(read: Reader, actor: Actor, draft: OpenDraft, stored: InvoiceView | None) -> None:
    """``stored``: the draft as it was stored before this run, None for one that is still to be saved."""
    entered = draft_state.read(draft)
    if stored is not None and stored.version != draft.drawn_from and entered.content == draft.saved:
        messages.say("Somebody has changed this draft meanwhile: it is shown as it is now", icon=":material/sync:")
        forget_open_draft()
        st.rerun()
    if draft_state.save(actor, draft, entered):
        if stored is None:
            st.query_params.from_dict({"invoice": str(draft.invoice_id)})
        read = Reader(actor)
        stored = read(queries.one, str(draft.invoice_id))
    totals, of_lines = _totals(entered)

    _header(read, actor, draft, entered, stored)
    _notices(actor, draft, entered, stored)
    if st.session_state.get("invoice_preview", True):
        form, paper = preview.beside()
    else:
        form, paper = st.container(), None
    with form:
        fields.draw(read, draft, entered.content, entered.reasons, stored.number if stored else None)
        fields.notes(draft, entered.reasons)
    grid.draw(draft, entered, of_lines)
    _sums(read, draft, entered, totals, stored)
    if stored is not None:
        billed_reports.draw(read, stored)
        timeline.draw(read, stored)
    # Last, for it takes longest.
    if paper is not None:
        with paper:
            preview.draw(read, stored, height=_PAPER_HEIGHT)


def _sums(read: Reader, draft: OpenDraft, entered: Entered, totals: Totals, stored: InvoiceView | None) -> None:
    left, right = preview.beside()
    with left:
        fields.discount(draft, entered.content.currency, entered.reasons)
        fields.zero_tax(draft, entered.content, entered.reasons)
        if stored is not None and entered.content == draft.saved:
            paper = read.plain(document.of_invoice, stored.id)
            missing = legibility.of_invoice(paper)
            pdf_minor = None if missing else paper.totals.total_minor
            amounts.strip(totals, stored_minor=stored.total_minor, pdf_minor=pdf_minor)
            print_hint.warn(missing)
    with right:
        amounts.table(totals, entered.content)


def _header(read: Reader, actor: Actor, draft: OpenDraft, entered: Entered, stored: InvoiceView | None) -> None:
    name = md(entered.content.customer_name) or "nobody yet"
    saved = entered.good and entered.content == draft.saved
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        title = f"Draft {md(stored.number)} for {name}" if stored and stored.number else f"Draft for {name}"
        st.title(title, anchor=False, width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            st.toggle("Preview", value=True, key="invoice_preview", persist_state="session", help="The PDF beside it")
            sends = st.button("Send", type="primary", icon=":material/send:", key="send_draft", disabled=not saved)
            links_it = actor.may(Permission.LINK_WRITE) and st.button(
                "Payment link",
                icon=":material/add_link:",
                key="link_draft",
                disabled=not saved,
                help="Give the invoice its number and let the customer pay it online",
            )
            if stored is not None:
                _menu(read, actor, stored)
    _state(read, draft, entered)
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


def _state(read: Reader, draft: OpenDraft, entered: Entered) -> None:
    """Whether what stands here is stored."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if entered.good and entered.content == draft.saved and draft.saved_at:
            st.badge("Saved", icon=":material/cloud_done:", color="green")
            st.caption(formats.instant(draft.saved_at, read.company.time_zone), width="content")
        elif set(entered.reasons) == {"lines"} and not entered.content.lines:
            st.badge("Not saved yet", icon=":material/edit:", color="gray")
            st.caption("It is saved with its first line, and automatically from then on.", width="content")
        else:
            st.badge("Not saved", icon=":material/cloud_off:", color="orange")
            count = len(entered.reasons)
            st.caption(f"{formats.counted(count, 'problem')} to fix below" if count else "", width="content")


def _notices(actor: Actor, draft: OpenDraft, entered: Entered, stored: InvoiceView | None) -> None:
    """What stood in the way of saving."""
    conflict = draft.conflict
    if conflict is None and stored is not None and not entered.good and stored.version != draft.drawn_from:
        conflict = Conflict("Somebody has saved this draft in the meantime")
    if conflict is not None:
        with st.container(border=True):
            conflict_text = str(conflict).partition(":")[0]
            st.warning(
                f"{md(formats.with_days(conflict_text))}. What you typed is not saved yet.",
                icon=":material/sync_problem:",
            )
            if conflict.fields:
                st.caption("Where it differs from what stands here:")
            st.markdown(
                "\n".join(
                    f"- {md(formats.words(field))} {md(formats.with_days(reason))}"
                    for field, reason in conflict.fields.items()
                )
            )
            with st.container(horizontal=True):
                st.button("Show theirs", icon=":material/visibility:", on_click=forget_open_draft, key="show_theirs")
                st.button(
                    "Keep mine",
                    icon=":material/save:",
                    on_click=draft_state.keep_mine,
                    args=(actor, draft),
                    key="keep_mine",
                    help="What you typed replaces what they saved; the audit log keeps both.",
                )
    if draft.refused is not None:
        context.refused(draft.refused)


def _totals(entered: Entered) -> tuple[Totals, dict[int, int]]:
    """What it comes to, and each line; lines that cannot be read are left out."""
    content = entered.content
    wrong = {int(field.split(".")[1]) for field in entered.reasons if field.startswith("lines.")}
    places = [at for at in range(1, len(content.lines) + 1) if at not in wrong]
    readable = replace(content, lines=tuple(content.lines[at - 1] for at in places))
    if {"discount_minor", "discount_percent"} & set(entered.reasons):
        readable = replace(readable, discount_minor=None, discount_percent=None)
    totals = readable.totals()
    return totals, dict(zip(places, totals.lines, strict=True))
