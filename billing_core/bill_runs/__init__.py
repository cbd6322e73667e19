"""Bill runs: many customers billed for one period, as reports, drafts or sent invoices, in the background."""

import enum


class RunGoal(enum.StrEnum):
    """How far a run takes each customer. REHEARSAL: computes what REPORTS would make, and keeps only its figures."""

    REHEARSAL = "rehearsal"
    REPORTS = "reports"
    DRAFTS = "drafts"
    SENT = "sent"
