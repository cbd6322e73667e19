"""What a person can do with rate cards: define services, set prices from a day on, end them, copy a card.

A rate is never altered: a change ends the current version and begins another, so that every charge of an old report
still finds the rate that produced it. Changes may start in the past, even on a rate's first day: the wrong rate is then
withdrawn, and kept for the reports that used it. Those reports stay as they are until they are generated again.
"""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries as customers
from billing_core.errors import Conflict, Invalid
from billing_core.identity.permissions import Actor, Permission
from billing_core.rating import pricing, queries
from billing_core.rating.models import CostType, Rate, Service
from billing_core.rating.pricing import Pricing
from billing_core.text import needed

_ONE_DAY = timedelta(days=1)


def create_service(
    session: Session, actor: Actor, *, code: str, name: str, cost_type: CostType, now: datetime
) -> Service:
    """A new service that can be priced on rate cards."""
    actor.require(Permission.RATE_WRITE)
    code, name = needed(code, "code", 64), needed(name, "name", 200)
    if session.scalar(select(Service.id).where(Service.code == code)) is not None:
        raise Conflict(f"There is already a service with the code {code}")
    made = Service(code=code, name=name, cost_type=cost_type)
    session.add(made)
    session.flush()
    facts = {"code": code, "name": name, "cost_type": cost_type}
    audit.record(session, actor, "service.create", ("service", made.id), label=name, after=facts, now=now)
    return made


def change_service(
    session: Session, actor: Actor, service_id: int, *, name: str, cost_type: CostType, now: datetime
) -> Service:
    """Rename a service; what it multiplies can change only while it is on no rate card."""
    actor.require(Permission.RATE_WRITE)
    service = queries.service_by_id(session, service_id)
    name = needed(name, "name", 200)
    if cost_type is not service.cost_type and session.scalar(select(Rate.id).where(Rate.service_id == service_id)):
        raise Conflict(
            f"{service.name} has rates that count {service.cost_type.replace('_', ' ')}: create another service"
        )
    before, after = audit.changed(
        {"name": service.name, "cost_type": service.cost_type}, {"name": name, "cost_type": cost_type}
    )
    if after:
        service.name, service.cost_type = name, cost_type
        audit.record(
            session, actor, "service.change", ("service", service.id), label=name, before=before, after=after, now=now
        )
    return service


def add_rate(
    session: Session,
    actor: Actor,
    customer_id: int,
    service_id: int,
    price: Pricing,
    *,
    valid_from: date,
    valid_to: date | None = None,
    now: datetime,
) -> Rate:
    """Price a service for the customer on days when it has no rate. Conflict where it has one."""
    actor.require(Permission.RATE_WRITE)
    customer = customers.for_change(session, actor, customer_id)
    service = queries.service_by_id(session, service_id)
    _refuse_disorder(valid_from, valid_to)
    _refuse_overlap(session, customer_id, service, valid_from, valid_to)
    return _begin(
        session, actor, customer, service, pricing.columns(price, customer.currency), valid_from, valid_to, now
    )


def change_rate(
    session: Session, actor: Actor, rate_id: int, price: Pricing, *, starts_on: date, now: datetime
) -> Rate:
    """Set another price from ``starts_on`` to the rate's own end; the old rate ends the day before.

    Starting on the rate's first day replaces the old rate: it is removed, or withdrawn once a report has used it.
    """
    actor.require(Permission.RATE_WRITE)
    old = _held(session, actor, rate_id, starts_on)
    customer = customers.for_change(session, actor, old.customer_id)
    service = queries.service_by_id(session, old.service_id)
    columns = pricing.columns(price, customer.currency)
    if columns == {name: getattr(old, name) for name in columns}:
        raise Invalid("Nothing would change: the rate has these terms already")
    valid_to = old.valid_to
    if starts_on == old.valid_from:
        _take_off(session, actor, old, service, now)
    else:
        _end(session, actor, old, service, starts_on - _ONE_DAY, now)
    return _begin(session, actor, customer, service, columns, starts_on, valid_to, now)


def end_rate(session: Session, actor: Actor, rate_id: int, *, last_day: date | None, now: datetime) -> Rate:
    """End a rate on ``last_day`` (None: no end). Conflict where a later version is valid by then."""
    actor.require(Permission.RATE_WRITE)
    customer_id = queries.rate_for_change(session, actor, rate_id).customer_id
    customers.for_change(session, actor, customer_id)
    rate = queries.rate_for_change(session, actor, rate_id)
    service = queries.service_by_id(session, rate.service_id)
    if last_day is not None and last_day < rate.valid_from:
        raise Invalid("The last day is before the first", fields={"last_day": f"before {rate.valid_from}"})
    if rate.valid_to is not None and (last_day is None or last_day > rate.valid_to):
        _refuse_overlap(session, customer_id, service, rate.valid_to + _ONE_DAY, last_day)
    if last_day != rate.valid_to:
        _end(session, actor, rate, service, last_day, now)
    return rate


