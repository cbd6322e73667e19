"""How prepaid credit is topped up, and which purchases did."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "prepaid_top_ups",
        sa.Column("customer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("below_minor", sa.BigInteger(), nullable=False),
        sa.Column("up_to_minor", sa.BigInteger(), nullable=False),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.Column("sends", sa.Boolean(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("below_minor > 0 AND up_to_minor >= below_minor", name=op.f("ck_prepaid_top_ups_amounts")),
        sa.CheckConstraint("valid_days > 0", name=op.f("ck_prepaid_top_ups_valid_days")),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_prepaid_top_ups_customer_id_customers"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_prepaid_top_ups")),
    )
    op.add_column("prepaid_purchases", sa.Column("automatic", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("prepaid_purchases", "automatic")
    op.drop_table("prepaid_top_ups")
