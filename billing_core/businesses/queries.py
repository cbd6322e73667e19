"""Reads of our own legal entities."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business


def default_business(session: Session) -> Business:
    """The business that things belong to unless somebody says otherwise: the first one."""
    return session.scalars(select(Business).order_by(Business.id).limit(1)).one()
