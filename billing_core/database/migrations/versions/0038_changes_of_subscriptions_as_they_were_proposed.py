"""Changes of subscriptions as they were proposed."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    op.add_column("subscription_changes", sa.Column("token", sa.String(length=64), nullable=True))
    op.add_column("subscription_changes", sa.Column("proposed", sa.JSON(none_as_null=True), nullable=True))
    op.create_index(
        "ix_subscription_changes_state",
        "subscription_changes",
        ["state", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'charging'"),
        postgresql_where=sa.text("state = 'charging'"),
    )
    op.create_index("uq_subscription_changes_token", "subscription_changes", ["subscription_id", "token"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_subscription_changes_token", table_name="subscription_changes")
    op.drop_index(
        "ix_subscription_changes_state",
        table_name="subscription_changes",
        sqlite_where=sa.text("state = 'charging'"),
        postgresql_where=sa.text("state = 'charging'"),
    )
    op.drop_column("subscription_changes", "proposed")
    op.drop_column("subscription_changes", "token")
