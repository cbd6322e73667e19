"""What mail servers told of our mails after they had taken them, and how far their mailbox is read."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.database import Base
from billing_core.database.types import BigId
from billing_core.invoices.models import Invoice
from billing_core.outbox.models import OutboxMessage

LONGEST_REASON = 500
_OPEN = text("final AND dismissed_at IS NULL")


class Bounce(Base):
    """One receiver of a mail who did not get it. ``final``: never will; otherwise it is late and still being tried.
    ``address`` is as the mail has it, ``address_key`` as mail servers know it, in small letters. ``status`` is RFC
    3463's code, such as 5.1.1, and ``reason`` the server's own words: what anybody may have written.
    ``invoice_id``: what the mail was about. ``on_record``: when it came back, the address was the customer's or the
    invoice's, and not one that somebody had typed for this mail alone. ``dismissed_at``: a person says that the address
    may be written to again.
    """

    __tablename__ = "mail_bounces"
    __table_args__ = (
        UniqueConstraint("message_id", "address_key"),
        Index("ix_mail_bounces_open", "address_key", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_mail_bounces_invoice_id", "invoice_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    message_id: Mapped[int] = mapped_column(BigId, ForeignKey(OutboxMessage.id, ondelete="RESTRICT"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    address: Mapped[str] = mapped_column(String(320))
    address_key: Mapped[str] = mapped_column(String(320))
    final: Mapped[bool]
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(LONGEST_REASON))
    on_record: Mapped[bool] = mapped_column(default=False, server_default=false())
    told_at: Mapped[datetime]
    dismissed_at: Mapped[datetime | None]
    dismissed_by_id: Mapped[int | None]
    dismissed_by: Mapped[str] = mapped_column(String(200), default="", server_default="")


class ReadMailbox(Base):
    """How far a mailbox is read, by its ``name`` (user, server and folder): all up to ``last_uid``, among the numbers
    that this ``uid_validity`` has given (RFC 3501).
    """

    __tablename__ = "read_mailboxes"

    name: Mapped[str] = mapped_column(String(500), primary_key=True)
    uid_validity: Mapped[int] = mapped_column(BigInteger)
    last_uid: Mapped[int] = mapped_column(BigInteger)
    read_at: Mapped[datetime]
