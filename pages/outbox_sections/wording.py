"""The states of messages, and what became of one, in words."""

from billing_core.invoices.payment_links import DEACTIVATE
from billing_core.mailing.models import MailKind
from billing_core.online_payments.sandbox.events import EVENT
from billing_core.online_payments.webhooks.fees import FETCH_DETAILS
from billing_core.outbox import receiving
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.outbox.queries import MessageRow
from pages.ui import formats, tables

TOPICS = {
    MailKind.INVOICE.value: "Invoice",
    MailKind.REMINDER_BEFORE.value: "Reminder before it is due",
    MailKind.REMINDER_DUE.value: "Reminder on the due date",
    MailKind.REMINDER_LATE.value: "Reminder, late",
    MailKind.CREDIT_NOTE.value: "Credit note",
    MailKind.STATEMENT.value: "Statement",
    MailKind.USAGE_ALERT.value: "Usage alert",
    MailKind.TRIAL_ENDING.value: "Trial ends",
    MailKind.CHARGE_FAILED.value: "Charge to a card failed",
    MailKind.CARD_EXPIRING.value: "Card expires",
    MailKind.CARD_REQUEST.value: "Asking for a card",
    MailKind.SUBSCRIPTION_ENDED.value: "Subscription ended",
    MailKind.PLAN_MOVE.value: "New terms of a plan",
    MailKind.PLAN_MOVE_WITHDRAWN.value: "New terms withdrawn",
    DEACTIVATE: "Payment link to deactivate",
    FETCH_DETAILS: "Fee of a payment",
    EVENT: "Event of the sandbox",
}


def topic(code: str) -> str:
    return TOPICS.get(code, formats.words(code))


def to_whom(message: MessageRow) -> str:
    """The first receiver, and how many others there are."""
    others = len(receiving.recipients_of(message).everybody) - 1
    return f"{message.recipient} and {formats.counted(others, 'other')}" if others else message.recipient


def delivery_columns(zone: str) -> list[tables.Column]:
    """When a message is or was sent, and how it went, for every table of messages."""
    return [
        tables.computed(
            "Sent or due",
            lambda row: formats.instant(
                row.not_before if row.state is MessageState.WAITING else row.delivered_at, zone
            ),
        ),
        tables.count("Attempts", "attempts"),
        tables.computed("Last error", lambda row: formats.with_days(row.last_error)),
    ]


def unsent(row: MessageRow) -> str:
    """Of a mail that has not left, or not to all: to whom, and what became of it."""
    mail = f"Mail ({topic(row.topic).lower()}) to {receiving.recipients_of(row).in_words()}"
    problem = f": {formats.with_days(row.last_error)}" if row.last_error else ""
    match row.state:
        case MessageState.HELD_BACK:
            return f"{mail} kept in the outbox: nobody has got it"
        case MessageState.FAILED:
            return f"{mail} failed{problem}"
    return f"{mail} waits to be sent{problem}"


def history(message: MessageRow | OutboxMessage, zone: str) -> str:
    """Who queued it and when, and what became of it."""
    queued = f"{topic(message.topic)}, queued by {message.created_by} on {formats.instant(message.created_at, zone)}"
    attempts = f" after {formats.counted(message.attempts, 'attempt')}" if message.attempts else ""
    match message.state:
        case MessageState.DELIVERED:
            return f"{queued}; sent on {formats.instant(message.delivered_at, zone)}"
        case MessageState.WAITING:
            step = "next attempt" if attempts else "to be sent"
            return f"{queued}; {step} on {formats.instant(message.not_before, zone)}{attempts}"
        case MessageState.BOUNCED:
            sent, back = (formats.instant(at, zone) for at in (message.delivered_at, message.bounced_at))
            return f"{queued}; sent on {sent}; came back on {back}"
        case MessageState.FAILED:
            return f"{queued}; failed{attempts}"
        case MessageState.RECALLED:
            return f"{queued}; recalled before it was sent"
        case _:
            return f"{queued}; kept, because nothing was set up to send it"
