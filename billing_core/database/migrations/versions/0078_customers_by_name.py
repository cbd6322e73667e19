"""Where the names of customers stand among names, which is not left to each database's own rules."""

from alembic import op

from billing_core.database.migrations import name_orders

revision = "0078"
down_revision = "0077"


def upgrade() -> None:
    name_orders.add("customers", "name", "name_order")
    op.drop_index("ix_customers_name", "customers")
    op.create_index("ix_customers_name_order", "customers", ["name_order", "id"])


def downgrade() -> None:
    op.drop_index("ix_customers_name_order", "customers")
    op.drop_column("customers", "name_order")
    op.create_index("ix_customers_name", "customers", ["name", "id"])
