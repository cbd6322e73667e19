"""What runs and their states are called."""

from collections.abc import Sequence

from billing_core.bill_runs.models import RunGoal, RunOutcome, RunSource
from billing_core.bill_runs.progress import ItemRow, Progress
from billing_core.bill_runs.rehearsal import Change, Compared
from pages.ui import formats, tables
from pages.ui.text import md

# As a choice, and as what a run is.
CHOICES = {
    RunGoal.REHEARSAL: "Rehearse",
    RunGoal.REPORTS: "Make reports",
    RunGoal.DRAFTS: "Draft invoices",
    RunGoal.SENT: "Send invoices",
}
EXPLAINED = {
    RunSource.ORDERS: {
        RunGoal.REHEARSAL: "Computes every report and shows what changed since the period before. Nothing is made.",
        RunGoal.REPORTS: "Makes a report for each customer, or a new version where something changed.",
        RunGoal.DRAFTS: "Makes the reports, and a draft of an invoice for each that bills something. Nothing is sent.",
        RunGoal.SENT: "Makes the reports and their invoices, numbers them, and mails each to its customer.",
    },
    RunSource.USAGE: {
        RunGoal.REHEARSAL: "Computes what each would be billed, and says what could not be. Nothing is made.",
        RunGoal.DRAFTS: (
            "Makes a draft for each customer, once. A period that comes to nothing is closed with its explanation. "
            "Nothing is sent."
        ),
        RunGoal.SENT: (
            "Makes the drafts, numbers them, and mails each to its customer. A period that comes to nothing is closed "
            "with its explanation, without number and mail."
        ),
    },
}
NAMES = {
    RunGoal.REHEARSAL: "Rehearsal",
    RunGoal.REPORTS: "Reports",
    RunGoal.DRAFTS: "Draft invoices",
    RunGoal.SENT: "Invoices by mail",
}
OUTCOMES = {
    RunSource.ORDERS: {
        RunOutcome.WAITING: "Waiting",
        RunOutcome.CREATED: "New",
        RunOutcome.UNCHANGED: "Unchanged",
        RunOutcome.FAILED: "Failed",
    },
    RunSource.USAGE: {
        RunOutcome.WAITING: "Waiting",
        RunOutcome.CREATED: "New",
        RunOutcome.UNCHANGED: "Billed before",
        RunOutcome.FAILED: "Failed",
    },
}
CLOSED = "Closed"
OUTCOME_COLORS = {
    "Waiting": "gray",
    "New": "gray",
    "Unchanged": "gray",
    "Billed before": "gray",
    CLOSED: "gray",
    "Failed": "red",
}
CHANGES = {
    Change.NEW: "New",
    Change.MISSING: "Missing",
    Change.MORE: "More",
    Change.LESS: "Less",
    Change.SAME: "Same",
    Change.OTHER_CURRENCY: "Other currency",
    Change.OPEN: "Not computed",
    Change.UNBILLED: "Nothing billed",
}
CHANGE_COLORS = {
    "New": "blue",
    "Missing": "orange",
    "More": "gray",
    "Less": "gray",
    "Same": "gray",
    "Other currency": "orange",
    "Not computed": "red",
    "Nothing billed": "red",
}


def title(run: Progress) -> str:
    """The run's heading, as Markdown."""
    links = " with payment links" if run.with_links else ""
    of_usage = " of usage" if run.source is RunSource.USAGE else ""
    return f"{NAMES[run.goal]}{of_usage}{links} for {md(formats.period(run.period))}"


def state(run: Progress) -> str:
    if run.finished_at is not None:
        return f"Done, {formats.count(run.failed)} failed" if run.failed else "Done"
    if run.cancelled_at is not None:
        return f"Stopped at {_place(run)}"
    if run.paused_at is not None:
        return f"Paused at {_place(run)}"
    return f"{'Running' if run.worked_on else 'Waiting for a process'}, {_place(run)}"


def counts(run: Progress) -> dict[str, int]:
    """What came of its customers, and how many questions are left open."""
    if run.source is RunSource.USAGE:
        return _counts_of_usage(run)
    new = "New or changed reports" if run.goal is RunGoal.REHEARSAL else "New reports"
    made = {
        RunGoal.DRAFTS: {"Drafts": run.drafts, "No invoice": run.uninvoiced},
        RunGoal.SENT: {"Invoices": run.drafts, "Sent": run.sent, "No invoice": run.uninvoiced},
    }.get(run.goal, {})
    return {new: run.created, "Unchanged": run.unchanged, **made, "Failed": run.failed, "Questions": run.questions}


def _counts_of_usage(run: Progress) -> dict[str, int]:
    if run.goal is RunGoal.REHEARSAL:
        made = {"To bill": run.created - run.empty, "Nothing to bill": run.empty}
    else:
        made = {"Drafts": run.drafts, "Closed with nothing": run.empty}
        if run.goal is RunGoal.SENT:
            made = {"Invoices": run.drafts, "Sent": run.sent, "Closed with nothing": run.empty}
    return {**made, "Billed before": run.unchanged, "Failed": run.failed}


def outcome(run: Progress, row: ItemRow) -> str:
    """What became of one customer."""
    nothing = row.total_minor == 0 and not row.late_minor and row.invoice_id is None
    closed = row.outcome is RunOutcome.CREATED and nothing
    return CLOSED if closed and run.source is RunSource.USAGE else OUTCOMES[run.source][row.outcome]


def late_usage(rows: Sequence[ItemRow] | Sequence[Compared]) -> list[tables.Column]:
    """What came late for earlier periods and is billed or credited besides, where any of these customers has some."""
    columns = []
    if any(row.late_minor for row in rows):
        columns.append(tables.money("Late usage", "late_minor", width=105))
    if any(row.credited_minor for row in rows):
        columns.append(tables.money("Credited", "credited_minor", width=105))
    return columns


def count_of(run: Progress, outcome: RunOutcome) -> int:
    """How many customers have this outcome."""
    counts = {
        RunOutcome.WAITING: run.waiting,
        RunOutcome.CREATED: run.created,
        RunOutcome.UNCHANGED: run.unchanged,
        RunOutcome.FAILED: run.failed,
    }
    return counts[outcome]


def seconds(value: int) -> str:
    """About how long that is."""
    if value < 90:
        return f"{formats.count(value)} s"
    minutes = -(-value // 60)
    return f"{formats.count(minutes)} min" if minutes < 90 else f"{formats.count(-(-minutes // 60))} h"


def _place(run: Progress) -> str:
    return f"{formats.count(run.done)} of {formats.count(run.total)}"
