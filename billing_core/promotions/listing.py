"""Promo codes as people and programs look through them, and who has redeemed one."""

import enum
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Enum, ScalarSelect, Select, case, func, literal, select, true
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import equals, mentions
from billing_core.database.ordering import no_such_start
from billing_core.errors import NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.plans.models import Plan
from billing_core.promotions.models import PromoCode, PromoDuration, PromoRedemption
from billing_core.promotions.new_codes import key_of
from billing_core.text import control_character


class CodeStatus(enum.StrEnum):
    """Whether a code can be redeemed on a day, and what stands in the way."""

    ACTIVE = "active"
    USED_UP = "used_up"
    EXPIRED = "expired"
    ENDED = "ended"


_STATUS = Enum(CodeStatus, native_enum=False, values_callable=lambda members: [member.value for member in members])


@dataclass(frozen=True, slots=True)
class CodeFilter:
    """Empty fields do not limit. ``text`` is part of a code; ``plan_code``: what can be redeemed for this plan, also
    what can for all.
    """

    text: str = ""
    status: CodeStatus | None = None
    plan_code: str = ""


@dataclass(frozen=True, slots=True)
class CodeRow:
    """The fields as in ``PromoCode``; ``plan_code`` None: for all plans. ``redeemed`` is how often, without what was
    released.
    """

    id: int
    code: str
    plan_code: str | None
    percent: Decimal | None
    amount_minor: int | None
    currency: str | None
    duration: PromoDuration
    periods: int | None
    limit: int | None
    limit_per_customer: int | None
    valid_to: date | None
    created_at: datetime
    ended_at: datetime | None
    redeemed: int
    status: CodeStatus


@dataclass(frozen=True, slots=True)
class RedemptionRow:
    """``released_at``: since when it counts no more, since what it was for did not come about."""

    id: int
    customer_id: int
    customer_ref: str
    customer: str
    subject: str
    redeemed_at: datetime
    released_at: datetime | None


def codes(
    session: Session,
    actor: Actor,
    filters: CodeFilter,
    *,
    today: date,
    after: str = "",
    limit: int = 200,
    offset: int = 0,
) -> list[CodeRow]:
    """The newest first; ``after``: those that follow this code in that order; Invalid."""
    statement = listing(actor, filters, today=today)
    if after:
        last_id = session.scalar(select(PromoCode.id).where(_named(after)))
        if last_id is None:
            raise no_such_start()
        statement = statement.where(PromoCode.id < last_id)
    return [CodeRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def count(session: Session, actor: Actor, filters: CodeFilter, *, today: date) -> int:
    rows = listing(actor, filters, today=today).order_by(None).with_only_columns(PromoCode.id).subquery()
    return session.scalar(select(func.count()).select_from(rows)) or 0


def one(session: Session, actor: Actor, code: str, *, today: date) -> CodeRow:
    """A code as somebody writes it; NotFound."""
    row = session.execute(listing(actor, CodeFilter(), today=today).where(_named(code))).one_or_none()
    if row is None:
        raise NotFound("There is no such promo code")
    return CodeRow(*row)


def listing(actor: Actor, filters: CodeFilter, *, today: date) -> Select[*tuple[Any, ...]]:
    """What matches, the newest first, as the columns of ``CodeRow``."""
    actor.require(Permission.PROMO_READ)
    status = _status(today)
    statement: Select[*tuple[Any, ...]] = (
        select(
            PromoCode.id,
            PromoCode.code,
            Plan.code,
            PromoCode.percent,
            PromoCode.amount_minor,
            PromoCode.currency,
            PromoCode.duration,
            PromoCode.periods,
            PromoCode.limit,
            PromoCode.limit_per_customer,
            PromoCode.valid_to,
            PromoCode.created_at,
            PromoCode.ended_at,
            _redeemed(),
            status,
        )
        .outerjoin_from(PromoCode, Plan, Plan.id == PromoCode.plan_id)
        .order_by(PromoCode.id.desc())
    )
    if filters.text.strip():
        statement = statement.where(mentions(filters.text.strip(), PromoCode.code))
    if filters.status is not None:
        statement = statement.where(status == filters.status)
    if filters.plan_code:
        statement = statement.where(PromoCode.plan_id.is_(None) | equals(Plan.code, filters.plan_code))
    return statement


def redemptions(
    session: Session, actor: Actor, code_id: int, *, limit: int = 50, offset: int = 0
) -> list[RedemptionRow]:
    """Who has redeemed the code, the latest first; also what was released."""
    columns = (
        *(PromoRedemption.id, PromoRedemption.customer_id, Customer.ref, Customer.name),
        *(PromoRedemption.subject, PromoRedemption.redeemed_at, PromoRedemption.released_at),
    )
    statement = (
        select(*columns)
        .join(Customer, Customer.id == PromoRedemption.customer_id)
        .where(*_of_code(actor, code_id))
        .order_by(PromoRedemption.id.desc())
    )
    return [RedemptionRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def redemption_count(session: Session, actor: Actor, code_id: int) -> int:
    statement = select(func.count()).select_from(PromoRedemption).where(*_of_code(actor, code_id))
    return session.scalar(statement) or 0


def _of_code(actor: Actor, code_id: int) -> tuple[ColumnElement[bool], ...]:
    actor.require(Permission.PROMO_READ)
    actor.require(Permission.CUSTOMER_READ)
    return PromoRedemption.code_id == code_id, visible_to(actor, PromoRedemption.customer_id)


def _named(code: str) -> ColumnElement[bool]:
    return ~true() if control_character(code) is not None else PromoCode.key == key_of(code)


def _redeemed() -> ScalarSelect[int]:
    """In SQL, beside ``PromoCode``: how often it is redeemed."""
    return (
        select(func.count(PromoRedemption.id))
        .where(PromoRedemption.code_id == PromoCode.id, PromoRedemption.released_at.is_(None))
        .correlate(PromoCode)
        .scalar_subquery()
    )


def _status(today: date) -> ColumnElement[CodeStatus]:
    return case(
        (PromoCode.ended_at.is_not(None), literal(CodeStatus.ENDED, _STATUS)),
        (PromoCode.valid_to < today, literal(CodeStatus.EXPIRED, _STATUS)),
        (_redeemed() >= PromoCode.limit, literal(CodeStatus.USED_UP, _STATUS)),
        else_=literal(CodeStatus.ACTIVE, _STATUS),
    )
