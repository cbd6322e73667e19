"""In which country our businesses write invoices, and their entries in company registers."""

import sqlalchemy as sa
from alembic import op

revision = "0081"
down_revision = "0080"


def upgrade() -> None:
    op.add_column("businesses", sa.Column("register_number", sa.String(120), nullable=False, server_default=""))
    op.add_column("businesses", sa.Column("country", sa.String(2), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("businesses", "country")
    op.drop_column("businesses", "register_number")