def remove_rate(session: Session, actor: Actor, rate_id: int, *, now: datetime) -> None:
    """Take a rate off the card. One that a report has used is withdrawn and kept for that report."""
    actor.require(Permission.RATE_WRITE)
    # A report being generated may be using it: wait for that, as every change of a card does.
    customers.for_change(session, actor, queries.rate_for_change(session, actor, rate_id).customer_id)
    rate = queries.rate_for_change(session, actor, rate_id)
    _take_off(session, actor, rate, queries.service_by_id(session, rate.service_id), now)


def copy_card(
    session: Session, actor: Actor, *, from_customer_id: int, to_customer_id: int, starts_on: date, now: datetime
) -> list[Rate]:
    """Give a customer another customer's rates as valid on a day, from that day on.

    Conflict where the currencies differ or the customer has a rate of one of the services by then.
    """
    actor.require(Permission.RATE_WRITE)
    if from_customer_id == to_customer_id:
        raise Invalid("Choose another customer to copy from")
    target = customers.for_change(session, actor, to_customer_id)
    source = customers.one(session, actor, from_customer_id)
    rows = queries.card_on(session, actor, from_customer_id, starts_on)
    if not rows:
        raise Invalid(f"{source.name} has no rates on {starts_on}")
    if target.currency != source.currency:
        raise Conflict(f"{source.name} is billed in {source.currency}, {target.name} in {target.currency}")
    copied = []
    for row in rows:
        service = queries.service_by_id(session, row.service_id)
        _refuse_overlap(session, to_customer_id, service, starts_on, row.valid_to)
        columns = {name: asdict(row)[name] for name in pricing.TERMS}
        copied.append(_begin(session, actor, target, service, columns, starts_on, row.valid_to, now))
    return copied


def _held(session: Session, actor: Actor, rate_id: int, day: date) -> Rate:
    rate = queries.rate_for_change(session, actor, rate_id)
    if day < rate.valid_from or (rate.valid_to is not None and day > rate.valid_to):
        until = f"to {rate.valid_to}" if rate.valid_to else "on"
        raise Invalid(
            f"This rate holds from {rate.valid_from} {until}", fields={"starts_on": "is not one of the rate's days"}
        )
    return rate


def _begin(
    session: Session,
    actor: Actor,
    customer: Any,
    service: Service,
    columns: dict[str, Any],
    valid_from: date,
    valid_to: date | None,
    now: datetime,
) -> Rate:
    rate = Rate(
        customer_id=customer.id,
        service_id=service.id,
        valid_from=valid_from,
        valid_to=valid_to,
        created_at=now,
        **columns,
    )
    session.add(rate)
    session.flush()
    facts = {"customer": customer.name, "valid_from": valid_from, "valid_to": valid_to, **columns}
    audit.record(session, actor, "rate.create", ("rate", rate.id), label=service.name, after=facts, now=now)
    return rate


def _end(session: Session, actor: Actor, rate: Rate, service: Service, last_day: date | None, now: datetime) -> None:
    before = {"valid_to": rate.valid_to}
    rate.valid_to = last_day
    session.flush()
    audit.record(
        session,
        actor,
        "rate.end",
        ("rate", rate.id),
        label=service.name,
        before=before,
        after={"valid_to": last_day},
        now=now,
    )


def _take_off(session: Session, actor: Actor, rate: Rate, service: Service, now: datetime) -> None:
    """Remove an unused rate; withdraw one that explains charges of a report."""
    facts = {
        "valid_from": rate.valid_from,
        "valid_to": rate.valid_to,
        **{name: getattr(rate, name) for name in pricing.TERMS},
    }
    subject, action = ("rate", rate.id), "rate.remove"
    try:
        # Rating does not know reports (they depend on it): only the foreign key tells that one has used the rate.
        with session.begin_nested():
            session.delete(rate)
            session.flush()
    except IntegrityError:
        action = "rate.withdraw"
        rate.withdrawn_at = now
        session.flush()
    audit.record(session, actor, action, subject, label=service.name, before=facts, now=now)


def _refuse_disorder(valid_from: date, valid_to: date | None) -> None:
    if valid_to is not None and valid_to < valid_from:
        raise Invalid("The last day is before the first", fields={"valid_to": f"before {valid_from}"})


def _refuse_overlap(
    session: Session, customer_id: int, service: Service, valid_from: date, valid_to: date | None
) -> None:
    shares_days = [Rate.in_force, Rate.customer_id == customer_id, Rate.service_id == service.id]
    shares_days.append(or_(Rate.valid_to.is_(None), Rate.valid_to >= valid_from))
    if valid_to is not None:
        shares_days.append(Rate.valid_from <= valid_to)
    other = session.execute(
        select(Rate.valid_from, Rate.valid_to).where(*shares_days).order_by(Rate.valid_from).limit(1)
    ).first()
    if other is not None:
        until = f"to {other.valid_to}" if other.valid_to else "on"
        raise Conflict(f"{service.name} already has a rate from {other.valid_from} {until}")
