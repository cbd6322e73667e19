"""Files that programs post to be imported."""

import sqlalchemy as sa
from alembic import op

revision = "0095"
down_revision = "0094"


def upgrade() -> None:
    op.create_table(
        "posted_imports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("when_certain", sa.Boolean(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=True),
        sa.Column("confirm_token", sa.String(length=64), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["import_files.id"], name="fk_posted_imports_file_id_import_files", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_posted_imports"),
        sa.UniqueConstraint("file_id", name="uq_posted_imports_file_id"),
    )
    op.create_index("ix_posted_imports_owner", "posted_imports", ["owner", "id"])


def downgrade() -> None:
    """What is on its way is thrown away, as no former version knows whose it is."""
    mine = "SELECT file_id FROM posted_imports"
    jobs = f"SELECT job_id FROM import_files WHERE id IN ({mine})"
    op.execute(f"UPDATE import_jobs SET finished_at = requested_at WHERE finished_at IS NULL AND id IN ({jobs})")
    files = f"id IN ({mine}) OR source_id IN ({mine})"
    op.execute(f"UPDATE import_files SET state = 'discarded', job_id = NULL WHERE {files}")
    op.drop_index("ix_posted_imports_owner", "posted_imports")
    op.drop_table("posted_imports")
