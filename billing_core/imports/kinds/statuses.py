"""Orders of which a file does not say the status: they would be billed, though some of them may be cancelled."""

from typing import Final

from sqlalchemy import Table, func, select
from sqlalchemy.engine import Connection

from billing_core.imports import merging
from billing_core.imports.kind import Definition, Staged
from billing_core.imports.mapping import Mapping, plain, unused
from billing_core.imports.sources import Layout

# Columns that tell what became of an order by being filled.
_TELLING: Final = frozenset(
    map(
        plain,
        (
            *("shipped", "shipped date", "shipped at", "shipped on", "date shipped", "ship date", "shipping date"),
            *("dispatched at", "dispatch date", "fulfilled at", "fulfillment date", "fulfilment date"),
            *("delivered at", "delivered on", "delivery date", "completed at", "completed date", "closed at"),
            *("cancelled at", "canceled at", "cancelled on", "cancelled date", "canceled date", "refunded at"),
            *("refunded on", "order state", "state", "fulfillment status", "fulfilment status", "financial status"),
            *("versanddatum", "versendet am", "lieferdatum", "storniert am", "date expedition", "fecha envio"),
        ),
    )
)


def telling_columns(layout: Layout, mapping: Mapping) -> list[str]:
    """Those that may say what an order is, by their names, and that nothing is taken from."""
    return [column for column in unused(layout, mapping) if plain(column) in _TELLING]


def count_unsaid(connection: Connection, definition: Definition, staged: Staged, resolved: Table, *, new: int) -> int:
    """How many of the ``new`` orders count as submitted because the file does not say what they are."""
    if "status" not in staged.given:
        return new
    said, rows = staged.table, merging.beside(definition, resolved)
    if connection.scalar(select(said.c.line).where(said.c.status.is_(None)).limit(1)) is None:
        return 0
    unsaid = select(func.count()).select_from(rows).join(said, said.c.line == rows.c.line)
    return connection.scalar(unsaid.where(rows.c.effect == "new", said.c.status.is_(None))) or 0
