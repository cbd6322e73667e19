"""Files of promo codes."""

from billing_core.database.migrations import checks

revision = "0032"
down_revision = "0031"

_KINDS = (
    "customers",
    "services",
    "products",
    "rates",
    "orders",
    "order-items",
    "plans",
    "customer-plans",
    "usage",
)


def upgrade() -> None:
    checks.allow("import_files", "kind", "kind", (*_KINDS, "promo-codes"))


def downgrade() -> None:
    checks.allow("import_files", "kind", "kind", _KINDS)
