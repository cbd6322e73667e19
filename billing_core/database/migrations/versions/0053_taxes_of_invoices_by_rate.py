"""What each invoice comes to at each tax rate, and the country in which its customer was when it was sent.

Of most invoices both follow from what is stored, by two statements. Where several rates share a discount, or sums were
rounded from exact ones, the printed tax rows are computed as the documents compute them.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from alembic import op

from billing_core.money import decimal_places, nearest, split

revision = "0053"
down_revision = "0052"

# 100 %, in the ten-thousandths of a percent in which rates and shares are kept.
_WHOLE = 1_000_000

_ONE_RATE = """
INSERT INTO invoice_taxes (invoice_id, tax_rate, net_minor, tax_minor)
SELECT i.id, MIN(l.tax_rate), i.subtotal_minor, i.tax_minor
FROM invoices i JOIN invoice_line_items l ON l.invoice_id = i.id
GROUP BY i.id, i.subtotal_minor, i.tax_minor HAVING MIN(l.tax_rate) = MAX(l.tax_rate)
"""
# By whole parts first: an amount times a rate may not fit into 64 bits. 100 % are 1,000,000.
_SEVERAL_RATES = """
INSERT INTO invoice_taxes (invoice_id, tax_rate, net_minor, tax_minor)
SELECT listed.invoice_id, listed.tax_rate, listed.net,
    listed.net / 1000000 * listed.tax_rate + (listed.net % 1000000 * listed.tax_rate + 500000) / 1000000
FROM (
    SELECT l.invoice_id, l.tax_rate, CAST(SUM(l.amount_minor) AS BIGINT) AS net
    FROM invoice_line_items l GROUP BY l.invoice_id, l.tax_rate
) listed
JOIN invoices i ON i.id = listed.invoice_id
WHERE i.lines_rounded AND COALESCE(i.discount_percent, 0) = 0 AND COALESCE(i.discount_minor, 0) = 0
    AND NOT EXISTS (SELECT 1 FROM invoice_taxes t WHERE t.invoice_id = i.id)
"""

_LEFT = sa.text(
    "SELECT i.id, i.currency, i.discount_percent, i.discount_minor, i.lines_rounded FROM invoices i "
    "WHERE EXISTS (SELECT 1 FROM invoice_line_items l WHERE l.invoice_id = i.id) "
    "AND NOT EXISTS (SELECT 1 FROM invoice_taxes t WHERE t.invoice_id = i.id) ORDER BY i.id LIMIT 1000"
)
_LINES = sa.text(
    "SELECT invoice_id, type, tax_rate, quantity, unit_price, discount_percent, discount_minor, amount_minor "
    "FROM invoice_line_items WHERE invoice_id IN :ids ORDER BY invoice_id, position"
).bindparams(sa.bindparam("ids", expanding=True))
_INSERT = sa.text(
    "INSERT INTO invoice_taxes (invoice_id, tax_rate, net_minor, tax_minor) VALUES (:invoice_id, :rate, :net, :tax)"
)


def upgrade() -> None:
    op.create_table(
        "invoice_taxes",
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("tax_rate", sa.BigInteger(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_taxes_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("invoice_id", "tax_rate", name=op.f("pk_invoice_taxes")),
    )
    op.create_index("ix_credit_notes_issued_on", "credit_notes", ["issued_on", "id"])
    op.add_column("invoices", sa.Column("customer_country", sa.String(2), server_default="", nullable=False))
    op.execute(
        "UPDATE invoices SET customer_country = (SELECT country FROM customers WHERE customers.id = "
        "invoices.customer_id) WHERE sent_at IS NOT NULL"
    )
    op.execute(_ONE_RATE)
    op.execute(_SEVERAL_RATES)
    connection = op.get_bind()
    while left := connection.execute(_LEFT).all():
        found = connection.execute(_LINES, {"ids": [invoice.id for invoice in left]}).all()
        lines = {invoice_id: list(of_one) for invoice_id, of_one in groupby(found, key=itemgetter(0))}
        rows = [
            {"invoice_id": invoice.id, "rate": rate, "net": net, "tax": tax}
            for invoice in left
            for rate, net, tax in _by_rate(invoice, lines[invoice.id])
        ]
        connection.execute(_INSERT, rows)


def _by_rate(invoice: Any, lines: Sequence[Any]) -> Iterator[tuple[int, int, int]]:
    """(rate, net, tax) as the documents printed them by the rule of this day, whatever becomes of it in the code."""
    if invoice.lines_rounded:
        cells, of = _rounded(invoice, lines), 1
    else:
        cells, of = _exact(invoice, lines)
    nets = split(nearest(sum(cells.values()), of), list(cells.values()), of)
    for rate in dict.fromkeys(rate for _, rate in cells):
        net = sum(net for (_, one), net in zip(cells, nets, strict=True) if one == rate)
        taxed = sum(amount for (_, one), amount in cells.items() if one == rate)
        yield rate, net, nearest(taxed * rate, of * _WHOLE)


def _rounded(invoice: Any, lines: Sequence[Any]) -> dict[tuple[str, int], int]:
    """What the lines of each rate come to, less its part of the discount."""
    listed: dict[tuple[str, int], int] = {}
    for line in lines:
        listed["", line.tax_rate] = listed.get(("", line.tax_rate), 0) + line.amount_minor
    whole = sum(listed.values())
    discount = invoice.discount_minor or nearest(whole * (invoice.discount_percent or 0), _WHOLE)
    off = split(discount, [amount * discount for amount in listed.values()], whole or 1)
    return {cell: amount - less for (cell, amount), less in zip(listed.items(), off, strict=True)}


def _exact(invoice: Any, lines: Sequence[Any]) -> tuple[dict[tuple[str, int], int], int]:
    """What the lines of each type and rate come to exactly, in units of which so many make a minor unit."""
    unit = 10**12 * _WHOLE // 10 ** decimal_places(invoice.currency)
    cells: dict[tuple[str, int], int] = {}
    for line in lines:
        amount = line.quantity * line.unit_price * (_WHOLE - (line.discount_percent or 0))
        cell = (line.type, line.tax_rate)
        cells[cell] = cells.get(cell, 0) + amount - (line.discount_minor or 0) * unit
    whole = sum(cells.values())
    kept, of = 1, 1
    if invoice.discount_percent is not None:
        kept, of = _WHOLE - invoice.discount_percent, _WHOLE
    elif invoice.discount_minor is not None and whole:
        kept, of = whole - invoice.discount_minor * unit, whole
    return {cell: amount * kept for cell, amount in cells.items()}, unit * of


def downgrade() -> None:
    op.drop_column("invoices", "customer_country")
    op.drop_index("ix_credit_notes_issued_on", "credit_notes")
    op.drop_table("invoice_taxes")
