"""What people decide about addresses that mails came back from."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.bounces.addresses import UNDISMISSED, key_of
from billing_core.bounces.models import Bounce
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission


def dismiss(session: Session, actor: Actor, address: str, *, now: datetime) -> int:
    """The address may be written to again, for all whose it is: what came back from it needs nobody's attention any
    more, and warns nobody. Returns of how many mails. A mail that comes back later counts anew.
    """
    actor.require(Permission.INVOICE_SEND)
    facts = {"dismissed_at": now, "dismissed_by_id": actor.user_id, "dismissed_by": actor.name}
    dismissed = session.execute(
        update(Bounce)
        .where(Bounce.address_key == key_of(address), UNDISMISSED)
        .values(facts)
        .returning(Bounce.message_id, Bounce.address)
        .execution_options(synchronize_session=False)
    ).all()
    if not dismissed:
        raise Conflict("There is nothing to dismiss: somebody has done so already")
    traces = [audit.Trace(("message", row.message_id), row.address, after={"dismissed": True}) for row in dismissed]
    audit.record_many(session, actor, "outbox.dismiss_bounce", traces, now=now)
    return len(dismissed)
