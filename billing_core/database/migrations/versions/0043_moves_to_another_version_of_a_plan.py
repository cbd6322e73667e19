"""Moves to another version of a plan."""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0043"
down_revision = "0042"

_MAILS = (
    *("invoice", "reminder_before", "reminder_due", "reminder_late", "credit_note", "statement", "usage_alert"),
    *("trial_ending", "charge_failed", "card_expiring", "subscription_ended"),
)
_NEW = ("plan_move", "plan_move_withdrawn")


def upgrade() -> None:
    op.create_table(
        "plan_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by_id", sa.Integer(), nullable=True),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plans.id"], name=op.f("fk_plan_moves_plan_id_plans"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["plan_versions.id"],
            name=op.f("fk_plan_moves_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_moves")),
    )
    op.create_index("ix_plan_moves_plan_id", "plan_moves", ["plan_id", "id"], unique=False)
    op.create_index("uq_plan_moves_token", "plan_moves", ["token"], unique=True)
    op.create_table(
        "moved_subscriptions",
        sa.Column("move_id", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("from_version_id", sa.Integer(), nullable=False),
        sa.Column("period_number", sa.Integer(), nullable=False),
        sa.Column("before_minor", sa.BigInteger(), nullable=False),
        sa.Column("after_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "mail",
            sa.Enum(
                "none",
                "due",
                "told",
                "recall_due",
                "recalled",
                name="movemail",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.CheckConstraint("before_minor >= 0 AND after_minor >= 0", name=op.f("ck_moved_subscriptions_not_negative")),
        sa.ForeignKeyConstraint(
            ["from_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_moved_subscriptions_from_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["move_id"], ["plan_moves.id"], name=op.f("fk_moved_subscriptions_move_id_plan_moves"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_moved_subscriptions_subscription_id_subscriptions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("move_id", "subscription_id", name=op.f("pk_moved_subscriptions")),
    )
    op.create_index(
        "ix_moved_subscriptions_mail",
        "moved_subscriptions",
        ["move_id"],
        unique=False,
        sqlite_where=sa.text("mail IN ('due', 'recall_due')"),
        postgresql_where=sa.text("mail IN ('due', 'recall_due')"),
    )
    op.create_index("ix_moved_subscriptions_subscription_id", "moved_subscriptions", ["subscription_id"], unique=False)
    # SQLite takes a column's foreign key only together with the column.
    op.execute(
        "ALTER TABLE subscription_changes ADD COLUMN move_id INTEGER "
        "CONSTRAINT fk_subscription_changes_move_id_plan_moves REFERENCES plan_moves (id)"
    )
    waits = sa.CheckConstraint(
        "(move_id IS NULL) = (not_before IS NULL)", name=op.f("ck_subscription_changes_moves_wait_for_a_day")
    )
    op.add_column("subscription_changes", sa.Column("not_before", sa.Date(), waits, nullable=True))
    op.create_index(
        "uq_subscription_changes_move_id", "subscription_changes", ["move_id", "subscription_id"], unique=True
    )
    op.create_index(
        "uq_subscription_changes_moving",
        "subscription_changes",
        ["subscription_id"],
        unique=True,
        sqlite_where=sa.text("move_id IS NOT NULL AND state = 'scheduled'"),
        postgresql_where=sa.text("move_id IS NOT NULL AND state = 'scheduled'"),
    )
    checks.allow("mail_texts", "mailkind", "kind", (*_MAILS, *_NEW))


def downgrade() -> None:
    # The former version would begin with them too early.
    op.execute("UPDATE subscription_changes SET state = 'withdrawn' WHERE state = 'scheduled' AND move_id IS NOT NULL")
    kinds = ", ".join(f"'{kind}'" for kind in _NEW)
    op.execute(f"DELETE FROM mail_texts WHERE kind IN ({kinds})")
    checks.allow("mail_texts", "mailkind", "kind", _MAILS)
    op.drop_index(
        "uq_subscription_changes_moving",
        table_name="subscription_changes",
        sqlite_where=sa.text("move_id IS NOT NULL AND state = 'scheduled'"),
        postgresql_where=sa.text("move_id IS NOT NULL AND state = 'scheduled'"),
    )
    op.drop_index("uq_subscription_changes_move_id", table_name="subscription_changes")
    op.drop_column("subscription_changes", "not_before")
    op.drop_column("subscription_changes", "move_id")
    op.drop_index("ix_moved_subscriptions_subscription_id", table_name="moved_subscriptions")
    op.drop_index(
        "ix_moved_subscriptions_mail",
        table_name="moved_subscriptions",
        sqlite_where=sa.text("mail IN ('due', 'recall_due')"),
        postgresql_where=sa.text("mail IN ('due', 'recall_due')"),
    )
    op.drop_table("moved_subscriptions")
    op.drop_index("uq_plan_moves_token", table_name="plan_moves")
    op.drop_index("ix_plan_moves_plan_id", table_name="plan_moves")
    op.drop_table("plan_moves")
