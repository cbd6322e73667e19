"""Requests that a program may repeat without repeating their work, and their answers.

A row exists from the request's beginning. ``changed_at`` is set in the transaction that does the work, so that after a
crash it is known whether the work was done, even where its answer was lost.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, String, UniqueConstraint, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing_core.database import Base
from billing_core.database.types import BigId


class IdempotentRequest(Base):
    """``fingerprint``: the hash of the request. ``status`` NULL: not answered yet. ``body``: compressed."""

    __tablename__ = "idempotent_requests"
    __table_args__ = (
        UniqueConstraint("caller", "key"),
        Index("ix_idempotent_requests_started_at", "started_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    caller: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    changed_at: Mapped[datetime | None]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


def mark_changed(session: Session, request_id: int, *, now: datetime) -> None:
    """Record, in the transaction that does the request's work, that it is done."""
    session.execute(
        update(IdempotentRequest)
        .where(IdempotentRequest.id == request_id)
        .values(changed_at=now)
        .execution_options(synchronize_session=False)
    )
