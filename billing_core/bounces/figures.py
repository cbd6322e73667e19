"""The figure of mails that came back."""

from typing import Any, Final

from sqlalchemy import Select

from billing_core.bounces import addresses, queries
from billing_core.bounces.models import Bounce
from billing_core.figures import Figure, Scope, bound, day_of, one_each
from billing_core.identity import Permission
from billing_core.outbox.models import OutboxMessage


def _returned(scope: Scope) -> Select[*tuple[Any, ...]]:
    named = Bounce.address + ": " + OutboxMessage.title
    rows = queries.joined(one_each(Bounce.id, named, day_of(Bounce.told_at))).where(addresses.needs_attention())
    return bound(rows, scope, OutboxMessage.customer_id)


BOUNCED_MAILS: Final = Figure(
    key="bounced_mails",
    title="Mails that came back",
    definition="Mails that came back, once for each receiver, until the address stands no longer with the customer or "
    "on an open invoice, or somebody dismisses it.",
    formula="number of receivers whom a mail did not reach",
    permission=Permission.OUTBOX_READ,
    rows=_returned,
)
