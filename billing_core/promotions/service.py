"""What a person can do with promo codes: create one, and end it early."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.database.functions import equals
from billing_core.errors import Conflict, Invalid
from billing_core.identity.permissions import Actor, Permission
from billing_core.plans.models import Plan
from billing_core.promotions import new_codes, queries
from billing_core.promotions.models import PromoCode
from billing_core.promotions.new_codes import NewCode


def create(session: Session, actor: Actor, new: NewCode, *, now: datetime) -> PromoCode:
    """Conflict where there is such a code already, be it in other letters' case or ended: nobody could tell what a
    customer was promised by it.
    """
    actor.require(Permission.PROMO_WRITE)
    columns = new_codes.columns(new)
    plan_code = new.plan_code.strip()
    plan_id = _plan_id(session, plan_code) if plan_code else None
    created = PromoCode(plan_id=plan_id, created_at=now, **columns)
    try:
        with session.begin_nested():
            session.add(created)
    except IntegrityError:
        raise Conflict(f"There is already a promo code {columns['code']}", fields={"code": "is taken"}) from None
    facts = {name: value for name, value in columns.items() if name != "key"} | {"plan_code": plan_code}
    audit.record(
        session, actor, "promo_code.create", ("promo_code", created.id), label=created.code, after=facts, now=now
    )
    return created


def end(session: Session, actor: Actor, code: str, *, now: datetime) -> PromoCode:
    """Nobody can redeem it from now on; whoever has keeps what it promised. NotFound, or Conflict once it is ended."""
    actor.require(Permission.PROMO_WRITE)
    ended = queries.for_change(session, code)
    if ended.ended_at is not None:
        raise Conflict(f"The promo code {ended.code} has ended already")
    ended.ended_at = now
    audit.record(
        session,
        actor,
        "promo_code.end",
        ("promo_code", ended.id),
        label=ended.code,
        before={"ended_at": None},
        after={"ended_at": now},
        now=now,
    )
    return ended


def _plan_id(session: Session, code: str) -> int:
    plan_id = session.scalar(select(Plan.id).where(equals(Plan.code, code)))
    if plan_id is None:
        reason = f"there is no plan {code}"
        raise Invalid(f"plan_code: {reason}", fields={"plan_code": reason})
    return plan_id
