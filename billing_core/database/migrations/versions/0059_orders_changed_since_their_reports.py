"""Orders that have changed since their reports were made.

Of the reports there are it can be told whose day, state or lines are others, and which came into the period since.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"

_CURRENT: Final = "r.superseded_at IS NULL"
_IN_PERIOD: Final = (
    "o.customer_id = r.customer_id AND o.order_date BETWEEN r.period_start AND r.period_end "
    "AND o.status NOT IN ('draft', 'cancelled')"
)
_LINES: Final = "(SELECT {} FROM order_lines l WHERE l.order_id = o.id)"
_CHANGED: Final = (
    "INSERT INTO changed_orders (report_id, order_id) "
    f"SELECT r.id, o.id FROM billing_reports r JOIN orders o ON {_IN_PERIOD} WHERE {_CURRENT} "
    "AND NOT EXISTS (SELECT 1 FROM report_orders p WHERE p.report_id = r.id AND p.order_id = o.id) UNION "
    "SELECT r.id, o.id FROM billing_reports r JOIN report_orders p ON p.report_id = r.id "
    f"JOIN orders o ON o.id = p.order_id WHERE {_CURRENT} AND (NOT ({_IN_PERIOD}) "
    f"OR p.total_items <> {_LINES.format('COALESCE(SUM(l.quantity), 0)')} "
    f"OR p.line_items <> {_LINES.format('COUNT(*)')})"
)


def upgrade() -> None:
    op.create_table(
        "changed_orders",
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_changed_orders_order_id_orders"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["billing_reports.id"],
            name=op.f("fk_changed_orders_report_id_billing_reports"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("report_id", "order_id", name=op.f("pk_changed_orders")),
        sqlite_with_rowid=False,
    )
    op.execute(_CHANGED)


def downgrade() -> None:
    op.drop_table("changed_orders")
