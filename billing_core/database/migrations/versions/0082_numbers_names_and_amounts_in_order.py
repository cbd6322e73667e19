"""Where numbers and names stand in lists, amounts by their currency, and PostgreSQL's function for texts elsewhere.

It says the same as ``natural_order`` of ``database/ordering.py``.
"""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import name_orders

revision = "0082"
down_revision = "0081"

_KEPT = (
    ("customers", "ref", "ref_order"),
    ("invoices", "number", "number_order"),
    ("invoices", "customer_name", "customer_name_order"),
    ("billing_reports", "customer_name", "customer_name_order"),
)
_LISTED = sa.text("state <> 'cancelled' OR number IS NOT NULL")
_INDEXES = (
    ("ix_customers_ref_order", "customers", ("ref_order",)),
    ("ix_invoices_number_order", "invoices", ("business_id", "number_order")),
    ("ix_invoices_customer_name_order", "invoices", ("customer_name_order",)),
    ("ix_invoices_currency_total", "invoices", ("currency", "total_minor")),
    ("ix_invoices_currency_due", "invoices", ("currency", "due_minor")),
    ("ix_billing_reports_customer_name_order", "billing_reports", ("customer_name_order",)),
    ("ix_billing_reports_currency_total", "billing_reports", ("currency", "total_minor")),
    ("ix_payments_amount", "payments", ("currency", "amount_minor")),
    ("ix_payment_links_amount", "payment_links", ("currency", "amount_minor")),
)
# Each number gets zeros in front, as many as it may have digits; then all but so many digits go, where they are zeros.
_FUNCTION = r"""
CREATE FUNCTION natural_order(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(
        regexp_replace(folded(given), '([0-9]+)', '00000000000000000000\1', 'g'), '0*([0-9]{20,})', '\1', 'g'
    )
$$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(_FUNCTION)
    for table, name, order in _KEPT:
        name_orders.add(table, name, order)
    op.drop_index("ix_billing_reports_total", "billing_reports")
    for index, table, columns in _INDEXES:
        listed = _LISTED if table == "invoices" else None
        op.create_index(index, table, [*columns, "id"], sqlite_where=listed, postgresql_where=listed)


def downgrade() -> None:
    for index, table, _ in _INDEXES:
        op.drop_index(index, table)
    op.create_index("ix_billing_reports_total", "billing_reports", ["total_minor", "id"])
    for table, _, order in _KEPT:
        op.drop_column(table, order)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION natural_order(text)")
