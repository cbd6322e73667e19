"""Reads of our own legal entities."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.database.functions import equals
from billing_core.errors import NotFound


def default_business(session: Session) -> Business:
    """The business that things belong to unless somebody says otherwise: the first one."""
    return session.scalars(select(Business).order_by(Business.id).limit(1)).one()


def every(session: Session, *, active_only: bool = False) -> list[Business]:
    """All our legal entities, the first one first; there are a handful."""
    statement = select(Business).order_by(Business.id)
    return list(session.scalars(statement.where(Business.active) if active_only else statement))


def one(session: Session, business_id: int) -> Business:
    """A business by its id; NotFound where there is none."""
    found = session.get(Business, business_id)
    if found is None:
        raise NotFound(f"There is no business {business_id}")
    return found


def by_public_id(session: Session, public_id: str) -> Business:
    """A business by the id that programs know; NotFound where there is none."""
    found = session.scalars(select(Business).where(equals(Business.public_id, public_id))).one_or_none()
    if found is None:
        raise NotFound(f"There is no business {public_id}")
    return found
