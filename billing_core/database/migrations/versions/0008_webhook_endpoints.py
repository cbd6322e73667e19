"""Words of the field: subscribers are webhook endpoints, and payment links are created, not issued.

The audit trail and the history of invoices keep the words that they were written with: both are append-only.
"""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0008"
down_revision = "0007"

_STATES = ("active", "paid", "expired", "deactivated", "failed")
_ENDPOINT_COLUMNS = "id, public_id, url, description, events, secret_turn, active, created_at, created_by, version"


def upgrade() -> None:
    _move_endpoints("subscribers", "webhook_endpoints")
    op.execute("UPDATE outbox_messages SET subject_kind = 'webhook_endpoint' WHERE subject_kind = 'subscriber'")
    op.alter_column("payment_links", "issued_at", new_column_name="activated_at")
    _rename_state("issuing", "creating")


def downgrade() -> None:
    _rename_state("creating", "issuing")
    op.alter_column("payment_links", "activated_at", new_column_name="issued_at")
    op.execute("UPDATE outbox_messages SET subject_kind = 'subscriber' WHERE subject_kind = 'webhook_endpoint'")
    _move_endpoints("webhook_endpoints", "subscribers")


def _move_endpoints(before: str, after: str) -> None:
    """Copied instead of renamed: so its constraints and its sequence get their new names as well."""
    op.create_table(
        after,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("events", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("secret_turn", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{after}")),
        sa.UniqueConstraint("public_id", name=op.f(f"uq_{after}_public_id")),
    )
    op.execute(f"INSERT INTO {after} ({_ENDPOINT_COLUMNS}) SELECT {_ENDPOINT_COLUMNS} FROM {before}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"SELECT setval(pg_get_serial_sequence('{after}', 'id'), max(id)) FROM {after} HAVING max(id) IS NOT NULL"
        )
    op.drop_table(before)
    op.create_index(f"ix_{after}_active", after, ["active"])


def _rename_state(before: str, after: str) -> None:
    checks.allow("payment_links", "linkstate", "state", (before, after, *_STATES))
    op.drop_index("uq_payment_links_living", "payment_links")
    op.execute(f"UPDATE payment_links SET state = '{after}' WHERE state = '{before}'")
    living = sa.text(f"state IN ('{after}', 'active')")
    op.create_index(
        "uq_payment_links_living",
        "payment_links",
        ["invoice_id"],
        unique=True,
        sqlite_where=living,
        postgresql_where=living,
    )
    checks.allow("payment_links", "linkstate", "state", (after, *_STATES))
