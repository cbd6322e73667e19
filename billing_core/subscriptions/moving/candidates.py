"""Every subscription on the versions that a move leaves: what it comes to for each, or why it is left out; in SQL."""

import enum
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    Integer,
    Subquery,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import Columns, as_rows, number_in
from billing_core.identity import Actor
from billing_core.plans.models import PlanAddOn, PlanVersion
from billing_core.plans.offers import has_usage_price
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.models import ChangeState, Subscription, SubscriptionChange, SubscriptionState
from billing_core.subscriptions.moving import amounts
from billing_core.subscriptions.moving.amounts import Prices
from billing_core.subscriptions.moving.asked import Course
from billing_core.subscriptions.moving.leaving import goes_to_other_plan

_ANCHORS: Final[Columns] = {"anchor_day": Date(), "place": Integer()}
_SEATS: Final = number_in(SubscriptionChange.wanted, literal_column("'seats'"))
_OVER: Final = (SubscriptionState.INCOMPLETE, SubscriptionState.CANCELED)


class LeftOut(enum.StrEnum):
    """Why a subscription stays where it is. ENDING: with its period. ENDED: its last period is over by then, or would
    be by the other version. OTHER_PLAN: a change to another plan is scheduled, or being charged. MOVING: it is to be
    moved already. What the other version lacks: CURRENCY, SEATS, ADD_ONS. USAGE: another subscription of its customer
    bills their usage, or is to.
    """

    PAUSED = "paused"
    UNPAID = "unpaid"
    ENDING = "ending"
    ENDED = "ended"
    MOVING = "moving"
    OTHER_PLAN = "other_plan"
    CURRENCY = "currency"
    SEATS = "seats"
    ADD_ONS = "add_ons"
    USAGE = "usage"


def candidates(session: Session, actor: Actor, course: Course) -> Subquery:
    """With ``period_number``, the first that begins on the day of the move or later, what it costs before and after,
    and ``left_out``, NULL for those that are moved.
    """
    standing = _standing(session, actor, course)
    prices = Prices.of(session, course.offers)
    before, after = prices.plan.alias("prices_before"), prices.plan.alias("prices_after")
    statement = (
        select(
            *standing.c,
            amounts.whole_price(before, prices.add_ons, standing).label("before_minor"),
            amounts.whole_price(after, prices.add_ons, standing).label("after_minor"),
            _left_out(course, standing, after).label("left_out"),
        )
        .join_from(standing, before, amounts.holds(before, standing.c.version_id, standing))
        .outerjoin(after, amounts.holds(after, course.target.id, standing))
    )
    return statement.subquery("candidates")


def running(actor: Actor, course: Course) -> ColumnElement[bool]:
    """In SQL: the subscription is on one of the versions, and not over."""
    return and_(
        Subscription.plan_version_id.in_(course.left_ids),
        Subscription.state.not_in(_OVER),
        visible_to(actor, Subscription.customer_id),
    )


def _standing(session: Session, actor: Actor, course: Course) -> Subquery:
    anchors = _anchors(session, actor, course)
    from_anchor = Subscription.anchor_number + anchors.c.place
    # A period that has begun already is not the one, though its day may lie behind the date line.
    begun = func.coalesce(Subscription.period_number, -1)
    number = case((from_anchor > begun, from_anchor), else_=begun + 1)
    return (
        select(
            *(Subscription.id, Subscription.public_id, Subscription.customer_id, Subscription.currency),
            *(Subscription.seats, Subscription.add_ons, Subscription.state, Subscription.paused_at),
            *(Subscription.cancel_at_period_end, Subscription.anchor_day, Subscription.anchor_number),
            *(Customer.name.label("customer_name"), Customer.email),
            *(Customer.further_emails, Customer.cc_emails, Customer.bcc_emails),
            *(PlanVersion.id.label("version_id"), PlanVersion.number.label("version"), PlanVersion.ends_after),
            number.label("period_number"),
        )
        .join_from(Subscription, anchors, anchors.c.anchor_day == Subscription.anchor_day)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(PlanVersion, PlanVersion.id == Subscription.plan_version_id)
        .where(running(actor, course))
        .subquery("standing")
    )


