"""A file that holds several kinds has a row for each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0086"
down_revision = "0085"


def upgrade() -> None:
    key = "CONSTRAINT fk_import_files_source_id_import_files REFERENCES import_files (id)"
    op.execute(f"ALTER TABLE import_files ADD COLUMN source_id INTEGER {key}")
    op.add_column("import_files", sa.Column("left_out", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index("ix_import_files_source_id", "import_files", ["source_id"])


def downgrade() -> None:
    """What is on its way is thrown away, as no former version knows that several rows are one file."""
    op.execute(
        "DELETE FROM import_file_parts WHERE file_id IN (SELECT id FROM import_files WHERE source_id IS NOT NULL)"
    )
    op.execute("DELETE FROM import_files WHERE source_id IS NOT NULL")
    op.drop_index("ix_import_files_source_id", "import_files")
    for column in ("left_out", "source_id"):
        op.execute(f"ALTER TABLE import_files DROP COLUMN {column}")
