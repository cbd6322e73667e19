"""What a subscription replaced: the plan that a customer was put on by hand for the same day."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    op.add_column("customer_plans", sa.Column("replaced", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("customer_plans", "replaced")
