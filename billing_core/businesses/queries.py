"""Reads of our own legal entities."""

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.dates import Day, day_in, today_in
from billing_core.errors import NotFound


class BusinessRef(NamedTuple):
    """A business and the time zone of its days."""

    id: int
    time_zone: str


# Built once: building a statement takes as long as running it.
_REF = select(Business.id, Business.time_zone).where(Business.public_id == bindparam("public_id"))
_ZONES = select(Business.id, Business.time_zone).order_by(Business.id)


def default_business(session: Session) -> Business:
    """The business to use unless another is given: the first one."""
    return session.scalars(select(Business).order_by(Business.id).limit(1)).one()


def today(session: Session, *, now: datetime) -> date:
    """The present day of the first business."""
    return day_in(default_business(session).time_zone, now)


def zones(session: Session) -> list[tuple[int, str]]:
    """Each business's id and time zone, the first one first."""
    return [(row.id, row.time_zone) for row in session.execute(_ZONES)]


def days(session: Session, *, now: datetime) -> Day:
    """The present day of each business: whether an invoice is overdue goes by that of its own."""
    return today_in(zones(session), now)


def day_at(session: Session, business_id: int, *, now: datetime) -> date:
    """The present day of one business."""
    return day_in(one(session, business_id).time_zone, now)


def every(session: Session, *, active_only: bool = False) -> list[Business]:
    """All our legal entities, the first one first; there are a handful."""
    statement = select(Business).order_by(Business.id)
    return list(session.scalars(statement.where(Business.active) if active_only else statement))


def names(session: Session) -> dict[int, str]:
    """The name of each, by its id."""
    return {business.id: business.name for business in every(session)}


def one(session: Session, business_id: int) -> Business:
    """A business by its id; NotFound where there is none."""
    business = session.get(Business, business_id)
    if business is None:
        raise NotFound(f"There is no business {business_id}")
    return business


def by_public_id(session: Session, public_id: str) -> Business:
    """A business by its public id; NotFound where there is none."""
    return one(session, ref(session, public_id).id)


def ref(session: Session, public_id: str) -> BusinessRef:
    """The business with the id that programs know; NotFound where there is none."""
    row = session.execute(_REF, {"public_id": public_id.replace("\0", "")}).one_or_none()
    if row is None:
        raise NotFound(f"There is no business {public_id}")
    return BusinessRef._make(row)
