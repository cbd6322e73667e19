"""Bill runs and what became of each of their customers."""

import enum
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.bill_runs import RunGoal as RunGoal
from billing_core.bill_runs import RunSource as RunSource
from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import Percent
from billing_core.invoices.from_reports import Grouping
from billing_core.invoices.models import Invoice
from billing_core.reports.models import BillingReport


class RunOutcome(enum.StrEnum):
    """What became of a customer. WAITING: not finished yet. UNCHANGED: the current report still agrees with the orders
    and rates, or the usage of the period is billed already. In a rehearsal CREATED means that it would be, and FAILED
    that it could not.
    """

    WAITING = "waiting"
    CREATED = "created"
    UNCHANGED = "unchanged"
    FAILED = "failed"


class BillRun(Base):
    """Several customers billed over one period, in chunks that any process takes up. ``attempt`` counts its starts and
    resumptions: work of a former attempt stops by itself. ``with_links``: sent invoices get a payment link.
    ``tax_rate`` is that of the drafts, and so is ``line_grouping``, which usage lacks as it lacks services.
    ``all_customers``: nobody was chosen, so it bills everybody with something to bill. ``bound_to``: the one customer
    whom its author may bill, if any. It goes on unless one of ``paused_at``, ``cancelled_at`` (stopped by a person) and
    ``finished_at`` is set. ``pause_reason``: why it was paused, unless a person did. ``fruitless`` counts the attempts
    in a row that had to be begun again, with nobody finished since ``done_before`` customers were.
    """

    __tablename__ = "bill_runs"
    __table_args__ = (
        Index("ix_bill_runs_created_at", "created_at", "id"),
        Index("ix_bill_runs_finished_at", "finished_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[RunSource] = mapped_column(default=RunSource.ORDERS, server_default=RunSource.ORDERS.value)
    goal: Mapped[RunGoal] = mapped_column(default=RunGoal.REPORTS)
    with_links: Mapped[bool] = mapped_column(default=False)
    line_grouping: Mapped[Grouping] = mapped_column(default=Grouping.SERVICE)
    tax_rate: Mapped[Decimal] = mapped_column(Percent, default=Decimal(0))
    period_start: Mapped[date]
    period_end: Mapped[date]
    services: Mapped[str] = mapped_column(String(500), default="")
    all_customers: Mapped[bool] = mapped_column(default=False)
    attempt: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))
    bound_to: Mapped[int | None]
    paused_at: Mapped[datetime | None]
    pause_reason: Mapped[str] = mapped_column(String(500), default="")
    fruitless: Mapped[int] = mapped_column(default=0)
    done_before: Mapped[int] = mapped_column(default=0)
    cancelled_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


_WAITS = text("outcome = 'waiting'")
_FAILED = text("outcome = 'failed'")
_ENDED = text("finished_at IS NOT NULL")


class BillRunCustomer(Base):
    """One customer in a run. ``chunk``: the customers who are worked on together. ``process_id``: the process that has
    taken up the chunk. ``reason`` says in plain words why it failed, or why there is no invoice. ``made``: its
    report or billed period of usage was made by this run, not found. ``invoice_id``: the invoice that this run made,
    from its draft on; ``late_invoice_id``: another one, of what came late for earlier periods of usage. The figures are
    those of the report or the period, before tax, also of one that was only rehearsed; ``twice_count``, which
    rehearsals alone note, counts its charges that other current reports have as well. ``late_minor`` is what came late
    and is on both invoices, ``credited_minor`` what was credited of earlier periods: before tax, None where that is not
    known.
    """

    __tablename__ = "bill_run_customers"
    __table_args__ = (
        Index("ix_bill_run_customers_outcome", "run_id", "outcome", "customer_id"),
        Index("ix_bill_run_customers_chunk", "run_id", "chunk"),
        # Of few customers at any time: what processes have in hand, and what failed.
        Index("ix_bill_run_customers_in_hand", "process_id", "run_id", sqlite_where=_WAITS, postgresql_where=_WAITS),
        Index("ix_bill_run_customers_failed", "run_id", sqlite_where=_FAILED, postgresql_where=_FAILED),
        Index("ix_bill_run_customers_finished_at", "finished_at", sqlite_where=_ENDED, postgresql_where=_ENDED),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey(BillRun.id, ondelete="RESTRICT"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"), primary_key=True)
    chunk: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[RunOutcome] = mapped_column(default=RunOutcome.WAITING)
    report_id: Mapped[int | None] = mapped_column(ForeignKey(BillingReport.id, ondelete="RESTRICT"))
    made: Mapped[bool] = mapped_column(default=False)
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    # Without a reference, which SQLite would not take without making the table anew. Invoices are never deleted.
    late_invoice_id: Mapped[int | None] = mapped_column()
    total_minor: Mapped[int | None] = mapped_column(BigInteger)
    late_minor: Mapped[int | None] = mapped_column(BigInteger)
    credited_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    order_count: Mapped[int | None]
    question_count: Mapped[int | None]
    twice_count: Mapped[int | None]
    reason: Mapped[str] = mapped_column(String(500), default="")
    milliseconds: Mapped[int | None]
    process_id: Mapped[str | None] = mapped_column(String(40))
    finished_at: Mapped[datetime | None]
