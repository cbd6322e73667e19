"""Requests that a program may repeat without repeating their work, and their answers.

A row exists from the request's beginning. ``changed_at`` is set in the transaction that does the work, so that after a
crash it is known whether the work was done, even where its answer was lost.

Whoever begins a request, or takes it over from a process that seems dead, claims its row. Only who holds the claim can
commit: one that was merely slow, and goes on after all, does nothing a second time.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Index, LargeBinary, String, UniqueConstraint, and_, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing_core.database import Base
from billing_core.database.types import BigId
from billing_core.errors import Conflict


class IdempotentRequest(Base):
    """``fingerprint``: the hash of the request. ``claim``: the token of whoever carries it out, and ``process_id`` its
    process, NULL where no jobs run there. ``status`` NULL: not answered yet. ``body``: compressed.
    """

    __tablename__ = "idempotent_requests"
    __table_args__ = (
        UniqueConstraint("caller", "key"),
        Index("ix_idempotent_requests_started_at", "started_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    caller: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    claim: Mapped[str] = mapped_column(String(32), server_default="")
    process_id: Mapped[str | None] = mapped_column(String(40))
    started_at: Mapped[datetime]
    changed_at: Mapped[datetime | None]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out the request of this row, until somebody else takes it over."""

    request_id: int
    token: str

    def holds(self) -> ColumnElement[bool]:
        """In SQL: nobody has taken it over."""
        return and_(IdempotentRequest.id == self.request_id, IdempotentRequest.claim == self.token)


def new_token() -> str:
    return secrets.token_hex(16)


def mark_changed(session: Session, claim: Claim, *, now: datetime) -> None:
    """Record, in the transaction that does the request's work, that it is done. Conflict where somebody else has taken
    the request over meanwhile: then the work is theirs, and this transaction must not commit.
    """
    done = update(IdempotentRequest).where(claim.holds()).values(changed_at=now).returning(IdempotentRequest.id)
    if session.scalar(done.execution_options(synchronize_session=False)) is None:
        raise Conflict("This took so long that a repetition of the request is carried out in its place. Ask for that.")
