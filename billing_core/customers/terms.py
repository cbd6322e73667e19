"""Payment terms that nobody understands: whose they are, so that they can be changed before billing stops at them."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.identity.permissions import Actor, Permission
from billing_core.payment_terms.reading import understood

# Different texts that are looked at, and of those that are not understood.
_MOST_TEXTS: Final = 10_000
_MOST_ODD: Final = 500


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A customer, or with ``is_business`` one of our businesses, and its terms, which may be empty there."""

    id: int
    name: str
    terms: str
    is_business: bool


def not_understood(session: Session, actor: Actor, *, limit: int) -> list[NotUnderstood]:
    """Our active businesses, for who may change them, and then customers by name, at most so many together."""
    actor.require(Permission.CUSTOMER_READ)
    found = []
    if actor.may(Permission.BUSINESS_WRITE):
        ours = businesses.every(session, active_only=True)
        odd_ones = [one for one in ours if understood(one.payment_terms) is None]
        found = [NotUnderstood(one.id, one.name, one.payment_terms, True) for one in odd_ones]
    texts = select(Customer.payment_terms).where(Customer.payment_terms != "", visible_to(actor)).distinct()
    odd = [text for text in session.scalars(texts.limit(_MOST_TEXTS)) if understood(text) is None]
    if odd:
        theirs = select(Customer.id, Customer.name, Customer.payment_terms).where(
            Customer.payment_terms.in_(odd[:_MOST_ODD]), visible_to(actor)
        )
        rows = session.execute(theirs.order_by(Customer.name_order, Customer.id).limit(limit))
        found += [NotUnderstood(id_, name, text, False) for id_, name, text in rows]
    return found[:limit]
