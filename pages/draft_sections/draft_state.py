"""The draft that is open in this browser: what is stored, what has been entered since, and saving it.

What is entered lives in the widgets. An ``OpenDraft`` knows what they began with and under which keys they are drawn,
so that another draft, or another state of the same one, gets widgets of its own.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import streamlit as st

from billing_core import runtime
from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.dates import utc_now
from billing_core.errors import BillingError, Conflict, Invalid
from billing_core.identity import Actor
from billing_core.invoices import queries, service
from billing_core.invoices.content.content import Content, agreed_terms, checked
from billing_core.invoices.rows import InvoiceView
from billing_core.payment_terms.reading import understood
from billing_core.recipients import in_a_list, split
from pages.draft_sections import rows
from pages.draft_sections.rows import Row
from pages.invoice_document_sections.changes import OPEN_DRAFT
from pages.ui import formats
from pages.ui.inputs import number_input

_TURN = "open_draft_turn"
TEXTS = (
    "customer_name",
    "customer_email",
    "cc_emails",
    "bcc_emails",
    "customer_address",
    "customer_tax_id",
    "zero_tax_reason",
    "payment_terms",
    "notes",
    "reference",
)
# Nobody types so many lines between two runs: they were pasted, and the grid grows with them.
_MANY_AT_ONCE = 3
_CHOSEN = ("language", "currency", "issued_on", "due_on", "prices_include_tax")


@dataclass
class OpenDraft:
    """``start``: what the widgets began with; ``saved``: what is stored, None before the first save. ``drawn_from`` is
    the stored version that ``saved`` was read from.
    """

    turn: int
    start: Content
    rows: list[Row]
    invoice_id: int | None = None
    drawn_from: int = 0
    saved: Content | None = None
    saved_at: datetime | None = None
    grid: int = 0
    currency: str = ""
    language: str = ""
    added: int = 0
    # What the grid said in the run before, to know what one paste has changed.
    lines: list[Row] = field(default_factory=list)
    cut_up: bool = False
    conflict: Conflict | None = None
    refused: BillingError | None = None

    def key(self, name: str) -> str:
        return f"invoice_{self.turn}_{name}"

    @property
    def grid_key(self) -> str:
        return self.key(f"lines_{self.grid}")


@dataclass(frozen=True, slots=True)
class Entered:
    """What the widgets say now. ``reasons``: why it cannot be saved, by field; ``content`` leaves out what is wrong."""

    content: Content
    rows: list[Row]
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not self.reasons


def blank(start: Content) -> OpenDraft:
    """A new draft; the one that was begun before for the same customer, if it is still open."""
    draft = _open_draft()
    if draft is not None and draft.invoice_id is None and draft.start == start:
        return draft
    return _lay_out(OpenDraft(_next_turn(), start, rows=[]))


def of_invoice(invoice: InvoiceView, content: Content) -> OpenDraft:
    """A stored draft, with what has been entered here since."""
    draft = _open_draft()
    if draft is not None and draft.invoice_id == invoice.id:
        return draft
    return _lay_out(_read(invoice, content))


def read(draft: OpenDraft) -> Entered:
    """What the widgets say, checked; no widget need have been drawn yet."""
    locale, state = formats.locale(), st.session_state
    reasons: dict[str, str] = {}
    lines_now = rows.edited(draft.rows, state.get(draft.grid_key))
    draft.cut_up = not rows.redrawn(state.get(draft.grid_key)) and rows.cut_up(draft.lines or draft.rows, lines_now)
    if draft.cut_up:
        # Another grid, which says what stood there before the paste.
        draft.rows, draft.grid, draft.added = rows.with_spare(draft.lines), draft.grid + 1, 0
        lines_now = draft.rows
    currency = state[draft.key("currency")]
    added = rows.added(state.get(draft.grid_key))
    pasted = added - draft.added >= _MANY_AT_ONCE
    draft.added = added
    if rows.redrawn(state.get(draft.grid_key)) or pasted or currency != draft.currency:
        draft.rows, draft.grid, draft.currency = rows.with_spare(lines_now), draft.grid + 1, currency
        lines_now, draft.added = draft.rows, 0
    draft.lines = lines_now
    filled = [row for row in lines_now if not row.untouched]

    chosen: dict[str, Any] = {name: state[draft.key(name)] for name in (*TEXTS, *_CHOSEN)}
    for name in ("issued_on", "due_on"):
        if chosen[name] is None:
            reasons[name] = "is needed"
            chosen[name] = getattr(draft.start, name)
    chosen |= {name: chosen[name] or "" for name in TEXTS}
    # The field has a list; the first of it is stored for itself.
    chosen["customer_email"], chosen["further_emails"] = split(chosen["customer_email"])
    content = replace(
        draft.start,
        **chosen,
        discount_percent=_percent(state[draft.key("discount_percent")], reasons),
        discount_minor=_amount(state[draft.key("discount_minor")], currency, reasons),
        lines=tuple(rows.line_of(row, at, currency, locale, reasons) for at, row in enumerate(filled, start=1)),
    )
    try:
        content = checked(content)
    except Invalid as refused:
        # What could not be read was replaced by something harmless: its own reason says more.
        reasons = {**refused.fields, **reasons}
    return Entered(content, lines_now, reasons)


def save(actor: Actor, draft: OpenDraft, entered: Entered) -> bool:
    """Store what differs, if all of it can be; whether anything was. The draft keeps what stands in the way."""
    draft.conflict = draft.refused = None
    if not entered.good or entered.content == draft.saved:
        return False
    now = utc_now()
    try:
        with runtime.sessions().begin() as session:
            if draft.invoice_id is None:
                invoice = service.create(session, actor, entered.content, now=now)
            else:
                invoice = service.edit(
                    session, actor, draft.invoice_id, entered.content, drawn_from=draft.drawn_from, now=now
                )
            invoice_id, version = invoice.id, invoice.version
    except Conflict as conflict:
        draft.conflict = conflict
        return False
    except BillingError as refused:
        draft.refused = refused
        return False
    draft.invoice_id, draft.drawn_from = invoice_id, version
    draft.saved, draft.saved_at = entered.content, now
    return True


def keep_mine(actor: Actor, draft: OpenDraft) -> None:
    """In a callback: what is entered here replaces what somebody else has saved in between."""
    if draft.invoice_id is None:
        return
    try:
        with runtime.sessions()() as session:
            draft.drawn_from = queries.one(session, actor, draft.invoice_id).version
    except BillingError as gone:
        draft.refused = gone


def reword_terms(actor: Actor, draft: OpenDraft) -> None:
    """In a callback: the language has changed. Terms that are as agreed are said in it; what was typed stays."""
    key, language = draft.key("payment_terms"), st.session_state[draft.key("language")]
    try:
        with runtime.sessions()() as session:
            customer = customers.one(session, actor, draft.start.customer_id)
            business = businesses.one(session, draft.start.business_id)
    except BillingError as gone:
        draft.refused = gone
        return
    if st.session_state[key] == agreed_terms(customer, business, draft.language):
        st.session_state[key] = agreed_terms(customer, business, language)
    draft.language = language


def settle_due_date(draft: OpenDraft, changed: str) -> None:
    """In a callback: the issue date or the terms have changed, and the due date follows them."""
    issued_on = st.session_state[draft.key("issued_on")]
    if issued_on is not None:
        # What is not understood says no day: it is chosen, and stays what it was chosen to be.
        if agreed := understood(st.session_state[draft.key("payment_terms")] or ""):
            st.session_state[draft.key("due_on")] = agreed.due_on(issued_on)
        elif changed == "payment_terms":
            st.session_state[draft.key("due_on")] = None


def _open_draft() -> OpenDraft | None:
    """The one of the run before, as long as its widgets are still drawn."""
    draft: OpenDraft | None = st.session_state.get(OPEN_DRAFT)
    return draft if draft is not None and draft.key("notes") in st.session_state else None


def _read(invoice: InvoiceView, content: Content) -> OpenDraft:
    locale = formats.locale()
    lines = [rows.row_of(line, content.currency, locale) for line in content.lines]
    return OpenDraft(_next_turn(), content, lines, invoice.id, invoice.version, content, invoice.updated_at)


def _lay_out(draft: OpenDraft) -> OpenDraft:
    """Give each widget what it begins with."""
    locale = formats.locale()
    draft.rows, draft.currency = rows.with_spare(draft.rows), draft.start.currency
    draft.language = draft.start.language
    for name in (*TEXTS, *_CHOSEN):
        st.session_state[draft.key(name)] = getattr(draft.start, name)
    to = in_a_list((draft.start.customer_email, draft.start.further_emails))
    st.session_state[draft.key("customer_email")] = to
    st.session_state[draft.key("discount_percent")] = number_input.written(draft.start.discount_percent, locale)
    st.session_state[draft.key("discount_minor")] = number_input.written_minor(
        draft.start.discount_minor, draft.start.currency, locale
    )
    st.session_state[OPEN_DRAFT] = draft
    return draft


def _next_turn() -> int:
    turn: int = st.session_state.get(_TURN, 0) + 1
    st.session_state[_TURN] = turn
    return turn


def _percent(text: str | None, reasons: dict[str, str]) -> Decimal | None:
    plain = (text or "").strip().removesuffix("%")
    if not plain:
        return None
    try:
        return number_input.number(plain, formats.locale())
    except ValueError as reason:
        reasons["discount_percent"] = str(reason)
        return None


def _amount(text: str | None, currency: str, reasons: dict[str, str]) -> int | None:
    if not (text or "").strip():
        return None
    try:
        return number_input.minor(text or "", currency, formats.locale())
    except ValueError as reason:
        reasons["discount_minor"] = str(reason)
        return None
