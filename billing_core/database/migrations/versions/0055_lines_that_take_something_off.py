"""Lines of an invoice may take something off: vouchers, deposits, returns."""

from alembic import op

from billing_core.database.migrations import checks

revision = "0055"
down_revision = "0054"

_TABLE = "invoice_line_items"
_QUANTITY, _PRICE = "ck_invoice_line_items_quantity", "ck_invoice_line_items_unit_price"


def upgrade() -> None:
    checks.replace(_TABLE, _QUANTITY, "quantity > 0", "quantity <> 0")
    checks.replace(_TABLE, _PRICE, "unit_price >= 0", "unit_price >= 0 OR quantity > 0")


def downgrade() -> None:
    if op.get_bind().exec_driver_sql(f"SELECT 1 FROM {_TABLE} WHERE quantity < 0 OR unit_price < 0 LIMIT 1").scalar():
        raise NotImplementedError("there are lines that take something off: restore a backup instead")
    checks.replace(_TABLE, _PRICE, "unit_price >= 0 OR quantity > 0", "unit_price >= 0")
    checks.replace(_TABLE, _QUANTITY, "quantity <> 0", "quantity > 0")
