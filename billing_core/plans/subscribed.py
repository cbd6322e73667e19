"""Customers whose usage is billed with a subscription: its plan prices their usage, and only it moves them off that."""

from datetime import date, datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.dates import LATEST_DAY, Period
from billing_core.errors import Conflict
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import alerts, periods
from billing_core.plans import queries
from billing_core.plans.models import CustomerPlan, Plan, PlanVersion


def put_on(
    session: Session,
    actor: Actor,
    customer_id: int,
    version_id: int,
    *,
    valid_from: date,
    billed_with: str,
    in_trial: bool = False,
    now: datetime,
) -> None:
    """Put the customer of a subscription (``sub_…``) on the version of its plan from a day on. ``in_trial``: what is
    used costs nothing.

    Conflict where usage of those days is billed, or with another subscription, or the customer is to be put on another
    plan later.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    customer = customers.for_change(session, actor, customer_id)
    refuse_change(session, customer, valid_from, by=billed_with)
    refuse_billed(session, customer, valid_from)
    later = select(CustomerPlan.valid_from).where(
        CustomerPlan.customer_id == customer_id, CustomerPlan.valid_from > valid_from
    )
    if (planned := session.scalar(later.limit(1))) is not None:
        raise Conflict(f"{customer.name} is to be put on another plan on {planned}: withdraw that first")
    held = session.scalars(
        select(CustomerPlan).where(CustomerPlan.customer_id == customer_id, CustomerPlan.valid_from == valid_from)
    ).one_or_none()
    if held is None:
        held = CustomerPlan(customer_id=customer_id, valid_from=valid_from, created_at=now)
        session.add(held)
    elif held.billed_with is None:
        held.replaced = {"version_id": held.plan_version_id}
    held.plan_version_id, held.billed_with, held.in_trial = version_id, billed_with, in_trial
    session.flush()
    ask(session, customer_id, now)
    code, number = session.execute(
        select(Plan.code, PlanVersion.number)
        .join(PlanVersion, PlanVersion.plan_id == Plan.id)
        .where(PlanVersion.id == version_id)
    ).one()
    after = {"plan": code, "version": number, "valid_from": valid_from, "subscription": billed_with}
    after |= {"in_trial": True} if in_trial else {}
    audit.record(session, actor, "plan.assign", ("customer", customer_id), label=customer.name, after=after, now=now)


def take_off(
    session: Session, actor: Actor, customer_id: int, *, valid_from: date, billed_with: str, now: datetime
) -> None:
    """Leave the customer of a subscription on no plan from a day on. Nothing happens where it is not on one with it."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    customer = customers.for_change(session, actor, customer_id)
    found = queries.billed_with(session, [customer_id], Period(valid_from, LATEST_DAY)).get(customer_id)
    if found is None or found[0] != billed_with:
        return
    refuse_billed(session, customer, valid_from)
    theirs = (CustomerPlan.customer_id == customer_id, CustomerPlan.valid_from >= valid_from)
    session.execute(delete(CustomerPlan).where(*theirs))
    day_before = valid_from - timedelta(days=1)
    if queries.on_plan(session, customer_id, Period(day_before, day_before)):
        session.add(CustomerPlan(customer_id=customer_id, valid_from=valid_from, created_at=now))
        session.flush()
    ask(session, customer_id, now)
    after = {"plan": None, "valid_from": valid_from, "subscription": billed_with}
    audit.record(session, actor, "plan.take_off", ("customer", customer_id), label=customer.name, after=after, now=now)


def undo(session: Session, actor: Actor, customer_id: int, *, billed_with: str, now: datetime) -> None:
    """Leave the customer on the plan that counted before the subscription, which did not come about."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    customer = customers.for_change(session, actor, customer_id)
    theirs = (CustomerPlan.customer_id == customer_id, CustomerPlan.billed_with == billed_with)
    rows = session.scalars(select(CustomerPlan).where(*theirs)).all()
    if not rows:
        return
    for one in rows:
        if one.replaced is None:
            session.delete(one)
        else:
            one.plan_version_id, one.billed_with, one.in_trial = one.replaced["version_id"], None, False
            one.replaced = None
    session.flush()
    ask(session, customer_id, now)
    after = {"subscription": billed_with, "undone": True}
    audit.record(session, actor, "plan.take_off", ("customer", customer_id), label=customer.name, after=after, now=now)


def refuse_change(session: Session, customer: Customer, valid_from: date, *, by: str | None = None) -> None:
    """Conflict where usage from a day on is billed with a subscription; ``by``: the one that may change it."""
    found = queries.billed_with(session, [customer.id], Period(valid_from, LATEST_DAY)).get(customer.id)
    if found is None or found[0] == by:
        return
    over = select(func.min(CustomerPlan.valid_from)).where(
        CustomerPlan.customer_id == customer.id,
        CustomerPlan.valid_from > valid_from,
        CustomerPlan.billed_with.is_(None),
    )
    theirs = f"The usage of {customer.name} is billed with the subscription {found[0]}"
    if (free_from := session.scalar(over)) is not None:
        raise Conflict(f"{theirs} until {free_from - timedelta(days=1)}: try again from {free_from} on")
    raise Conflict(f"{theirs}: change or cancel that instead")


def refuse_billed(session: Session, customer: Customer, first_day: date, last_day: date | None = None) -> None:
    """What was billed was billed by the terms of then, which also price what comes late. ``last_day`` None: all days
    from the first.
    """
    billed = periods.billed_on(session, customer.id, first_day, last_day)
    if billed is not None:
        raise Conflict(
            f"The usage of {customer.name} from {billed} is billed by the plan of those days: "
            "change it after them, or cancel the invoice first"
        )


def ask(session: Session, customer_id: int, now: datetime) -> None:
    """By other terms what the customer has used already may reach a threshold."""
    changed = select(Customer.id.label("customer_id")).where(Customer.id == customer_id)
    alerts.ask_where_watched(session, changed.subquery("changed"), now=now)
