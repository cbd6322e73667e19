"""What a person can do with plans: create one, give it other terms, put a customer on it from a day, or on none."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, literal, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries as customers
from billing_core.customers.standing import refuse_inactive
from billing_core.database.functions import equals
from billing_core.dates import LATEST_DAY, Period
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.plans import parts, prices, queries, subscribed, terms
from billing_core.plans.models import CustomerPlan, Plan, PlanVersion
from billing_core.plans.prices import Prices
from billing_core.plans.terms import Terms
from billing_core.text import needed


def create(
    session: Session,
    actor: Actor,
    *,
    code: str,
    name: str,
    agreed: Terms,
    charged: Prices | None = None,
    now: datetime,
) -> PlanVersion:
    """A new plan with its first version, whose meters other than calls have the prices ``charged``."""
    actor.require(Permission.PLAN_WRITE)
    code, name = needed(code, "code", 64), needed(name, "name", 200)
    columns = terms.columns(agreed)
    terms.check_parts(agreed, has_prices=bool(charged))
    ids = prices.checked(session, charged or {}, columns["currency"])
    if session.scalar(select(Plan.id).where(Plan.code == code)) is not None:
        raise Conflict(f"There is already a plan with the code {code}")
    plan = Plan(code=code, name=name, created_at=now)
    session.add(plan)
    session.flush()
    version = _begin(session, plan, 1, columns, now)
    parts.give(session, version, agreed)
    prices.give(session, version, charged or {}, ids)
    facts = {"code": code, "name": name, **terms.facts(agreed)}
    if charged:
        facts["prices"] = prices.written(charged)
    audit.record(session, actor, "plan.create", ("plan", plan.id), label=name, after=facts, now=now)
    return version


def add_version(
    session: Session,
    actor: Actor,
    code: str,
    agreed: Terms,
    *,
    charged: Prices | None = None,
    seen: int | None = None,
    now: datetime,
) -> PlanVersion:
    """Other terms for those who are put on the plan from now on; who is on an older version keeps it.

    ``charged``: the prices of meters other than calls; None: as they were. ``seen``: the number of the version whose
    terms were looked at; Conflict where there is a newer one, so that nobody's change is undone unseen.
    """
    actor.require(Permission.PLAN_WRITE)
    columns = terms.columns(agreed)
    plan = _locked(session, code)
    former = queries.latest(session, actor, code)
    if seen is not None and seen != former.number:
        raise Conflict(f"The plan {code} has version {former.number} by now: look at its terms, and change those")
    kept = prices.of_version(session, former.id)
    if charged is None and kept and former.currency != columns["currency"]:
        raise Invalid("In another currency the plan needs other prices", fields={"prices": "are needed"})
    terms.check_parts(agreed, has_prices=bool(kept if charged is None else charged))
    ids = {} if charged is None else prices.checked(session, charged, columns["currency"])
    before, after = audit.changed(terms.facts(parts.terms_of(session, former.id)), terms.facts(agreed))
    if charged is not None and charged != kept:
        before["prices"], after["prices"] = prices.written(kept), prices.written(charged)
    if not after:
        raise Invalid("Nothing would change: the plan has these terms already")
    version = _begin(session, plan, former.number + 1, columns, now)
    parts.give(session, version, agreed)
    if charged is None:
        renewed = select(literal(former.id).label("former_id"), literal(version.id).label("version_id"))
        prices.carry_over(session.connection(), renewed.subquery("renewed"))
    else:
        prices.give(session, version, charged, ids)
    before["version"], after["version"] = former.number, version.number
    audit.record(session, actor, "plan.change", ("plan", plan.id), label=plan.name, before=before, after=after, now=now)
    return version


def put_on(
    session: Session, actor: Actor, customer_id: int, code: str, *, valid_from: date, now: datetime
) -> CustomerPlan:
    """Put a customer on the plan's latest version from a day on, until the day of the next plan that it is put on.

    Conflict where the plan is not in the customer's currency, or usage of those days is billed, or is to be billed with
    a subscription.
    """
    actor.require(Permission.PLAN_WRITE)
    customer = customers.for_change(session, actor, customer_id)
    refuse_inactive(customer)
    subscribed.refuse_change(session, customer, valid_from)
    _locked(session, code)
    version = queries.latest(session, actor, code)
    if version.currency != customer.currency:
        raise Conflict(f"{customer.name} is billed in {customer.currency}, the plan {code} is in {version.currency}")
    subscribed.refuse_billed(session, customer, valid_from, _last_day(session, customer_id, valid_from))
    held = session.scalars(
        select(CustomerPlan).where(CustomerPlan.customer_id == customer_id, CustomerPlan.valid_from == valid_from)
    ).one_or_none()
    if held is None:
        held = CustomerPlan(customer_id=customer_id, valid_from=valid_from, created_at=now)
        session.add(held)
        before = None
    elif held.plan_version_id == version.id:
        raise Invalid(f"Nothing would change: {customer.name} is on this plan from {valid_from} already")
    elif held.plan_version_id is None:
        before = {"plan": None}
    else:
        replaced = session.execute(queries.versions().where(PlanVersion.id == held.plan_version_id)).one()
        before = {"plan": replaced.code, "version": replaced.number}
    held.plan_version_id = version.id
    session.flush()
    subscribed.ask(session, customer_id, now)
    after = {"plan": code, "version": version.number, "valid_from": valid_from}
    subject = ("customer", customer_id)
    audit.record(session, actor, "plan.assign", subject, label=customer.name, before=before, after=after, now=now)
    return held


def take_off(session: Session, actor: Actor, customer_id: int, *, valid_from: date, now: datetime) -> None:
    """Leave a customer on no plan from a day on; what it was to be put on later is dropped too.

    Conflict where usage of those days is billed, or is to be billed with a subscription, Invalid where it is on none
    from then on already.
    """
    actor.require(Permission.PLAN_WRITE)
    customer = customers.for_change(session, actor, customer_id)
    subscribed.refuse_change(session, customer, valid_from)
    dropped = queries.on_plan(session, customer_id, Period(valid_from, LATEST_DAY))
    if not dropped:
        raise Invalid(f"Nothing would change: {customer.name} is on no plan from {valid_from} on")
    subscribed.refuse_billed(session, customer, valid_from)
    later = delete(CustomerPlan).where(CustomerPlan.customer_id == customer_id, CustomerPlan.valid_from >= valid_from)
    session.execute(later)
    day_before = valid_from - timedelta(days=1)
    if queries.on_plan(session, customer_id, Period(day_before, day_before)):
        session.add(CustomerPlan(customer_id=customer_id, valid_from=valid_from, created_at=now))
        session.flush()
    subscribed.ask(session, customer_id, now)
    before = {"plans": [f"{one.version.code}, version {one.version.number}, {one.first_day}" for one in dropped]}
    after = {"plan": None, "valid_from": valid_from}
    subject = ("customer", customer_id)
    audit.record(session, actor, "plan.take_off", subject, label=customer.name, before=before, after=after, now=now)


def _last_day(session: Session, customer_id: int, valid_from: date) -> date | None:
    """The day before the customer's next change of plans; None where there is none."""
    following = select(func.min(CustomerPlan.valid_from)).where(
        CustomerPlan.customer_id == customer_id, CustomerPlan.valid_from > valid_from
    )
    until = session.scalar(following)
    return until and until - timedelta(days=1)


def _begin(session: Session, plan: Plan, number: int, columns: dict[str, Any], now: datetime) -> PlanVersion:
    version = PlanVersion(plan_id=plan.id, number=number, created_at=now, **columns)
    session.add(version)
    session.flush()
    return version


def _locked(session: Session, code: str) -> Plan:
    """Two who change a plan, or put somebody on it meanwhile, take turns."""
    plan = session.scalars(select(Plan).where(equals(Plan.code, code)).with_for_update()).one_or_none()
    if plan is None:
        raise NotFound(f"There is no plan {code}")
    return plan