def _anchors(session: Session, actor: Actor, course: Course) -> CTE:
    """How many periods after each anchor the first one begins that counts: the calendar of the renewals says so."""
    days = session.scalars(select(Subscription.anchor_day).distinct().where(running(actor, course)))
    first_day = course.asked.first_day
    rows = [(day, _cycle(course, day).first_from(first_day)) for day in days]
    return as_rows(session, "anchors", _ANCHORS, rows).prefix_with("MATERIALIZED")


def begins_on(course: Course, anchor_day: date, place: int) -> date:
    """The local day on which the period so many after the anchor begins."""
    return _cycle(course, anchor_day).day(place)


def _cycle(course: Course, anchor_day: date) -> Cycle:
    """Of its days, which are the same in every zone and at every time of day."""
    return Cycle.of_days(anchor_day, course.target.interval, course.target.interval_count)


def _left_out(course: Course, standing: Subquery, after: Any) -> ColumnElement[str | None]:
    ends_after = course.target.ends_after
    is_over = standing.c.ends_after <= standing.c.period_number
    if ends_after is not None:
        is_over = or_(is_over, standing.c.period_number >= ends_after)
    reasons: list[tuple[ColumnElement[bool], LeftOut]] = [
        (standing.c.paused_at.is_not(None), LeftOut.PAUSED),
        (standing.c.state == SubscriptionState.UNPAID, LeftOut.UNPAID),
        (standing.c.cancel_at_period_end, LeftOut.ENDING),
        (is_over, LeftOut.ENDED),
        (_asked(standing, SubscriptionChange.move_id.is_not(None)), LeftOut.MOVING),
        (goes_to_other_plan(standing.c.id, standing.c.version_id), LeftOut.OTHER_PLAN),
        (after.c.version_id.is_(None), LeftOut.CURRENCY),
        (and_(after.c.has_seats == 0, or_(standing.c.seats > 1, _asked(standing, _SEATS > 1))), LeftOut.SEATS),
        (_has_other_add_ons(course, standing), LeftOut.ADD_ONS),
    ]
    if course.has_usage:
        reasons.append((_is_metered_elsewhere(course, standing), LeftOut.USAGE))
    return case(*((condition, reason.value) for condition, reason in reasons), else_=None)


def _asked(standing: Subquery, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """A change of the subscription waits."""
    waiting = SubscriptionChange.state.in_((ChangeState.SCHEDULED, ChangeState.CHARGING))
    return exists().where(SubscriptionChange.subscription_id == standing.c.id, waiting, *conditions)


def _has_other_add_ons(course: Course, standing: Subquery) -> ColumnElement[bool]:
    """Such as the other version has none of; also where they are to come."""
    asked_for = number_in(SubscriptionChange.wanted["add_ons"], PlanAddOn.code)
    codes = {one.code for offer in course.offers if offer.version_id == course.target.id for one in offer.add_ons}
    return exists().where(
        PlanAddOn.plan_version_id == standing.c.version_id,
        PlanAddOn.code.not_in(sorted(codes)),
        or_(
            number_in(standing.c.add_ons, PlanAddOn.code).is_not(None),
            _asked(standing, asked_for.is_not(None)),
        ),
    )


def _is_metered_elsewhere(course: Course, standing: Subquery) -> ColumnElement[bool]:
    """Or will be: of several that would begin with usage, the customer's first one does."""
    other, version = aliased(Subscription), aliased(PlanVersion)
    metered = [offer.version_id for offer in course.offers if offer.has_usage]
    before = and_(
        standing.c.version_id.not_in(metered), other.plan_version_id.in_(course.left_ids), other.id < standing.c.id
    )
    return exists().where(
        other.customer_id == standing.c.customer_id,
        other.id != standing.c.id,
        other.state.not_in(_OVER),
        version.id == other.plan_version_id,
        or_(has_usage_price(version), before),
    )
