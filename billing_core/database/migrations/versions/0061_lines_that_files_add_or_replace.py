"""Files of order lines say what becomes of the lines that their orders have, and imports count those that went."""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    for table in ("import_files", "import_runs"):
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN lines VARCHAR(32) "
            "CONSTRAINT lines CHECK (lines IN ('add', 'replace', 'change'))"
        )
    op.add_column("import_runs", sa.Column("gone_count", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("import_runs", "gone_count")
    for table in ("import_runs", "import_files"):
        op.drop_column(table, "lines")
