"""Totals by day of what the sealed entries posted, so that a figure over years need not read every posting.

The sealing job updates them, as writers would otherwise queue for a day's total.
"""

from typing import Any

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.orm import aliased

from billing_core.database.functions import among
from billing_core.database.upserts import inserts
from billing_core.ledger.models import LedgerDay, LedgerEntry, LedgerPosting

KEY = ("account", "kind", "effective_on", "currency")
_ADDING = {
    name: insert.on_conflict_do_update(
        index_elements=KEY, set_={"amount_minor": LedgerDay.amount_minor + insert.excluded.amount_minor}
    )
    for name, insert in inserts(LedgerDay).items()
}


def posted() -> Select[*tuple[Any, ...]]:
    """(account, kind, effective_on, currency, amount_minor) of entries; a reversal counts under the reversed kind."""
    undone = aliased(LedgerEntry)
    key = (
        LedgerPosting.account,
        func.coalesce(undone.kind, LedgerEntry.kind).label("kind"),
        LedgerEntry.effective_on,
        LedgerEntry.currency,
    )
    return (
        select(*key, func.sum(LedgerPosting.amount_minor).label("amount_minor"))
        .select_from(LedgerEntry)
        .join(LedgerPosting, LedgerPosting.entry_id == LedgerEntry.id)
        .outerjoin(undone, undone.id == LedgerEntry.reverses_id)
        .group_by(*key)
    )


def add(connection: Connection, entry_ids: list[int]) -> None:
    """Add these entries' postings to the totals of their days."""
    of_them = posted().where(among(LedgerEntry.id, entry_ids))
    connection.execute(_ADDING[connection.dialect.name].from_select([*KEY, "amount_minor"], of_them))
