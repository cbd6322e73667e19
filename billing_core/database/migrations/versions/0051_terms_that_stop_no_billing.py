"""A business without payment terms gets those that it had in effect before terms were read: 30 days, without which
nothing that is billed by itself would have a due date.

And a top-up of prepaid credit notes why it could not be invoiced.
"""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    op.execute("UPDATE businesses SET payment_terms = 'Net 30' WHERE TRIM(payment_terms) = ''")
    op.add_column("prepaid_top_ups", sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("prepaid_top_ups", sa.Column("refusal", sa.String(500), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("prepaid_top_ups", "refusal")
    op.drop_column("prepaid_top_ups", "refused_at")
