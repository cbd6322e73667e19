"""Moves of a plan, with what has become of them."""

from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, Select, String, case, cast, func, literal, select
from sqlalchemy.orm import Session, aliased

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import equals
from billing_core.identity import Actor, Permission
from billing_core.mailing.models import MailKind
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.plans.models import Plan, PlanVersion
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.models import (
    ChangeState,
    MovedSubscription,
    MoveMail,
    PlanMove,
    Subscription,
    SubscriptionChange,
)


class MoveRow(NamedTuple):
    """``scheduled``, ``applied`` and ``withdrawn`` count its subscriptions. ``told``: their customers get a mail."""

    id: int
    plan_code: str
    version: int
    first_day: date
    told: bool
    asked_at: datetime
    asked_by: str
    withdrawn_at: datetime | None
    scheduled: int
    applied: int
    withdrawn: int


class MovedRow(NamedTuple):
    """One subscription of a move, with what a period costs before and after, in minor units, as it was rehearsed.
    ``message``: what became of the mail that ``mail`` tells of.
    """

    move_id: int
    change_id: int
    subscription_id: int
    public_id: str
    customer_name: str
    version: int
    currency: str
    begins_on: date
    before_minor: int
    after_minor: int
    state: ChangeState
    mail: MoveMail
    message: MessageState | None


def moves(session: Session, actor: Actor, plan_code: str, *, limit: int) -> list[MoveRow]:
    """The newest first, as far as this actor sees their subscriptions."""
    return [MoveRow(*row) for row in session.execute(_moves(actor).where(equals(Plan.code, plan_code)).limit(limit))]


def page(session: Session, actor: Actor, move_id: int, *, limit: int, offset: int = 0) -> list[MovedRow]:
    """The subscriptions of a move, in the order in which they signed up."""
    actor.require(Permission.SUBSCRIPTION_READ)
    left, target = aliased(PlanVersion), aliased(PlanVersion)
    statement: Select[*tuple[Any, ...]] = (
        select(
            *(MovedSubscription.move_id, SubscriptionChange.id, Subscription.id, Subscription.public_id),
            *(Customer.name, left.number, Subscription.currency, Subscription.anchor_day, Subscription.anchor_number),
            *(MovedSubscription.period_number, MovedSubscription.before_minor, MovedSubscription.after_minor),
            *(SubscriptionChange.state, MovedSubscription.mail, _message(), target.interval, target.interval_count),
        )
        .join(Subscription, Subscription.id == MovedSubscription.subscription_id)
        .join(
            SubscriptionChange,
            (SubscriptionChange.move_id == MovedSubscription.move_id)
            & (SubscriptionChange.subscription_id == MovedSubscription.subscription_id),
        )
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(PlanMove, PlanMove.id == MovedSubscription.move_id)
        .join(left, left.id == MovedSubscription.from_version_id)
        .join(target, target.id == PlanMove.version_id)
        .where(MovedSubscription.move_id == move_id, visible_to(actor, Subscription.customer_id))
        .order_by(MovedSubscription.subscription_id)
    )
    return [_row(row) for row in session.execute(statement.limit(limit).offset(offset))]


def _message() -> ScalarSelect[MessageState]:
    """What became of the newest mail about it."""
    recalled = MovedSubscription.mail == MoveMail.RECALLED
    kind = case((recalled, MailKind.PLAN_MOVE_WITHDRAWN.value), else_=MailKind.PLAN_MOVE.value)
    key = literal("mail:") + kind + ":" + cast(MovedSubscription.move_id, String) + ":" + Subscription.public_id
    return select(OutboxMessage.state).where(OutboxMessage.key == key).scalar_subquery()


def _row(row: Any) -> MovedRow:
    *named, anchor_day, anchor_number, number, before, after, state, mail, message, interval, count = row
    begins_on = Cycle.of_days(anchor_day, interval, count).day(number - anchor_number)
    return MovedRow._make([*named, begins_on, before, after, state, mail, message])


def _moves(actor: Actor) -> Select[*tuple[Any, ...]]:
    actor.require(Permission.SUBSCRIPTION_READ)
    return (
        select(
            *(PlanMove.id, Plan.code, PlanVersion.number, PlanMove.first_day, PlanMove.told),
            *(PlanMove.asked_at, PlanMove.asked_by, PlanMove.withdrawn_at),
            *(_how_many(state) for state in (ChangeState.SCHEDULED, ChangeState.APPLIED, ChangeState.WITHDRAWN)),
        )
        .join(Plan, Plan.id == PlanMove.plan_id)
        .join(PlanVersion, PlanVersion.id == PlanMove.version_id)
        .join(SubscriptionChange, SubscriptionChange.move_id == PlanMove.id)
        .join(Subscription, Subscription.id == SubscriptionChange.subscription_id)
        .where(visible_to(actor, Subscription.customer_id))
        .group_by(PlanMove.id, Plan.code, PlanVersion.number)
        .order_by(PlanMove.id.desc())
    )


def _how_many(state: ChangeState) -> ColumnElement[int]:
    return func.sum(case((SubscriptionChange.state == state, 1), else_=0))
