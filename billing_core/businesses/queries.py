"""Reads of our own legal entities."""

from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.errors import NotFound


class Place(NamedTuple):
    id: int
    time_zone: str


# Put together once: building a statement takes as long as running it.
_PLACE = select(Business.id, Business.time_zone).where(Business.public_id == bindparam("public_id"))


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
    return one(session, place_of(session, public_id).id)


def place_of(session: Session, public_id: str) -> Place:
    """Which business programs mean by this id, and what its day goes by; NotFound where there is none."""
    found = session.execute(_PLACE, {"public_id": public_id.replace("\0", "")}).one_or_none()
    if found is None:
        raise NotFound(f"There is no business {public_id}")
    return Place._make(found)
