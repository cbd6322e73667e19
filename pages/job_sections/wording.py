"""Queues, processes and spans of time, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from billing_core.jobs.overview.processes import ProcessRow, ProcessState
from billing_core.processes.models import ProcessKind, Queue
from pages.ui import formats
from pages.ui.colors import Color


@dataclass(frozen=True, slots=True)
class Words:
    """``noun``: the singular of one thing in the queue, which takes an s. ``page``: where the work itself is seen."""

    title: str
    noun: str
    page: str = ""
    query: Mapping[str, str] | None = None


QUEUES: dict[Queue, Words] = {
    Queue.BILL_RUNS: Words("Bill runs", "customer", "reports.py", {"tab": "Generate"}),
    Queue.IMPORTS: Words("Imports", "import", "imports.py"),
    Queue.MAILS: Words("Mails", "mail", "admin/outbox.py"),
    Queue.GATEWAYS: Words("Payment service", "message", "admin/outbox.py"),
    Queue.OUTGOING_WEBHOOKS: Words("Outgoing webhooks", "webhook", "admin/outgoing_webhooks.py"),
    Queue.INCOMING_WEBHOOKS: Words("Incoming webhooks", "event", "admin/incoming_webhooks.py"),
    Queue.SEALING: Words("Ledger seals", "seal", "admin/audit.py"),
    Queue.USAGE_ALERTS: Words("Usage alerts", "customer"),
    Queue.PREPAID_CREDIT: Words("Prepaid credit", "change"),
    Queue.RENEWALS: Words("Renewals", "subscription"),
    Queue.CHARGES: Words("Charges", "charge"),
    Queue.REMINDERS: Words("Reminders", "reminder", "admin/reminders.py"),
    Queue.LINK_EXPIRY: Words("Payment link expiry", "payment link", "payment_links.py"),
    Queue.PRUNING: Words("Pruning of old records", "record"),
    Queue.USAGE_ARCHIVES: Words("Archives of usage", "month"),
    Queue.BOUNCES: Words("Mails that came back", "mail", "admin/outbox.py", {"state": "bounced"}),
}
KINDS = {ProcessKind.APP: "Product", ProcessKind.WORKER: "Worker", ProcessKind.COMMAND: "Command"}
PROCESS_STATES: dict[ProcessState, tuple[str, Color]] = {
    ProcessState.LIVING: ("Living", "gray"),
    ProcessState.SILENT: ("Silent", "orange"),
    ProcessState.LOST: ("Lost", "red"),
    ProcessState.ENDED: ("Ended", "gray"),
}
_DISMISSED: tuple[str, Color] = ("Lost, dismissed", "gray")
PROCESS_COLORS: dict[str, Color] = dict([*PROCESS_STATES.values(), _DISMISSED])
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def process_state(row: ProcessRow) -> str:
    return (_DISMISSED if row.dismissed_at is not None else PROCESS_STATES[row.state])[0]


def span(seconds: int | None) -> str:
    """Seconds in the largest unit that has at least two of them, or the smallest: ``90 s``, ``3 min``, ``47 h``."""
    if seconds is None:
        return formats.NOTHING
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= 2 * size), _UNITS[-1])
    return formats.Written(f"{formats.count(seconds // size)}{formats.NO_BREAK_SPACE}{unit}", seconds)


def counted(queue: Queue, number: int) -> str:
    """``3 customers``, ``1 mail``."""
    return formats.counted(number, QUEUES[queue].noun)
