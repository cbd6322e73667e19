"""What mails say, by kind and language, with the mail beside it as it would be."""

import streamlit as st
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import Actor
from billing_core.invoices import queries as invoices
from billing_core.invoices.queries import InvoiceFilter
from billing_core.languages.available import languages, own_name
from billing_core.mailing import letters, texts, wording
from billing_core.mailing.default_texts import Wording
from billing_core.mailing.letters import Letter
from billing_core.mailing.models import MailKind
from billing_core.mailing.texts import VARIABLES
from pages.outbox_sections.wording import TOPICS
from pages.ui import context, formats, messages
from pages.ui.reads import Reader
from pages.ui.text import mail_frame, md

_KINDS = list(MailKind)
_OF_INVOICES = (MailKind.INVOICE, *texts.REMINDERS)


def draw(read: Reader, actor: Actor, business_id: int) -> None:
    own = read(wording.changed_ones, business_id)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox("Mail", _KINDS, format_func=lambda one: TOPICS[one.value], key="text_kind", width=260)
        language = st.selectbox(
            "Language",
            languages(),
            format_func=lambda code: own_name(code) + (" (own text)" if (kind, code) in own else ""),
            key="text_language",
            width=200,
        )
    form = _form(actor, business_id, kind, language)
    drawn = st.session_state[form]
    st.caption(
        "This is your own text." if drawn.version is not None else "This is the standard text; change it as you like."
    )
    # Below each other where they would be too narrow to read beside each other.
    grid = st.grid(2, min_column_width=420, gap="medium")
    writing, looking = grid.container(), grid.container()
    with writing:
        subject = st.text_input("Subject", value=drawn.wording.subject, key=f"{form}_subject")
        subject_place = st.empty()
        body = st.text_area("Text", value=drawn.wording.body, height=420, key=f"{form}_body")
        body_place = st.empty()
    edited = Wording(subject or "", body or "")
    with looking:
        letter, reasons = _preview(read, actor, business_id, kind, language, edited)
        if letter is None:
            st.info("The mail appears here as soon as the text can be filled in.", icon=":material/draft:")
        else:
            st.markdown(f"**{md(letter.subject)}**")
            st.iframe(mail_frame(letter.html), height=420)
    for place, field, label in ((subject_place, "subject", "The subject"), (body_place, "body", "The text")):
        if field in reasons:
            place.markdown(f":red[:material/error: {label} {md(formats.with_days(reasons[field]))}]")
    with writing:
        _buttons(actor, business_id, kind, language, edited, form, fits=letter is not None)
        with st.expander("What a text can contain", icon=":material/data_object:"):
            for name, meaning in VARIABLES[kind].items():
                st.markdown(f"`{{{{ {name} }}}}` – {md(meaning)}")
            st.markdown("`{% if part_paid %} … {% endif %}` – only where it applies" if kind in _OF_INVOICES else "")


def _form(actor: Actor, business_id: int, kind: MailKind, language: str) -> str:
    """The key under which what was saved is kept while somebody changes it, so that a colleague's change is noticed."""
    turn = st.session_state.get("text_turn", 0)
    form = f"text_{business_id}_{kind.value}_{language}_{turn}"
    if form not in st.session_state:
        with context.reading() as session:
            st.session_state[form] = wording.current(session, actor, business_id, kind, language)
    return form


def _buttons(
    actor: Actor, business_id: int, kind: MailKind, language: str, edited: Wording, form: str, *, fits: bool
) -> None:
    drawn = st.session_state[form]
    with st.container(horizontal=True):
        if st.button("Save", type="primary", icon=":material/save:", key="text_save", disabled=not fits):
            with context.transaction() as session:
                wording.change(
                    session, actor, business_id, kind, language, edited, drawn_from=drawn.version, now=utc_now()
                )
            _start_anew()
            messages.say("Saved. The next mail uses it.")
            st.rerun()
        st.button(
            "Discard my changes", type="tertiary", icon=":material/undo:", on_click=_start_anew, key="text_discard"
        )
        if drawn.version is not None and st.button(
            "Back to the standard text", type="tertiary", icon=":material/restart_alt:", key="text_restore"
        ):
            with context.transaction() as session:
                wording.restore(session, actor, business_id, kind, language, now=utc_now())
            _start_anew()
            messages.say("The next mail uses the standard text again.")
            st.rerun()


def _start_anew() -> None:
    st.session_state["text_turn"] = st.session_state.get("text_turn", 0) + 1


def _preview(
    read: Reader, actor: Actor, business_id: int, kind: MailKind, language: str, edited: Wording
) -> tuple[Letter | None, dict[str, str]]:
    number = ""
    if kind in _OF_INVOICES:
        number = st.text_input(
            "Preview with invoice", key="text_invoice", placeholder="A number; empty: a sample invoice"
        )
    try:
        with runtime.sessions()() as session:
            return _letter(session, actor, business_id, kind, language, edited, (number or "").strip(), read), {}
    except Invalid as error:
        return None, error.fields


def _letter(
    session: Session,
    actor: Actor,
    business_id: int,
    kind: MailKind,
    language: str,
    edited: Wording,
    number: str,
    read: Reader,
) -> Letter:
    sample = wording.preview(session, actor, business_id, kind, language, edited)
    if not number:
        return sample
    by_number = InvoiceFilter(text=number, business_id=business_id)
    matches = invoices.page(session, actor, by_number, today=read.days, limit=1)
    if not matches:
        st.caption(f"There is no invoice {md(number)}: this is a sample.")
        return sample
    invoice = invoices.one(session, actor, matches[0].id)
    sender = letters.senders(session, [invoice])[invoice.id]
    values = letters.invoice_values(invoice, sender, today=read.days)
    return letters.letter(texts.checked(kind, edited), values, language)
