"""Mails that came back: what mail servers told, by the Message-IDs of our mails, which are kept from now on."""

import hashlib

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0079"
down_revision = "0078"

_EVENTS = (
    *("created", "edited", "sent", "mailed", "viewed", "downloaded", "reminded", "held", "released"),
    *("marked_overdue", "payment", "payment_undone", "payment_failed", "credit_applied", "credit_note"),
    *("refunded", "written_off", "write_off_undone", "cancelled"),
    *("link_issued", "link_ended", "disputed", "dispute_closed"),
)
_NEW_EVENTS = ("bounced", "delayed")
_STATES = ("waiting", "delivered", "failed", "recalled", "held_back")
_OPEN = sa.text("final AND dismissed_at IS NULL")
_MAIL = sa.text("mail_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("outbox_messages", sa.Column("mail_id", sa.String(length=40), nullable=True))
    op.add_column("outbox_messages", sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True))
    _keep_message_ids()
    op.create_index(
        "ix_outbox_messages_mail_id", "outbox_messages", ["mail_id"], sqlite_where=_MAIL, postgresql_where=_MAIL
    )
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "mail_bounces",
        sa.Column("id", big, nullable=False),
        sa.Column("message_id", big, nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("on_record", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dismissed_by_id", sa.Integer(), nullable=True),
        sa.Column("dismissed_by", sa.String(length=200), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoices.id"],
            name=op.f("fk_mail_bounces_invoice_id_invoices"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["outbox_messages.id"],
            name=op.f("fk_mail_bounces_message_id_outbox_messages"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_bounces")),
        sa.UniqueConstraint("message_id", "address_key", name=op.f("uq_mail_bounces_message_id_address_key")),
    )
    op.create_index("ix_mail_bounces_open", "mail_bounces", ["address_key"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("ix_mail_bounces_invoice_id", "mail_bounces", ["invoice_id"])
    checks.allow("outbox_messages", "messagestate", "state", (*_STATES, "bounced"))
    checks.allow("invoice_events", "eventkind", "kind", (*_EVENTS, *_NEW_EVENTS))


def _keep_message_ids() -> None:
    """Mails that were sent before may come back too."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.connection.driver_connection.create_function("mail_id_of", 1, _mail_id)  # type: ignore[union-attr]
        computed = "mail_id_of(key)"
    else:
        computed = "left(encode(sha256(convert_to(key, 'UTF8')), 'hex'), 40)"
    connection.exec_driver_sql(f"UPDATE outbox_messages SET mail_id = {computed} WHERE channel = 'mail'")


def _mail_id(key: str) -> str:
    """As mails have it in their Message-IDs."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def downgrade() -> None:
    """What happened to invoices stays told: their history is append-only."""
    op.execute("UPDATE outbox_messages SET state = 'delivered' WHERE state = 'bounced'")
    checks.allow("outbox_messages", "messagestate", "state", _STATES)
    op.drop_table("mail_bounces")
    op.drop_index("ix_outbox_messages_mail_id", "outbox_messages")
    op.drop_column("outbox_messages", "bounced_at")
    op.drop_column("outbox_messages", "mail_id")
