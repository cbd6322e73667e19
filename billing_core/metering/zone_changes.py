"""Changing the time zone in whose days usage is billed: the days are counted anew in the same transaction.

A customer keeps the zone in which usage of it was billed: in another one, events at the edges of billed periods would
be billed twice, or never.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.audit.service import Trace
from billing_core.businesses import service as businesses
from billing_core.businesses.models import Business
from billing_core.businesses.service import Details
from billing_core.customers import service as customers
from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.errors import Conflict
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import alerts, periods, rollups
from billing_core.metering.models import UsagePeriod


def change_customer(
    session: Session, actor: Actor, customer_id: int, *, version: int, facts: Mapping[str, str], now: datetime
) -> Customer:
    """As ``customers.service.change``. Conflict where usage of it is billed in the days of another zone."""
    before = rollups.billing_zones(session, [customer_id])
    customer = customers.change(session, actor, customer_id, version=version, facts=facts, now=now)
    if rollups.billing_zones(session, [customer_id]) != before:
        if session.execute(periods.standing().where(UsagePeriod.customer_id == customer_id).limit(1)).first():
            reason = f"usage is billed in the days of {before[0]}"
            raise Conflict(f"{customer.name} keeps its time zone: its {reason}", fields={"time_zone": reason})
        rollups.rebuild(session, [customer_id])
        _ask(session, [customer_id], now)
    return customer


def change_business(
    session: Session, actor: Actor, business_id: int, *, wanted: Details, drawn_from: int, now: datetime
) -> Business:
    """As ``businesses.service.change``. Customers whose usage is billed keep the former zone, as their own."""
    before = session.scalar(select(Business.time_zone).where(Business.id == business_id))
    business = businesses.change(session, actor, wanted=wanted, drawn_from=drawn_from, now=now, business_id=business_id)
    if business.time_zone != before:
        without_own = select(Customer.id).where(Customer.business_id == business_id, Customer.time_zone == "")
        _keep_zone(session, actor, business_id, str(before), now)
        moved = session.scalars(without_own).all()
        rollups.rebuild(session, moved)
        _ask(session, moved, now)
    return business


def _ask(session: Session, customer_ids: Collection[int], now: datetime) -> None:
    """Other days make up their months."""
    theirs = select(Customer.id.label("customer_id")).where(among(Customer.id, customer_ids))
    alerts.ask_where_watched(session, theirs.subquery("moved"), now=now)


def _keep_zone(session: Session, actor: Actor, business_id: int, zone: str, now: datetime) -> None:
    """Nobody bills these customers meanwhile, nor changes them; whoever has one open in a form has to look again."""
    without_own = select(Customer.id, Customer.name).where(
        Customer.business_id == business_id, Customer.time_zone == ""
    )
    locked = session.execute(without_own.order_by(Customer.id).with_for_update(key_share=True)).all()
    billed = {row.customer_id for row in session.execute(periods.standing())}
    keeping = [row for row in locked if row.id in billed]
    kept = update(Customer).where(among(Customer.id, [row.id for row in keeping]))
    values = {"time_zone": zone, "version": Customer.version + 1}
    session.execute(kept.values(values), execution_options={"synchronize_session": False})
    facts = {"before": {"time_zone": ""}, "after": {"time_zone": zone}}
    traces = [Trace(("customer", row.id), row.name, **facts) for row in keeping]
    audit.record_many(session, actor, Permission.CUSTOMER_WRITE, traces, now=now)
