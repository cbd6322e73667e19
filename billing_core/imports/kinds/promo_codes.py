"""Promo codes from a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Select,
    String,
    case,
    cast,
    false,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from billing_core.database.types import Percent, UnitPrice, UtcDateTime
from billing_core.errors import Conflict
from billing_core.imports import Kind, cells, columns, merging
from billing_core.imports.kind import Definition, Derived, Field, Staged, code_up_to, wrong
from billing_core.imports.kinds import amounts
from billing_core.imports.words import choices, readers
from billing_core.plans.models import Plan
from billing_core.promotions.models import PromoCode, PromoDuration, PromoRedemption
from billing_core.promotions.new_codes import key_of

# What a code promises to those who have redeemed it.
_PROMISED = ["plan_id", "percent", "amount_minor", "currency", "duration", "periods"]


def _resolve(staged: Staged) -> Select[Any]:
    """A column of what it promises that the file lacks is as a blank one: the others say it all."""
    rows = staged.table
    currency = _column(staged, "currency", String())
    plan_code = _plan_code(staged)
    return (
        select(
            rows.c.line,
            rows.c.code,
            rows.c.key,
            Plan.id.label("plan_id"),
            _column(staged, "percent", Percent).label("percent"),
            amounts.in_minor_units(_column(staged, "amount", UnitPrice), currency).label("amount_minor"),
            currency.label("currency"),
            rows.c.duration,
            _column(staged, "periods", Integer()).label("periods"),
            *staged.columns("limit", "limit_per_customer", "valid_to"),
            literal(staged.setting.now, UtcDateTime).label("created_at"),
        )
        .outerjoin_from(rows, Plan, Plan.code == plan_code)
        .where(or_(plan_code == "", Plan.id.is_not(None)))
    )


def _column(staged: Staged, name: str, of: TypeEngine[Any]) -> ColumnElement[Any]:
    return staged.table.c[name] if name in staged.given else cast(null(), of)


def _plan_code(staged: Staged) -> ColumnElement[str]:
    return staged.table.c.plan_code if "plan_code" in staged.given else literal("", String)


def _unknown_plan(staged: Staged) -> Select[Any]:
    plan_code = _plan_code(staged)
    known = select(Plan.code).where(Plan.code == plan_code).exists()
    reason = "no plan has this code; import plans first, or leave it empty for all"
    return wrong(staged.table, "plan_code", plan_code, reason).where(plan_code != "", ~known)


def _contradiction(staged: Staged) -> Select[Any]:
    """What a row has of these must fit together."""
    percent, amount = _column(staged, "percent", Percent), _column(staged, "amount", UnitPrice)
    currency, periods = _column(staged, "currency", String()), _column(staged, "periods", Integer())
    counts_periods = staged.table.c.duration == PromoDuration.PERIODS.value
    nothing = literal("", String)
    faults = (
        (percent.is_(None) & amount.is_(None), "percent", nothing, "or an amount is needed"),
        (percent.is_not(None) & amount.is_not(None), "amount", amounts.written(amount), "cannot be beside a percent"),
        (amount.is_not(None) & currency.is_(None), "currency", nothing, "is needed for an amount"),
        (amount.is_(None) & currency.is_not(None), "currency", currency, "is of an amount alone"),
        (counts_periods & periods.is_(None), "periods", nothing, "is needed: for how many billing periods?"),
        (~counts_periods & periods.is_not(None), "periods", cast(periods, String), "is of the duration periods alone"),
    )
    named, value, reason = (case(*((fault[0], fault[place]) for fault in faults)) for place in (1, 2, 3))
    return select(staged.table.c.line, named, value, reason).where(or_(*(fault[0] for fault in faults)))


def _inexact_amount(staged: Staged) -> Select[Any]:
    if not {"amount", "currency"} <= staged.given:
        return _contradiction(staged).where(false())
    currency = staged.table.c.currency
    return amounts.inexact(staged.table, "amount", currency).where(currency.is_not(None))


def _amount_too_large(staged: Staged) -> Select[Any]:
    if not {"amount", "currency"} <= staged.given:
        return _contradiction(staged).where(false())
    return amounts.too_large(staged.table, "amount", staged.table.c.currency)


def _promised(rows: FromClause) -> Select[Any]:
    """Other terms would change what customers pay who have redeemed the code."""
    redeemed = select(PromoRedemption.id).where(
        PromoRedemption.code_id == PromoCode.id, PromoRedemption.released_at.is_(None)
    )
    reason = "has been redeemed, and what it promises stays: only its limits and its last day can change"
    return (
        wrong(rows, "code", rows.c.code, reason)
        .join(PromoCode, PromoCode.id == rows.c.existing_id)
        .where(merging.differs(_PROMISED, rows, PromoCode.__table__), redeemed.exists())
    )


@contextmanager
def _nobody_redeems(session: Session, rows: FromClause) -> Iterator[None]:
    """While the codes are written; who did just now was there first."""
    changed = select(rows.c.existing_id).where(rows.c.effect == "changed")
    session.execute(select(PromoCode.id).where(PromoCode.id.in_(changed)).order_by(PromoCode.id).with_for_update())
    if session.execute(_promised(rows).limit(1)).first() is not None:
        raise Conflict("Somebody has just redeemed a code that the file changes. Check it again.")
    yield


DEFINITION = Definition(
    kind=Kind.PROMO_CODES,
    title="Promo codes",
    model=PromoCode,
    keys=("key",),
    labels=("code",),
    fields=(
        Field(
            "code",
            cells.promo_code,
            required=True,
            filled=True,
            synonyms=("promo code", "promotion code", "coupon", "coupon code"),
        ),
        Field("plan_code", code_up_to(64), synonyms=("plan", "plan id")),
        Field(
            "percent", cells.percent, Percent, blank=None, synonyms=("percent off", "percentage", "discount percent")
        ),
        Field("amount", cells.amount, UnitPrice, blank=None, synonyms=("amount off", "discount amount", "discount")),
        columns.CURRENCY,
        Field(
            "duration",
            readers.duration,
            required=True,
            blank=PromoDuration.ONCE.value,
            synonyms=("lasts", "applies"),
            choices=choices.durations,
        ),
        Field("periods", cells.periods, Integer(), blank=None, synonyms=("billing periods", "duration in periods")),
        Field(
            "limit", cells.limit, Integer(), blank=None, synonyms=("max redemptions", "redemption limit", "usage limit")
        ),
        Field("limit_per_customer", cells.limit, Integer(), blank=None, synonyms=("per customer", "max per customer")),
        Field(
            "valid_to",
            cells.day,
            Date(),
            blank=None,
            synonyms=("to", "expires", "expires on", "expiry", "expiry date", "last day", "end date", "until"),
        ),
    ),
    resolve=_resolve,
    references=(_unknown_plan,),
    checks=(_contradiction, _inexact_amount, _amount_too_large),
    merge_checks=(_promised,),
    derived=(Derived("key", "code", key_of),),
    insert_only=frozenset({"code", "created_at"}),
    in_file_order=True,
    around=_nobody_redeems,
)
