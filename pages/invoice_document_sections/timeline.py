"""Everything that happened to an invoice, in sentences, the newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import streamlit as st

from billing_core.identity import Permission
from billing_core.invoices import queries
from billing_core.invoices.legal_content.laws import Particular
from billing_core.invoices.legal_content.wording import in_words
from billing_core.invoices.models import EventKind
from billing_core.invoices.rows import EventRow, InvoiceView
from billing_core.outbox import queries as outbox
from billing_core.outbox.queries import MessageFilter, MessageRow
from pages.outbox_sections.wording import unsent
from pages.ui import context, formats, mail_words
from pages.ui.inputs import print_hint
from pages.ui.reads import Reader
from pages.ui.text import md

MOST_SHOWN = 200
_MOST_UNSENT = 20
# What is told of who gets a mail without anybody's knowing; who missed it may be one of them. And what our invoices
# lack is for us to know.
_OURS = frozenset({"bcc", "bcc_reason", "missed", "bcc_emails", "missing"})
_ICONS = {
    EventKind.CREATED: "note_add",
    EventKind.EDITED: "edit",
    EventKind.SENT: "send",
    EventKind.MAILED: "mail",
    EventKind.VIEWED: "visibility",
    EventKind.DOWNLOADED: "download",
    EventKind.REMINDED: "notifications",
    EventKind.HELD: "pause_circle",
    EventKind.RELEASED: "play_circle",
    EventKind.MARKED_OVERDUE: "schedule",
    EventKind.PAYMENT: "payments",
    EventKind.PAYMENT_UNDONE: "undo",
    EventKind.PAYMENT_FAILED: "error",
    EventKind.CREDIT_APPLIED: "savings",
    EventKind.CREDIT_NOTE: "receipt",
    EventKind.REFUNDED: "currency_exchange",
    EventKind.WRITTEN_OFF: "money_off",
    EventKind.WRITE_OFF_UNDONE: "undo",
    EventKind.CANCELLED: "block",
    EventKind.LINK_CREATED: "add_link",
    EventKind.LINK_ENDED: "link_off",
    EventKind.DISPUTED: "gavel",
    EventKind.DISPUTE_CLOSED: "gavel",
    EventKind.BOUNCED: "unsubscribe",
    EventKind.DELAYED: "schedule_send",
}


def draw(read: Reader, invoice: InvoiceView) -> None:
    st.subheader("Timeline", anchor=False)
    # Who belongs to the customer does not read of these.
    hidden = frozenset() if read.actor.customer_id is None else _OURS
    events = [_without(hidden, event) for event in read.plain(queries.events, invoice.id, limit=MOST_SHOWN)]
    told = [(one.at, _ICONS.get(one.kind, "circle"), sentence(one, invoice.currency), one.actor_name) for one in events]
    told += [(one.created_at, "mark_email_unread", unsent(one), one.created_by) for one in _unsent(read, invoice)]
    zone = read.company.time_zone
    with st.container(border=True, gap="xsmall"):
        # Stable: events of the same instant stay in their order.
        for at, icon, words, who in sorted(told, key=lambda one: one[0], reverse=True):
            when = formats.instant(at, zone)
            st.markdown(f":material/{icon}: {md(words)} :gray[· {md(when)} · {md(who)}]")
    if len(events) == MOST_SHOWN:
        st.caption(f"The newest {MOST_SHOWN} are shown; the audit log has them all.")


def _unsent(read: Reader, invoice: InvoiceView) -> Sequence[MessageRow]:
    """Mails about it that have not left: the timeline itself tells of those that have."""
    if not read.actor.may(Permission.OUTBOX_READ):
        return ()
    about_it = MessageFilter(subject=("invoice", invoice.id), state=mail_words.UNSENT)
    with context.reading() as session:
        return outbox.page(session, read.actor, about_it, limit=_MOST_UNSENT)


def _without(hidden: frozenset[str], event: EventRow) -> EventRow:
    """Nor that they were changed."""
    if not hidden or event.data is None:
        return event
    kept = {name: value for name, value in event.data.items() if name not in hidden}
    if "fields" in kept:
        kept["fields"] = [name for name in kept["fields"] if name not in hidden]
    return replace(event, data=kept)


def sentence(event: EventRow, currency: str) -> str:
    """What happened, without who and when."""
    data = event.data or {}
    amount = formats.money(int(data.get("amount_minor", 0)), currency)
    because = f": {data['reason']}" if data.get("reason") else ""
    match event.kind:
        case EventKind.CREATED if data.get("copied_from"):
            left_out = int(data.get("left_out", 0))
            replaced = " or was replaced by a newer report" if data.get("newer_reports") else ""
            without = f", without {formats.counted(left_out, 'line')} of what is billed already" if left_out else ""
            return f"Draft copied from {data.get('number') or 'another draft'}{without}{replaced}"
        case EventKind.CREATED if data.get("report_id") or data.get("report_ids"):
            return "Draft created from a report"
        case EventKind.CREATED:
            return "Draft created"
        case EventKind.EDITED:
            named = ", ".join(str(name).replace("_on", " date").replace("_", " ") for name in data.get("fields", ()))
            return f"Changed: {named}" if named else "Draft edited"
        case EventKind.SENT:
            return (
                f"Sent as {data.get('number', '')}"
                + (f", {_total(data, currency)}" if "total_minor" in data else "")
                + _unprintable(data.get("unprintable") or {})
                + _lacking(data.get("missing") or ())
            )
        case EventKind.MAILED:
            return f"Mailed to {_receivers(data) or 'the customer'}"
        case EventKind.VIEWED:
            return "Opened by the customer" if event.actor_name != "The customer" else "Opened"
        case EventKind.DOWNLOADED:
            return "PDF downloaded by the customer"
        case EventKind.REMINDED:
            return f"Reminded at {_receivers(data) or 'the customer’s address'}"
        case EventKind.HELD:
            return f"No reminders until {_day(data.get('until'))}{because}"
        case EventKind.RELEASED:
            return "Reminders may go out again"
        case EventKind.MARKED_OVERDUE:
            return "Marked as overdue"
        case EventKind.PAYMENT:
            return f"Paid {amount} {formats.by_method(str(data.get('method', 'other')))}"
        case EventKind.PAYMENT_UNDONE:
            return f"Payment of {amount} reversed{_discount(data, currency)}{because}"
        case EventKind.PAYMENT_FAILED:
            return f"A payment failed{because}"
        case EventKind.CREDIT_APPLIED:
            return f"{amount} paid from {'prepaid credit' if data.get('prepaid') else 'the customer’s credit'}"
        case EventKind.CREDIT_NOTE:
            return f"Credit note {data.get('credit_note', '')} for {amount}{because}"
        case EventKind.REFUNDED:
            method = data.get("method")
            outcome = f"paid back {formats.by_method(str(method))}" if method else _kept(data, currency)
            return f"{amount} refunded and {outcome}, credit note {data.get('credit_note', '')}"
        case EventKind.WRITTEN_OFF:
            return f"{amount} written off{because}"
        case EventKind.WRITE_OFF_UNDONE:
            return f"Write-off of {amount} undone{because}"
        case EventKind.CANCELLED:
            return f"Cancelled{because}"
        case EventKind.LINK_CREATED:
            return f"Payment link for {amount} created"
        case EventKind.LINK_ENDED:
            return f"Payment link {data.get('state') or 'ended'}{because}"
        case EventKind.DISPUTED:
            return f"The customer's bank asks for {amount} back{because}"
        case EventKind.DISPUTE_CLOSED:
            return f"The dispute over {amount} is closed: {data.get('state') or 'no result given'}"
        case EventKind.BOUNCED:
            return f"The mail to {_one_receiver(data)} came back{_in_their_words(data)}"
        case EventKind.DELAYED:
            return f"The mail to {_one_receiver(data)} is late, and still being tried{_in_their_words(data)}"
    return formats.words(event.kind.value)


def _one_receiver(data: Mapping[str, Any]) -> str:
    """Of a blind copy nobody of the customer reads."""
    return str(data.get("to") or data.get("bcc") or "somebody")


def _in_their_words(data: Mapping[str, Any]) -> str:
    reason = data.get("reason") or data.get("bcc_reason")
    return f": “{reason}”" if reason else ""


def _receivers(data: Mapping[str, Any]) -> str:
    parts = {"to": "", "cc": "copy to ", "bcc": "blind copy to ", "missed": "not to "}
    return ", ".join(f"{before}{data[name]}" for name, before in parts.items() if data.get(name))


def _discount(data: Mapping[str, Any], currency: str) -> str:
    """What early payment had taken off, which is due again with the payment."""
    if not data.get("discount_minor"):
        return ""
    taken = formats.money(int(data["discount_minor"]), currency)
    return f", and the discount of {taken} with credit note {data['credit_note']}"


def _kept(data: Mapping[str, Any], currency: str) -> str:
    """Where a refund that is not paid back went."""
    prepaid = int(data.get("prepaid_minor", 0))
    if not prepaid:
        return "kept as the customer's credit"
    if prepaid == data.get("amount_minor"):
        return "given back to prepaid credit"
    return f"kept as the customer's credit, of which {formats.money(prepaid, currency)} as prepaid credit"


def _total(data: Mapping[str, Any], currency: str) -> str:
    return formats.money(int(data["total_minor"]), str(data.get("currency") or currency))


def _day(text: object) -> str:
    return formats.day(date.fromisoformat(str(text))) if text else formats.NOTHING


def _lacking(missing: Sequence[str]) -> str:
    """What the law or usage wants and was not on it: whoever sent it has decided so."""
    return f". It was sent without {in_words(map(Particular, missing))}" if missing else ""


def _unprintable(found: Mapping[str, str]) -> str:
    """What no font of PDFs has, of an invoice that was sent all the same: nobody may have looked at it."""
    if not found:
        return ""
    where = "; ".join(f"{field} ({print_hint.named(characters)})" for field, characters in found.items())
    return f". The PDF cannot show characters of: {where}"
