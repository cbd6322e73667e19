"""Subscriptions that match a filter: a page of them, how many there are by tab, and what they are worth."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, true
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import matching, visible_to
from billing_core.database.functions import beside_indexes, equals, mentions
from billing_core.database.ordering import chosen, ordered
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.money import Money
from billing_core.online_payments.models import PaymentMethodOnFile
from billing_core.online_payments.off_session.methods import EXPIRING_WITHIN
from billing_core.plans.models import Plan, PlanVersion
from billing_core.subscriptions.models import Subscription, SubscriptionState
from billing_core.subscriptions.overview import worth
from billing_core.subscriptions.overview.figures import RECURRING


class Tab(enum.StrEnum):
    """PAST_DUE: also those that are unpaid. CARD_EXPIRES: soon, or it has expired. ENDING: cancelled with the end of
    their period. HELD: they wait for a person.
    """

    ALL = "all"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CARD_EXPIRES = "card_expires"
    ENDING = "ending"
    HELD = "held"
    CANCELED = "canceled"


_STATES: Final[Mapping[Tab, tuple[SubscriptionState, ...]]] = {
    Tab.TRIALING: (SubscriptionState.TRIALING,),
    Tab.ACTIVE: (SubscriptionState.ACTIVE,),
    Tab.PAST_DUE: (SubscriptionState.PAST_DUE, SubscriptionState.UNPAID),
    Tab.CANCELED: (SubscriptionState.CANCELED,),
}


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """Empty fields do not limit. ``text``: part of the subscription's id, or of what is known of its customer.
    ``today``: from which on cards expire soon; without it none does.
    """

    tab: Tab = Tab.ALL
    customer_id: int | None = None
    plan: str = ""
    text: str = ""
    order_by: str = "-created_at"
    today: date | None = None


class ListedSubscription(NamedTuple):
    """``monthly_minor``: what it is worth a month. ``card_brand``, ``card_last4`` and the last day ``card_expires_on``:
    of what is charged, if anything is.
    """

    id: int
    public_id: str
    customer_id: int
    customer_name: str
    plan_code: str
    plan_name: str
    state: SubscriptionState
    currency: str
    monthly_minor: int
    seats: int
    next_at: datetime | None
    trial_ends_at: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    paused_at: datetime | None
    held_at: datetime | None
    card_brand: str | None
    card_last4: str | None
    card_expires_on: date | None
    created_at: datetime


class Worth(NamedTuple):
    """Per currency. ``recurring``: as the figure of the monthly recurring revenue counts it. ``beside``: of trials and
    of those that are paused, which bill nothing now.
    """

    recurring: list[Money]
    beside: list[Money]


ORDERINGS: Final[Mapping[str, tuple[Any, ...]]] = {
    "created_at": (Subscription.id,),
    # Customer by customer, as an index has each one's subscriptions.
    "customer_name": (Customer.name_order, Customer.id, Subscription.id),
    "next_at": (Subscription.next_at, Subscription.id),
}


def listing(actor: Actor, filters: SubscriptionFilter) -> Select[*tuple[Any, ...]]:
    """What matches, in its order, as the columns of ``ListedSubscription``."""
    columns = (
        *(Subscription.id, Subscription.public_id, Customer.id, Customer.name, Plan.code, Plan.name),
        *(Subscription.state, Subscription.currency, worth.a_month(), Subscription.seats, Subscription.next_at),
        *(Subscription.trial_ends_at, Subscription.cancel_at_period_end, Subscription.canceled_at),
        *(Subscription.paused_at, Subscription.held_at),
        *(PaymentMethodOnFile.brand, PaymentMethodOnFile.last4, PaymentMethodOnFile.expires_on),
        Subscription.created_at,
    )
    matching_ones = _matching(actor, filters, *columns, in_their_order=_is_along_names(actor, filters))
    statement = worth.with_prices(matching_ones).outerjoin(
        PaymentMethodOnFile,
        (PaymentMethodOnFile.id == Subscription.payment_method_id) & PaymentMethodOnFile.detached_at.is_(None),
    )
    return statement.order_by(*ordered(filters.order_by, *chosen(ORDERINGS, filters.order_by)))


def page(
    session: Session, actor: Actor, filters: SubscriptionFilter, *, limit: int, offset: int = 0
) -> list[ListedSubscription]:
    rows = session.execute(listing(actor, filters).limit(limit).offset(offset))
    return [ListedSubscription(*row) for row in rows]


def one(session: Session, actor: Actor, subscription_id: int) -> ListedSubscription:
    """NotFound where there is none or this actor may not see it."""
    row = session.execute(listing(actor, SubscriptionFilter()).where(Subscription.id == subscription_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such subscription")
    return ListedSubscription(*row)


def counts(session: Session, actor: Actor, filters: SubscriptionFilter, *, at_most: int) -> dict[Tab, int]:
    """How many match on each tab, counted no further than ``at_most``."""
    numbers = []
    for tab in Tab:
        few = _matching(actor, replace(filters, tab=tab), Subscription.id).limit(at_most).subquery()
        numbers.append(select(func.count()).select_from(few).scalar_subquery())
    return dict(zip(Tab, session.execute(select(*numbers)).one(), strict=True))


def count(session: Session, actor: Actor, filters: SubscriptionFilter) -> int:
    rows = _matching(actor, filters, Subscription.id).subquery()
    return session.scalar(select(func.count()).select_from(rows)) or 0


def on_plans(session: Session, actor: Actor, codes: Sequence[str]) -> dict[str, int]:
    """How many subscriptions to each of these plans, in any version, are not canceled."""
    going_on = _matching(actor, SubscriptionFilter(), Plan.code, func.count(Subscription.id)).where(
        Subscription.state != SubscriptionState.CANCELED, Plan.code.in_(codes)
    )
    found = session.execute(going_on.group_by(Plan.code))
    return dict.fromkeys(codes, 0) | {row[0]: row[1] for row in found}


def worth_a_month(session: Session, actor: Actor, filters: SubscriptionFilter) -> Worth:
    """What those that match are worth a month together."""
    is_recurring = and_(Subscription.state.in_(RECURRING), Subscription.paused_at.is_(None)).label("is_recurring")
    columns = (Subscription.currency, is_recurring, worth.a_month().label("minor"))
    going_on = worth.with_prices(_matching(actor, filters, *columns))
    each = going_on.where(Subscription.state != SubscriptionState.CANCELED).subquery()
    sums = select(each.c.is_recurring, each.c.currency, func.sum(each.c.minor))
    sums = sums.group_by(each.c.is_recurring, each.c.currency).order_by(each.c.currency)
    found: dict[bool, list[Money]] = {True: [], False: []}
    for recurring, currency, minor in session.execute(sums):
        found[bool(recurring)].append(Money(int(minor), currency))
    return Worth(found[True], found[False])


def _is_along_names(actor: Actor, filters: SubscriptionFilter) -> bool:
    """Whether they are read customer by customer: all of them, not what an index finds of a state, a text or one."""
    by_name = filters.order_by.removeprefix("-") == "customer_name"
    of_one = filters.customer_id is not None or actor.customer_id is not None
    return by_name and filters.tab is Tab.ALL and not filters.text.strip() and not of_one


def _matching(
    actor: Actor, filters: SubscriptionFilter, *columns: Any, in_their_order: bool = False
) -> Select[*tuple[Any, ...]]:
    """``in_their_order``: read from the customers, as their names stand, to their subscriptions."""
    actor.require(Permission.SUBSCRIPTION_READ)
    customer_id = beside_indexes(Customer.id) if in_their_order else Customer.id
    statement = (
        select(*columns)
        .join_from(Subscription, Customer, customer_id == Subscription.customer_id)
        .join(PlanVersion, PlanVersion.id == Subscription.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(
            Subscription.state != SubscriptionState.INCOMPLETE,
            visible_to(actor, Subscription.customer_id),
            _on(filters),
        )
    )
    if filters.customer_id is not None:
        statement = statement.where(Subscription.customer_id == filters.customer_id)
    if filters.plan:
        statement = statement.where(equals(Plan.code, filters.plan))
    if text := filters.text.strip():
        statement = statement.where(or_(matching(text), mentions(text, Subscription.public_id)))
    return statement


def _on(filters: SubscriptionFilter) -> ColumnElement[bool]:
    going_on = Subscription.state != SubscriptionState.CANCELED
    match filters.tab:
        case Tab.ALL:
            return true()
        case Tab.CARD_EXPIRES:
            return false() if filters.today is None else _expires(filters.today) & going_on
        case Tab.ENDING:
            return Subscription.cancel_at_period_end & going_on
        case Tab.HELD:
            return Subscription.held_at.is_not(None) & going_on
        case _:
            return Subscription.state.in_(_STATES[filters.tab])


def _expires(today: date) -> ColumnElement[bool]:
    """Whether it is charged to a card that expires soon, or has expired."""
    expires = select(PaymentMethodOnFile.id).where(
        PaymentMethodOnFile.id == Subscription.payment_method_id,
        PaymentMethodOnFile.detached_at.is_(None),
        PaymentMethodOnFile.expires_on <= today + EXPIRING_WITHIN,
    )
    return expires.correlate(Subscription).exists()
