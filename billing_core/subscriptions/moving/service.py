"""Moving subscriptions to another version of their plan as it was rehearsed, and withdrawing that until it is done."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, insert, literal, null, select, update
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.database.functions import equals
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.plans.models import Plan
from billing_core.subscriptions.models import (
    ChangeState,
    MovedSubscription,
    MoveMail,
    PlanMove,
    Subscription,
    SubscriptionChange,
)
from billing_core.subscriptions.moving import asked as asking
from billing_core.subscriptions.moving import rehearsing
from billing_core.subscriptions.moving.asked import Asked, Course
from billing_core.subscriptions.moving.candidates import candidates, running
from billing_core.subscriptions.moving.rehearsing import Rehearsal


class Outdated(Conflict):
    """What was rehearsed is not what the move comes to now: ``rehearsal`` is."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        super().__init__("The move does not come to what was shown any more: look at it again")
        self.rehearsal = rehearsal


def move(
    session: Session, actor: Actor, asked: Asked, token: str, *, today: date, notice_days: int, now: datetime
) -> int:
    """Move them as it was rehearsed under this token, once, however often this is asked for; returns the move's id.

    ``Outdated`` where it comes to something else by now, or was withdrawn; Invalid where there is nobody to move.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    known = select(PlanMove.id).where(equals(PlanMove.token, token), PlanMove.withdrawn_at.is_(None))
    if (move_id := session.scalar(known)) is not None:
        return move_id
    asking.check_notice(asked, today=today, notice_days=notice_days)
    course = asking.course(session, asked)
    _lock(session, actor, course)
    # Somebody may have done the same meanwhile.
    if (move_id := session.scalar(known)) is not None:
        return move_id
    rehearsal = rehearsing.of_course(session, actor, course)
    if rehearsal.token != token:
        raise Outdated(rehearsal)
    if not rehearsal.moved:
        raise Invalid("There is no subscription to move", fields={"older": "has none that can be moved"})
    made = PlanMove(
        plan_id=course.plan_id,
        version_id=course.target.id,
        first_day=asked.first_day,
        told=asked.tells,
        token=token,
        asked_at=now,
        asked_by_id=actor.user_id,
        asked_by=actor.name,
    )
    session.add(made)
    session.flush()
    if _schedule(session, actor, course, made) != rehearsal.moved:
        # One was resumed, or signed up, while the others were being locked.
        raise Outdated(rehearsal)
    facts = asking.facts(asked) | {"move": made.id, "subscriptions": rehearsal.moved}
    subject = ("plan", course.plan_id)
    audit.record(session, actor, "subscription.move", subject, label=course.plan_name, after=facts, now=now)
    told = {"move": made.id, "wanted": _wanted(course), "first_day": asked.first_day.isoformat()}
    _record_each(session, actor, "subscription.ask_change", made.id, told, now)
    return made.id


def withdraw(session: Session, actor: Actor, move_id: int, *, now: datetime) -> int:
    """Withdraw a move for all for whom it has not begun; how many those are. Conflict where it has for everybody.

    Who was told of it is told that it does not come.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    # Its key stays free: a change that begins meanwhile and is written twice has PostgreSQL look whether its move is
    # there, and would wait for this, which waits for that.
    found = select(PlanMove).where(PlanMove.id == move_id).with_for_update(key_share=True)
    made = session.scalars(found).one_or_none()
    if made is None:
        raise NotFound(f"There is no move {move_id}")
    withdrawn = session.scalars(
        update(SubscriptionChange)
        .where(SubscriptionChange.move_id == move_id, SubscriptionChange.state == ChangeState.SCHEDULED)
        .values(state=ChangeState.WITHDRAWN, ended_at=now)
        .returning(SubscriptionChange.subscription_id)
        .execution_options(synchronize_session=False)
    ).all()
    if not withdrawn:
        raise Conflict("There is nothing to withdraw: it has begun, or was withdrawn, for everybody")
    _stop_telling(session, move_id, now)
    made.withdrawn_at = now
    plan = session.get_one(Plan, made.plan_id)
    facts = {"move": move_id, "subscriptions": len(withdrawn)}
    subject = ("plan", plan.id)
    audit.record(session, actor, "subscription.withdraw_move", subject, label=plan.name, after=facts, now=now)
    just_now = SubscriptionChange.ended_at == now
    _record_each(session, actor, "subscription.withdraw_change", move_id, {"move": move_id}, now, just_now)
    return len(withdrawn)


