"""Bill runs over usage."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    # As SQL: SQLite takes a column's CHECK only together with the column.
    op.execute(
        "ALTER TABLE bill_runs ADD COLUMN source VARCHAR(32) NOT NULL DEFAULT 'orders'"
        " CONSTRAINT runsource CHECK (source IN ('orders', 'usage'))"
    )
    op.execute("ALTER TABLE bill_run_customers RENAME COLUMN made_report TO made")


def downgrade() -> None:
    op.execute("DELETE FROM bill_run_customers WHERE run_id IN (SELECT id FROM bill_runs WHERE source = 'usage')")
    op.execute("DELETE FROM bill_runs WHERE source = 'usage'")
    op.execute("ALTER TABLE bill_run_customers RENAME COLUMN made TO made_report")
    op.drop_column("bill_runs", "source")
