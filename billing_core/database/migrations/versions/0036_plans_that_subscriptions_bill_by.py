"""Which subscription bills a customer's usage, and whether it is in its trial."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"

_TABLE = "customer_plans"


def upgrade() -> None:
    with_plan = sa.CheckConstraint(
        "billed_with IS NULL OR plan_version_id IS NOT NULL", name=op.f("ck_customer_plans_billed_with_a_plan")
    )
    op.add_column(_TABLE, sa.Column("billed_with", sa.String(length=40), with_plan, nullable=True))
    of_one = sa.CheckConstraint(
        "NOT in_trial OR billed_with IS NOT NULL", name=op.f("ck_customer_plans_trial_of_a_subscription")
    )
    op.add_column(_TABLE, sa.Column("in_trial", sa.Boolean(), of_one, server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column(_TABLE, "in_trial")
    op.drop_column(_TABLE, "billed_with")
