"""Outgoing messages and their states."""

import enum
from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.database import Base
from billing_core.database.types import BigId

# The channel whose messages people may recall. Messages to other systems must follow our changes: without them a
# gateway would, for example, still take payments by a link that has ended.
RECALLABLE: Final = "mail"
# The channel of webhooks, which have a log of their own: there may be a thousand for each mail.
WEBHOOK: Final = "webhook"


class MessageState(enum.StrEnum):
    """WAITING: also between two tries. HELD_BACK: nothing was set up that could deliver it; a person releases it.
    FAILED: given up, for a person. BOUNCED: the mail server had taken it, and it came back from a receiver at least.
    """

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    RECALLED = "recalled"
    HELD_BACK = "held_back"
    BOUNCED = "bounced"

    @property
    def word(self) -> str:
        """What became of a mail, in the one word by which people read of it everywhere."""
        return _WORDS[self]


_WORDS: Final = {
    MessageState.WAITING: "waiting",
    MessageState.DELIVERED: "sent",
    MessageState.FAILED: "failed",
    MessageState.RECALLED: "recalled",
    MessageState.HELD_BACK: "kept",
    MessageState.BOUNCED: "bounced",
}

_LEFT = text("delivered_at IS NOT NULL")
_CLAIMED = text("claimed_until IS NOT NULL")
_MAIL = text("mail_id IS NOT NULL")


class OutboxMessage(Base):
    """One message to deliver once. ``key`` is unique and names it for the receiver (a mail's Message-ID is made of it).
    ``content`` is what the adapter of its ``channel`` needs. Of a mail to several, ``recipient`` is the first of
    ``receivers`` (to, CC and BCC, a list each; NULL: it is the only one), and ``answers`` what was said of each once
    some have it and others not: an empty text, it has it. ``not_before`` is the instant of the next try; until the
    first one it can be recalled. ``claimed_until``: the process ``claimed_by`` is delivering it. ``mail_id`` is what
    stands before the @ of a mail's Message-ID, by which mail servers name what they could not deliver; ``bounced_at``:
    when the first of them told so, after it had been taken.
    """

    __tablename__ = "outbox_messages"
    __table_args__ = (
        Index("ix_outbox_messages_due", "state", "not_before", "id"),
        # Of few messages at any time: a claim ends with the try.
        Index("ix_outbox_messages_claimed_by", "claimed_by", sqlite_where=_CLAIMED, postgresql_where=_CLAIMED),
        Index("ix_outbox_messages_subject", "subject_kind", "subject_id"),
        Index("ix_outbox_messages_created_at", "created_at", "id"),
        Index("ix_outbox_messages_mail_id", "mail_id", sqlite_where=_MAIL, postgresql_where=_MAIL),
        Index("ix_outbox_messages_delivered_at", "delivered_at", "channel", sqlite_where=_LEFT, postgresql_where=_LEFT),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)
    channel: Mapped[str] = mapped_column(String(16))
    topic: Mapped[str] = mapped_column(String(32))
    recipient: Mapped[str] = mapped_column(String(320))
    receivers: Mapped[list[list[str]] | None] = mapped_column(JSON(none_as_null=True))
    answers: Mapped[dict[str, Any] | None]
    title: Mapped[str] = mapped_column(String(500))
    content: Mapped[dict[str, Any]]
    subject_kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(64))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id", ondelete="RESTRICT"))
    state: Mapped[MessageState] = mapped_column(default=MessageState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(String(40))
    last_error: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))
    delivered_at: Mapped[datetime | None]
    mail_id: Mapped[str | None] = mapped_column(String(40))
    bounced_at: Mapped[datetime | None]

    @property
    def recallable(self) -> bool:
        """A mail that nobody has tried to deliver yet."""
        untried = self.attempts == 0 and self.state in (MessageState.WAITING, MessageState.HELD_BACK)
        return untried and self.channel == RECALLABLE
