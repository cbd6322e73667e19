"""Where payment links stand by their customers' names, and which lines of invoices bill one order alone.

Lines that were made before bill all orders of their report together: which one each was of is not known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0093"
down_revision = "0092"

_LONGEST = 250
_ORDER = sa.String(length=_LONGEST).with_variant(sa.String(length=_LONGEST, collation="C"), "postgresql")
_OF_ORDERS = sa.text("order_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("payment_links", sa.Column("customer_name_order", _ORDER, server_default="", nullable=False))
    op.execute(
        "UPDATE payment_links SET customer_name_order = "
        "(SELECT customer_name_order FROM invoices WHERE invoices.id = payment_links.invoice_id)"
    )
    op.create_index("ix_payment_links_customer_name_order", "payment_links", ["customer_name_order", "id"])
    key = "CONSTRAINT fk_invoice_line_items_order_id_orders REFERENCES orders (id)"
    op.execute(f"ALTER TABLE invoice_line_items ADD COLUMN order_id BIGINT {key}")
    name = "ix_invoice_line_items_order_id"
    op.create_index(name, "invoice_line_items", ["order_id"], sqlite_where=_OF_ORDERS, postgresql_where=_OF_ORDERS)


def downgrade() -> None:
    op.drop_index("ix_invoice_line_items_order_id", "invoice_line_items")
    op.execute("ALTER TABLE invoice_line_items DROP COLUMN order_id")
    op.drop_index("ix_payment_links_customer_name_order", "payment_links")
    op.drop_column("payment_links", "customer_name_order")
