"""Each line of an invoice is rounded once, and its sums are those of its lines.

What was sent keeps its sums. Drafts are summed up again: by the rule of this day, whatever becomes of it in the code.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"

# 100 %, in the ten-thousandths of a percent in which rates and shares are kept.
_WHOLE = 1_000_000
_AT_ONCE = 1_000

_DRAFTS = sa.text(
    "SELECT i.id, i.discount_percent, i.discount_minor, l.tax_rate, SUM(l.amount_minor) "
    "FROM invoices i JOIN invoice_line_items l ON l.invoice_id = i.id WHERE i.state = 'draft' "
    # The odd cent of a discount comes off the rate of an earlier line.
    "GROUP BY i.id, i.discount_percent, i.discount_minor, l.tax_rate ORDER BY i.id, MIN(l.position)"
)
_SUMS = sa.text(
    "UPDATE invoices SET discount_minor = :discount, subtotal_minor = :net, tax_minor = :tax, total_minor = :total "
    "WHERE id = :id AND (total_minor <> :total OR tax_minor <> :tax OR discount_minor <> :discount)"
)


def upgrade() -> None:
    op.add_column("invoices", sa.Column("lines_rounded", sa.Boolean(), server_default=sa.false(), nullable=False))
    connection = op.get_bind()
    connection.execute(sa.text("UPDATE invoices SET lines_rounded = :yes WHERE state = 'draft'"), {"yes": True})
    # The same rounded lines as before; only what they add up to is new.
    rows = connection.execute(_DRAFTS).all()
    sums = [_sums(list(of_one)) for _, of_one in groupby(rows, key=lambda row: row[0])]
    for start in range(0, len(sums), _AT_ONCE):
        connection.execute(_SUMS, sums[start : start + _AT_ONCE])


def _sums(rows: Sequence[Any]) -> dict[str, Any]:
    """Of one draft, a row for each rate with what its lines come to. The discount is shared as they are."""
    id_, percent, minor = rows[0][:3]
    listed = [(rate, int(amount)) for *_, rate, amount in rows]
    whole = sum(amount for _, amount in listed)
    kept = None if minor is None else min(minor, whole)
    discount = (kept or 0) if percent is None else _nearest(whole * percent, _WHOLE)
    exact = [amount * discount for _, amount in listed]
    off = [share // (whole or 1) for share in exact]
    by_cut = sorted(range(len(off)), key=lambda at: -(exact[at] % (whole or 1)))
    for at in by_cut[: discount - sum(off)]:
        off[at] += 1
    tax = sum(_nearest((amount - less) * rate, _WHOLE) for (rate, amount), less in zip(listed, off, strict=True))
    net = whole - discount
    return {"id": id_, "discount": kept, "net": net, "tax": tax, "total": net + tax}


def _nearest(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)


def downgrade() -> None:
    op.drop_column("invoices", "lines_rounded")
