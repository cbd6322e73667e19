"""What paid an invoice on a day on which it did not owe that is the customer's credit until the invoice owes it again:
something that was undone later had paid it then.

An entry on each day on which a debt fell below 0, or rose again, takes what is below 0 from the invoice to the credit.
Those of an invoice add up to nothing, so that nothing changes today.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0065"
down_revision = "0064"

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
    *(sa.column(name) for name in ("entry_id", "account", "detail", "business_id", "customer_id", "invoice_id")),
    *(sa.column(name) for name in ("currency", "amount_minor")),
    sa.column("effective_on", sa.Date()),
    sa.column("recorded_at", sa.DateTime(timezone=True)),
)
_UNSEALED = sa.table("ledger_unsealed", sa.column("entry_id"))
_OWNER = ("business_id", "customer_id", "currency")


def upgrade() -> None:
    connection, now = op.get_bind(), datetime.now(UTC)
    for change in connection.execute(_changes()).all():
        _post(connection, change, int(change.minor), now)


def _changes() -> sa.Select[*tuple[Any, ...]]:
    """Each day on which what an invoice owes below 0 becomes more, or less. Whatever is below 0 today is no matter of
    days, and stays for the proof to name.
    """
    of = _POSTINGS.c
    key = (of.invoice_id, *(of[name] for name in _OWNER), of.effective_on)
    posted = sa.func.sum(of.amount_minor)
    so_far = sa.func.sum(posted).over(partition_by=of.invoice_id, order_by=of.effective_on)
    owed = sa.select(*key, so_far.label("minor")).where(of.account == "receivable").group_by(*key).subquery()
    below = sa.case((owed.c.minor < 0, -owed.c.minor), else_=0)
    before = sa.func.lag(below, 1, 0).over(partition_by=owed.c.invoice_id, order_by=owed.c.effective_on)
    names = ("invoice_id", *_OWNER, "effective_on")
    moved = sa.select(*(owed.c[name] for name in names), (below - before).label("minor")).subquery()
    still = sa.select(of.invoice_id).where(of.account == "receivable", of.invoice_id.is_not(None))
    still = still.group_by(of.invoice_id).having(sa.func.sum(of.amount_minor) < 0)
    found = sa.select(moved).where(moved.c.minor != 0, moved.c.invoice_id.not_in(still))
    return found.order_by(moved.c.invoice_id, moved.c.effective_on)


def _post(connection: sa.Connection, change: sa.Row[*tuple[Any, ...]], minor: int, now: datetime) -> None:
    """So much more is owed on the invoice from that day on, and is credit instead."""
    owner = {name: getattr(change, name) for name in _OWNER}
    times = {"effective_on": change.effective_on, "recorded_at": now}
    facts = {"kind": "credit_applied", "document": f"invoice:{change.invoice_id}", "recorded_by": "system"}
    memo = "credit until the invoice owed it"
    written = sa.insert(_ENTRIES).values(memo=memo, **owner, **times, **facts).returning(_ENTRIES.c.id)
    entry_id = connection.execute(written).scalar_one()
    sides = (("receivable", minor, change.invoice_id), ("customer_credit", -minor, None))
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
