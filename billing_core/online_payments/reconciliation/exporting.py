"""The comparison with the gateway's books as CSV, streamed with the page's filters."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.money import Money
from billing_core.online_payments.reconciliation import reconciliation
from billing_core.online_payments.reconciliation.reconciliation import Pair, PairFilter
from billing_core.reports.exports import rows
from billing_core.reports.exports.formats import Download, csv_list
from billing_core.reports.exports.json import instant

COLUMNS = (
    "agreement",
    "kind",
    "gateway_key",
    "payment_id",
    "customer_name",
    "reference",
    "received_on",
    "gateway_time",
    "currency",
    "our_amount",
    "gateway_amount",
    "difference",
    "our_fee",
    "gateway_fee",
)


def as_csv(session: Session, actor: Actor, filters: PairFilter, *, for_excel: bool = False) -> Download:
    """Every matching pair, oldest first."""
    actor.require(Permission.EXPORT)
    name = f"reconciliation-{filters.period.start}-{filters.period.end}.csv"
    statement = reconciliation.listing(session, actor, filters)
    pairs = (_row(reconciliation.pair(columns)) for columns in rows.each(session, statement))
    return csv_list(name, COLUMNS, pairs, for_excel=for_excel)


def _row(pair: Pair) -> Sequence[Any]:
    amounts = (pair.here_minor, pair.there_minor, pair.difference_minor, pair.here_fee_minor, pair.there_fee_minor)
    return (
        *(pair.agreement.value, pair.kind.value, pair.key, pair.payment_id, pair.customer_name, pair.reference),
        pair.on.isoformat() if pair.on else None,
        *(instant(pair.at), pair.currency),
        # Numbers, not text: a text with a leading minus would be escaped, and not usable in formulas.
        *(None if minor is None else Money(minor, pair.currency).amount for minor in amounts),
    )
