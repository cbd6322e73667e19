"""The customer with an e-mail address, for programs that identify customers only by that."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from billing_core.audit import service as audit
from billing_core.businesses.models import Business
from billing_core.customers import service
from billing_core.customers.models import Customer, new_public_id
from billing_core.customers.queries import visible_to
from billing_core.customers.same import email_key, name_key
from billing_core.errors import Conflict
from billing_core.identity.permissions import Actor, Permission

# The most customers with one address among whom the name is looked for.
_MOST_ALIKE: Final = 10_000


def find_or_add(
    session: Session, actor: Actor, business: Business, *, email: str, name: str, currency: str, now: datetime
) -> Customer:
    """The business's customer with this address, or a new one that is billed in this currency.

    Where several have the address, the one with this name; Conflict where that is not unique either: an invoice must
    not reach the wrong one.
    """
    actor.require(Permission.CUSTOMER_WRITE)
    if known := _known(session, actor, business, email, name):
        return known
    # A concurrent request for the same customer waits here, and then finds it.
    session.scalars(select(Business.id).where(Business.id == business.id).with_for_update(key_share=True)).one()
    return _known(session, actor, business, email, name) or _add(
        session, actor, business, email=email, name=name, currency=currency, now=now
    )


def _known(session: Session, actor: Actor, business: Business, email: str, name: str) -> Customer | None:
    """However the address is written: which of its ways was typed decides nothing. Those who are deactivated only count
    where nobody else has the address; one that was merged is the one into which it was.
    """
    known = aliased(Customer)
    statement = (
        select(Customer.id, Customer.active, known.name)
        .join(known, Customer.id == func.coalesce(known.merged_into_id, known.id))
        .where(known.email_key == email_key(email), known.business_id == business.id, visible_to(actor))
        .order_by(Customer.active.desc(), known.id)
    )
    rows = session.execute(statement.limit(_MOST_ALIKE + 1)).all()
    alike = [(row.id, row.name) for row in rows if row.active] or [(row.id, row.name) for row in rows]
    return session.get_one(Customer, _meant(alike, name)) if alike else None


def _meant(alike: Sequence[tuple[int, str]], name: str) -> int:
    """The id of the only one, or of the only one with this name, by the ids and names."""
    if len({identity for identity, _ in alike}) == 1:
        return alike[0][0]
    if len(alike) > _MOST_ALIKE:
        reason = f"belongs to more than {_MOST_ALIKE:,} customers"
        raise Conflict(f"The e-mail address {reason}", fields={"customer_email": reason})
    key = name_key(name)
    named = {identity for identity, known in alike if name_key(known) == key}
    if len(named) != 1:
        reason = "belongs to several customers: customer_name must be the name of one of them"
        raise Conflict(f"The e-mail address {reason}", fields={"customer_email": reason})
    return named.pop()


def _add(
    session: Session, actor: Actor, business: Business, *, email: str, name: str, currency: str, now: datetime
) -> Customer:
    facts = service.checked({"name": name or email, "email": email})
    public_id = new_public_id()
    customer = Customer(
        public_id=public_id, ref=public_id, business_id=business.id, currency=currency, created_at=now, **facts
    )
    session.add(customer)
    session.flush()
    after = {**facts, "currency": currency}
    audit.record(
        session,
        actor,
        Permission.CUSTOMER_WRITE,
        ("customer", customer.id),
        label=customer.name,
        after=after,
        now=now,
    )
    return customer
