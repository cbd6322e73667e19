"""Changing the time zone in whose days usage is billed: the days are counted anew in the same transaction."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses import service as businesses
from billing_core.businesses.models import Business
from billing_core.businesses.service import Details
from billing_core.customers import service as customers
from billing_core.customers.models import Customer
from billing_core.identity.permissions import Actor
from billing_core.metering import rollups


def change_customer(
    session: Session, actor: Actor, customer_id: int, *, version: int, facts: Mapping[str, str], now: datetime
) -> Customer:
    """As ``customers.service.change``."""
    before = rollups.billing_zones(session, [customer_id])
    customer = customers.change(session, actor, customer_id, version=version, facts=facts, now=now)
    if rollups.billing_zones(session, [customer_id]) != before:
        rollups.rebuild(session, [customer_id])
    return customer


def change_business(
    session: Session, actor: Actor, business_id: int, *, wanted: Details, drawn_from: int, now: datetime
) -> Business:
    """As ``businesses.service.change``."""
    before = session.scalar(select(Business.time_zone).where(Business.id == business_id))
    business = businesses.change(session, actor, wanted=wanted, drawn_from=drawn_from, now=now, business_id=business_id)
    if business.time_zone != before:
        without_own = select(Customer.id).where(Customer.business_id == business_id, Customer.time_zone == "")
        rollups.rebuild(session, session.scalars(without_own).all())
    return business
