"""Files of which the good rows are imported without those that are rejected."""

import sqlalchemy as sa
from alembic import op

revision = "0088"
down_revision = "0087"


def upgrade() -> None:
    op.add_column("import_files", sa.Column("may_set_aside", sa.Integer(), server_default="0", nullable=False))
    op.add_column("import_runs", sa.Column("set_aside_count", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("import_runs", "set_aside_count")
    op.drop_column("import_files", "may_set_aside")