def _lock(session: Session, actor: Actor, course: Course) -> None:
    """Two moves of a plan take turns, and nobody changes the subscriptions meanwhile."""
    session.execute(select(Plan.id).where(Plan.id == course.plan_id).with_for_update())
    one_by_one = select(Subscription.id).where(running(actor, course)).order_by(Subscription.id).with_for_update()
    session.execute(select(func.count()).select_from(one_by_one.subquery()))


def _schedule(session: Session, actor: Actor, course: Course, made: PlanMove) -> int:
    """Keep what the move comes to for each, and schedule it; how many there are."""
    found = candidates(session, actor, course)
    mail = case((found.c.email != "", MoveMail.DUE.value), else_=MoveMail.NONE.value)
    rows = select(
        *(literal(made.id), found.c.id, found.c.version_id, found.c.period_number),
        *(found.c.before_minor, found.c.after_minor, mail if made.told else literal(MoveMail.NONE.value)),
    ).where(found.c.left_out.is_(None))
    names = ("move_id", "subscription_id", "from_version_id", "period_number", "before_minor", "after_minor", "mail")
    session.execute(insert(MovedSubscription).from_select(names, rows))
    kept = SubscriptionChange.__table__.c
    facts: dict[str, Any] = {
        "state": literal(ChangeState.SCHEDULED, kept.state.type),
        "wanted": literal(_wanted(course), kept.wanted.type),
        "proposed": null(),
        "asked_at": literal(made.asked_at, kept.asked_at.type),
        "asked_by_id": literal(made.asked_by_id, kept.asked_by_id.type),
        "asked_by": literal(made.asked_by, kept.asked_by.type),
        "outcome": literal("", kept.outcome.type),
        "not_before": literal(made.first_day, kept.not_before.type),
    }
    moved = select(
        MovedSubscription.subscription_id, MovedSubscription.move_id, MovedSubscription.period_number, *facts.values()
    ).where(MovedSubscription.move_id == made.id)
    given = ["subscription_id", "move_id", "period_number", *facts]
    session.execute(insert(SubscriptionChange).from_select(given, moved.order_by(MovedSubscription.subscription_id)))
    counted = select(func.count()).where(MovedSubscription.move_id == made.id)
    return session.scalars(counted).one()


def _wanted(course: Course) -> dict[str, Any]:
    return {"plan": course.asked.plan_code, "version_id": course.target.id, "version": course.target.number}


def _stop_telling(session: Session, move_id: int, now: datetime) -> None:
    just_now: Select[int] = select(SubscriptionChange.subscription_id).where(
        SubscriptionChange.move_id == move_id,
        SubscriptionChange.state == ChangeState.WITHDRAWN,
        SubscriptionChange.ended_at == now,
    )
    states = [(one, one.withdrawn(recalls=True)) for one in (MoveMail.DUE, MoveMail.TOLD)]
    after = case(*((MovedSubscription.mail == before, then.value) for before, then in states))
    session.execute(
        update(MovedSubscription)
        .where(
            MovedSubscription.move_id == move_id,
            MovedSubscription.mail.in_([before for before, _ in states]),
            MovedSubscription.subscription_id.in_(just_now),
        )
        .values(mail=after)
        .execution_options(synchronize_session=False)
    )


def _record_each(
    session: Session,
    actor: Actor,
    action: str,
    move_id: int,
    facts: dict[str, Any],
    now: datetime,
    *conditions: ColumnElement[bool],
) -> None:
    """In the timeline of every subscription that it is about."""
    subjects = (
        select(Subscription.id, Subscription.public_id)
        .join(SubscriptionChange, SubscriptionChange.subscription_id == Subscription.id)
        .where(SubscriptionChange.move_id == move_id, *conditions)
        .order_by(Subscription.id)
    )
    audit.record_each(session, actor, action, "subscription", subjects, after=facts, now=now)
