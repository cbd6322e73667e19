"""What became of mails, in words, the same wherever they are mentioned: kept, waiting, sent, bounced, failed, recalled.

Without a mail server a mail is kept: it can be read and downloaded, and nobody gets it.
"""

from collections.abc import Sequence
from typing import Final

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.mailing.models import MailKind
from billing_core.outbox import queries
from billing_core.outbox.models import MessageState
from billing_core.outbox.queries import Earlier
from billing_core.processes import pausing
from billing_core.processes.models import Queue
from billing_core.settings import settings
from pages.ui import context, formats, tables
from pages.ui.colors import Color
from pages.ui.text import md

_COLORS: Final[dict[MessageState, Color]] = {
    MessageState.WAITING: "blue",
    MessageState.DELIVERED: "green",
    MessageState.FAILED: "red",
    MessageState.RECALLED: "gray",
    MessageState.HELD_BACK: "orange",
    MessageState.BOUNCED: "red",
}
UNSENT: Final = (MessageState.HELD_BACK, MessageState.WAITING, MessageState.FAILED)
STATES: Final = {state: (state.word.capitalize(), color) for state, color in _COLORS.items()}


def column() -> tables.Column:
    """Of a table of mails."""
    return tables.badge("State", lambda row: STATES[row.state][0], dict(STATES.values()))


def of_invoices(actor: Actor, invoice_ids: Sequence[int]) -> dict[int, MessageState]:
    """What became of the newest mail with each of these invoices; empty for whoever may not see mails."""
    if not actor.may(Permission.OUTBOX_READ):
        return {}
    # Not from memory: mails are delivered without anybody's doing.
    with context.reading() as session:
        return queries.newest_states(session, actor, "invoice", invoice_ids, [MailKind.INVOICE])


def of_invoice(state: MessageState | None) -> tuple[str, Color] | None:
    """The badge beside an invoice's status, such as ``Mail kept``; None where that says enough: there is no mail, or it
    was sent.
    """
    if state in (None, MessageState.DELIVERED, MessageState.RECALLED):
        return None
    return f"Mail {state.word}", _COLORS[state]


# All that ``of_invoice`` may answer.
BESIDE_STATUS: Final = dict(filter(None, map(of_invoice, MessageState)))


def put_in(document: str, to: str, *, recallable: bool = False) -> str:
    """What to say once the mail with the document is in the outbox. ``recallable``: for a minute."""
    if not settings().sends_mails:
        return f"{document} for {to} is kept in the outbox: no mail server is set up, so nobody gets it"
    if _paused():
        return f"{document} for {to} waits in the outbox: mails are paused"
    if recallable:
        return f"{document} leaves for {to} in a minute: until then it can be recalled in the outbox"
    return f"{document} is being sent to {to}"


def many_put_in(what: str) -> str:
    """The same of several mails about ``what``, such as ``3 invoices``."""
    if not settings().sends_mails:
        return f"The mails about {what} are kept in the outbox: no mail server is set up, so nobody gets them."
    if _paused():
        return f"The mails about {what} wait in the outbox: mails are paused."
    return f"The mails about {what} are being sent now."


def warn_of_none() -> None:
    """Before mails are written that nobody will get. Nothing where there is a mail server."""
    if not settings().sends_mails:
        st.info(
            "No mail server is set up: mails are kept in the outbox, where they can be read and downloaded, and nobody "
            "gets them.",
            icon=":material/outbox:",
        )


def of_before(earlier: Earlier, zone: str) -> str:
    """What became of the mails about a document that there are already, as Markdown; empty where there is none."""
    said = (
        (earlier.sent_at, "It was mailed before, on {}."),
        (earlier.bounced_at, "The mail of {} came back: the outbox says from whom, and why."),
        (earlier.failed_at, "The mail of {} failed, and nobody has got it."),
        (earlier.kept_at, "The mail of {} is kept in the outbox, and nobody has got it. A new one takes its place."),
        (earlier.waiting_at, "The mail of {} waits to be sent."),
    )
    told = sorted((at, words) for at, words in said if at is not None)
    return " ".join(words.format(md(formats.instant(at, zone))) for at, words in told)


def _paused() -> bool:
    with context.reading() as session:
        return Queue.MAILS in pausing.paused(session)
