"""The newest of several rows of one key may be the one that counts; files keep which orders were left out of them."""

from alembic import op

from billing_core.database.migrations import checks

revision = "0092"
down_revision = "0091"


def upgrade() -> None:
    checks.allow("import_files", "repeats", "repeats", ("first", "last", "newest"))
    checks.allow("import_file_parts", "holds", "holds", ("received", "rejected", "gone", "left out"))


def downgrade() -> None:
    op.execute("UPDATE import_files SET repeats = NULL WHERE repeats = 'newest'")
    op.execute("DELETE FROM import_file_parts WHERE holds = 'left out'")
    checks.allow("import_file_parts", "holds", "holds", ("received", "rejected", "gone"))
    checks.allow("import_files", "repeats", "repeats", ("first", "last"))
