"""What was received before the day of the invoice that it paid is the customer's credit until that day.

Two entries for each such posting, neither of which changes what is owed today: on its day it becomes credit, and on the
invoice's day that credit pays the invoice. From that day on it is allocated, so what takes it back counts no earlier.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ENTRIES = sa.table(
    "ledger_entries",
    sa.column("id", _ID),
    *(sa.column(name) for name in ("business_id", "customer_id", "currency", "kind", "document", "memo")),
    sa.column("effective_on", sa.Date()),
    sa.column("recorded_at", sa.DateTime(timezone=True)),
    sa.column("recorded_by"),
)
_POSTINGS = sa.table(
    "ledger_postings",
    sa.column("id", _ID),
    *(sa.column(name) for name in ("entry_id", "account", "detail", "business_id", "customer_id", "invoice_id")),
    *(sa.column(name) for name in ("currency", "amount_minor")),
    sa.column("effective_on", sa.Date()),
    sa.column("recorded_at", sa.DateTime(timezone=True)),
)
_UNSEALED = sa.table("ledger_unsealed", sa.column("entry_id"))
_INVOICES = sa.table("invoices", sa.column("id"), sa.column("issued_on", sa.Date()))


def upgrade() -> None:
    connection, now = op.get_bind(), datetime.now(UTC)
    early = (
        sa.select(_POSTINGS, _INVOICES.c.issued_on)
        .join(_INVOICES, _INVOICES.c.id == _POSTINGS.c.invoice_id)
        .where(_POSTINGS.c.account == "receivable", _POSTINGS.c.effective_on < _INVOICES.c.issued_on)
        .order_by(_POSTINGS.c.id)
    )
    for posting in connection.execute(early).all():
        for day, minor in ((posting.effective_on, -posting.amount_minor), (posting.issued_on, posting.amount_minor)):
            _post(connection, posting, day, minor, now)
    op.execute(
        "UPDATE payment_allocations SET allocated_on = "
        "(SELECT i.issued_on FROM invoices i WHERE i.id = payment_allocations.invoice_id) WHERE allocated_on < "
        "(SELECT i.issued_on FROM invoices i WHERE i.id = payment_allocations.invoice_id)"
    )


def _post(connection: sa.Connection, posting: sa.Row[int], day: object, minor: int, now: datetime) -> None:
    """So much more is owed on the invoice from that day on, and is credit instead."""
    owner = {name: getattr(posting, name) for name in ("business_id", "customer_id", "currency")}
    times = {"effective_on": day, "recorded_at": now}
    facts = {"kind": "credit_applied", "document": f"invoice:{posting.invoice_id}", "recorded_by": "system"}
    memo = "credit until the day of the invoice"
    written = sa.insert(_ENTRIES).values(memo=memo, **owner, **times, **facts).returning(_ENTRIES.c.id)
    entry_id = connection.execute(written).scalar_one()
    sides = (("receivable", minor, posting.invoice_id), ("customer_credit", -minor, None))
    connection.execute(
        sa.insert(_POSTINGS),
        [
            {
                "entry_id": entry_id,
                "account": account,
                "amount_minor": amount,
                "invoice_id": invoice_id,
                "detail": "",
                **owner,
                **times,
            }
            for account, amount, invoice_id in sides
        ],
    )
    connection.execute(sa.insert(_UNSEALED).values(entry_id=entry_id))


def downgrade() -> None:
    """The entries stay: the ledger is append-only, and they add up to nothing."""
