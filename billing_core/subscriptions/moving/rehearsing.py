"""What a move would come to: computed as the move itself is, and named by a token."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from billing_core.bounces import queries as bounces
from billing_core.bounces.queries import BounceRow
from billing_core.customers.models import Customer
from billing_core.identity import Actor, Permission
from billing_core.mailing import mails
from billing_core.subscriptions.models import PlanMove
from billing_core.subscriptions.moving import asked as asking
from billing_core.subscriptions.moving.asked import Asked, Course
from billing_core.subscriptions.moving.candidates import LeftOut, begins_on, candidates

MOST_DIFFERENCES: Final = 20
_AT_ONCE: Final = 5_000


class Sum(NamedTuple):
    """Of the whole periods of those that are moved, in minor units of ``currency``."""

    currency: str
    moved: int
    before_minor: int
    after_minor: int


class Difference(NamedTuple):
    """So many pay that much more (below 0: less) for a period, in minor units."""

    currency: str
    more_minor: int
    moved: int


class Row(NamedTuple):
    """One that is moved, or ``left_out``; ``begins_on`` the local day of its first period by the other version, at
    whole prices in minor units. ``mail``: the address that is told, empty where nobody is.
    """

    id: int
    public_id: str
    customer_id: int
    customer_name: str
    version: int
    currency: str
    begins_on: date
    before_minor: int
    after_minor: int | None
    mail: str
    left_out: LeftOut | None

    @property
    def more_minor(self) -> int | None:
        return None if self.after_minor is None else self.after_minor - self.before_minor


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """``differences`` are the most frequent ones; ``left_out`` says how many stay, by reason."""

    asked: Asked
    plan_name: str
    sums: Sequence[Sum]
    differences: Sequence[Difference]
    left_out: Mapping[LeftOut, int]
    token: str

    @property
    def moved(self) -> int:
        return sum(one.moved for one in self.sums)


def rehearse(session: Session, actor: Actor, asked: Asked, *, today: date, notice_days: int) -> Rehearsal:
    """Nothing is changed. NotFound, Invalid where this cannot be asked for."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    asking.check_notice(asked, today=today, notice_days=notice_days)
    return of_course(session, actor, asking.course(session, asked))


def of_course(session: Session, actor: Actor, course: Course) -> Rehearsal:
    found = candidates(session, actor, course)
    moved = found.c.left_out.is_(None)
    each = (func.count(), func.sum(found.c.before_minor), func.sum(found.c.after_minor))
    sums = select(found.c.currency, *each).where(moved).group_by(found.c.currency).order_by(found.c.currency)
    more = (found.c.after_minor - found.c.before_minor).label("more")
    differences = (
        select(found.c.currency, more, func.count().label("many"))
        .where(moved)
        .group_by(found.c.currency, more)
        .order_by(func.count().desc(), found.c.currency, more)
        .limit(MOST_DIFFERENCES)
    )
    reasons = select(found.c.left_out, func.count()).where(~moved).group_by(found.c.left_out).order_by(found.c.left_out)
    return Rehearsal(
        course.asked,
        course.plan_name,
        [Sum(code, count, int(before), int(after)) for code, count, before, after in session.execute(sums)],
        [Difference(*row) for row in session.execute(differences)],
        {LeftOut(reason): count for reason, count in session.execute(reasons)},
        _token(session, actor, course),
    )


def page(
    session: Session, actor: Actor, asked: Asked, *, left_out: bool = False, limit: int, offset: int = 0
) -> list[Row]:
    """Those that are moved, or those that are left out, in the order in which they signed up."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    course = asking.course(session, asked)
    statement = listing(session, actor, course, left_out=left_out)
    return [row_of(course, row) for row in session.execute(statement.limit(limit).offset(offset))]


def bounced(session: Session, actor: Actor, asked: Asked) -> list[BounceRow]:
    """The addresses of the customers whose subscriptions are moved from which mails came back."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    found = candidates(session, actor, asking.course(session, asked))
    moved = select(found.c.customer_id).where(found.c.left_out.is_(None))
    return bounces.of_customers(session, actor, Customer.id.in_(moved))


def listing(session: Session, actor: Actor, course: Course, *, left_out: bool | None) -> Select[*tuple[Any, ...]]:
    """The columns that ``row_of`` reads; None: those that are moved and the others."""
    found = candidates(session, actor, course)
    statement = select(found).order_by(found.c.id)
    if left_out is None:
        return statement
    return statement.where(found.c.left_out.is_not(None) if left_out else found.c.left_out.is_(None))


def row_of(course: Course, row: Any) -> Row:
    recipients = mails.recipients_of_customer(row)
    told = course.asked.tells and row.left_out is None and not recipients.reason
    return Row(
        row.id,
        row.public_id,
        row.customer_id,
        row.customer_name,
        row.version,
        row.currency,
        begins_on(course, row.anchor_day, row.period_number - row.anchor_number),
        row.before_minor,
        row.after_minor,
        recipients.in_words() if told else "",
        None if row.left_out is None else LeftOut(row.left_out),
    )


def _token(session: Session, actor: Actor, course: Course) -> str:
    """Names every subscription with what becomes of it, and the last move before: what was withdrawn since has another
    one once it is asked for again.
    """
    before = session.scalar(select(func.max(PlanMove.id)).where(PlanMove.plan_id == course.plan_id))
    told = hashlib.sha256(json.dumps([asking.facts(course.asked), before]).encode())
    found = candidates(session, actor, course)
    facts = (found.c.id, found.c.version_id, found.c.currency, found.c.period_number)
    amounts = (found.c.before_minor, found.c.after_minor, found.c.left_out)
    each = session.execute(select(*facts, *amounts).order_by(found.c.id).execution_options(yield_per=_AT_ONCE))
    for row in each:
        told.update(repr(tuple(row)).encode())
    return told.hexdigest()
