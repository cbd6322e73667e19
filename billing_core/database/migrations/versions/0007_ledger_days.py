"""Totals by day of what the sealed ledger entries posted, and an index for what all payments come to."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_KINDS = (
    *("invoice", "payment", "refund", "credit_note", "credit_applied", "credit_paid_out", "write_off", "fee"),
    "reversal",
)
_ACCOUNTS = ("receivable", "revenue", "tax_payable", "cash", "fees", "customer_credit", "bad_debt")
_SEALED_BEFORE = """
INSERT INTO ledger_days (account, kind, effective_on, currency, amount_minor)
    SELECT p.account, coalesce(undone.kind, e.kind), e.effective_on, e.currency, sum(p.amount_minor)
    FROM ledger_seals s
    JOIN ledger_entries e ON e.id = s.entry_id
    JOIN ledger_postings p ON p.entry_id = e.id
    LEFT JOIN ledger_entries undone ON undone.id = e.reverses_id
    GROUP BY p.account, coalesce(undone.kind, e.kind), e.effective_on, e.currency
"""


def upgrade() -> None:
    op.create_table(
        "ledger_days",
        sa.Column("account", _one_of(_ACCOUNTS, "account"), nullable=False),
        sa.Column("kind", _one_of(_KINDS, "entrykind"), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "kind", "effective_on", "currency", name=op.f("pk_ledger_days")),
    )
    op.execute(_SEALED_BEFORE)
    standing = sa.text("undone_at IS NULL")
    op.create_index(
        "ix_payments_standing",
        "payments",
        ["currency", "amount_minor"],
        sqlite_where=standing,
        postgresql_where=standing,
    )


def _one_of(members: tuple[str, ...], name: str) -> sa.Enum:
    return sa.Enum(*members, name=name, native_enum=False, create_constraint=True, length=32)


def downgrade() -> None:
    op.drop_index("ix_payments_standing", "payments")
    op.drop_table("ledger_days")
