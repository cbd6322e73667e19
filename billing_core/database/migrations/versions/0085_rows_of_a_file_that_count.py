"""Files say which of several rows of one key counts, and whether their columns were matched by guessing."""

import sqlalchemy as sa
from alembic import op

revision = "0085"
down_revision = "0084"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE import_files ADD COLUMN repeats VARCHAR(32) "
        "CONSTRAINT repeats CHECK (repeats IN ('first', 'last'))"
    )
    op.add_column("import_files", sa.Column("guessed", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    for column in ("guessed", "repeats"):
        op.drop_column("import_files", column)
