"""A dropped file keeps the list of the order lines that it would remove."""

from alembic import op

from billing_core.database.migrations import checks

revision = "0062"
down_revision = "0061"

_TABLE, _CHECK = "import_file_parts", "holds"


def upgrade() -> None:
    checks.allow(_TABLE, _CHECK, "holds", ("received", "rejected", "gone"))


def downgrade() -> None:
    op.execute("DELETE FROM import_file_parts WHERE holds = 'gone'")
    checks.allow(_TABLE, _CHECK, "holds", ("received", "rejected"))
