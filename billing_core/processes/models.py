"""The processes that work in the background, which kinds of work are paused, and what failed at its last time."""

import enum
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.database import Base


class ProcessKind(enum.StrEnum):
    """APP: serves the dashboard too. WORKER: beside it. COMMAND: ends when its own work is done."""

    APP = "app"
    WORKER = "worker"
    COMMAND = "command"


class Queue(enum.StrEnum):
    """The kinds of background work."""

    BILL_RUNS = "bill runs"
    IMPORTS = "imports"
    MAILS = "mails"
    GATEWAYS = "gateway messages"
    OUTGOING_WEBHOOKS = "outgoing webhooks"
    INCOMING_WEBHOOKS = "incoming webhooks"
    SEALING = "ledger seals"
    USAGE_ALERTS = "usage alerts"
    PREPAID_CREDIT = "prepaid credit"
    RENEWALS = "renewals"
    CHARGES = "charges"
    REMINDERS = "reminders"
    LINK_EXPIRY = "payment link expiry"
    PRUNING = "pruning"
    USAGE_ARCHIVES = "usage archives"
    BOUNCES = "bounces"


# What this version knows: a newer one beside it may have written others.
KNOWN_QUEUES: Final = frozenset(queue.value for queue in Queue)


class Process(Base):
    """A process that takes up work, from its start on. ``id`` is also DBOS's executor id. It says that it lives by
    ``last_heard_at``, of the database's clock. ``ended_at``: it said goodbye. ``lost_at``: others noticed that it no
    longer speaks; what it had taken up was set free then, and ``in_hand`` says how many things by their ``Queue``.
    ``dismissed_at``: a person has seen that it was lost.
    """

    __tablename__ = "processes"
    __table_args__ = (Index("ix_processes_living", "ended_at", "lost_at", "last_heard_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[ProcessKind]
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int]
    version: Mapped[str] = mapped_column(String(40))
    started_at: Mapped[datetime]
    last_heard_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]
    in_hand: Mapped[dict[str, Any]] = mapped_column(default=dict)
    dismissed_at: Mapped[datetime | None]


class PausedQueue(Base):
    """A kind of work that no process takes up until somebody resumes it."""

    __tablename__ = "paused_queues"

    queue: Mapped[Queue] = mapped_column(primary_key=True)
    paused_at: Mapped[datetime]
    paused_by_id: Mapped[int | None]
    paused_by: Mapped[str] = mapped_column(String(200))


class FailedSchedule(Base):
    """Work that is due by the clock, and failed the last time. ``reason``: for people."""

    __tablename__ = "failed_schedules"

    queue: Mapped[Queue] = mapped_column(primary_key=True)
    failed_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(500))
