"""Bill runs: many customers billed for one period, as reports, drafts or sent invoices, in the background."""

import enum


class RunSource(enum.StrEnum):
    """What a run bills: orders, by reports of them, or usage, by what customers' plans say."""

    ORDERS = "orders"
    USAGE = "usage"


class RunGoal(enum.StrEnum):
    """How far a run takes each customer. REHEARSAL: computes what would be made, and keeps only its figures. REPORTS:
    of orders alone.
    """

    REHEARSAL = "rehearsal"
    REPORTS = "reports"
    DRAFTS = "drafts"
    SENT = "sent"
