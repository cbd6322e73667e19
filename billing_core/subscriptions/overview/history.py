"""One subscription: what is agreed, its periods, what was billed for them, and what was used."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, ScalarSelect, Select, Subquery, case, cast, func, select
from sqlalchemy.orm import Session, aliased

from billing_core.customers.queries import visible_to
from billing_core.dates import Period
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.online_payments.models import AttemptState, ChargeAttempt
from billing_core.plans.models import Plan, PlanVersion
from billing_core.promotions.models import PromoCode, PromoRedemption
from billing_core.subscriptions import queries
from billing_core.subscriptions.models import (
    InvoiceKind,
    Subscription,
    SubscriptionInvoice,
    SubscriptionPeriod,
    SubscriptionTerms,
)
from billing_core.subscriptions.overview import search
from billing_core.subscriptions.overview.search import ListedSubscription
from billing_core.subscriptions.pricing import Terms
from billing_core.usage.charges import Charge, charges_of

# Of several invoices the state of the last one here counts: whether anything is left to do.
_STATES: Final = (InvoiceState.CANCELLED, InvoiceState.PAID, InvoiceState.DRAFT, InvoiceState.OPEN)


@dataclass(frozen=True, slots=True)
class Shown:
    """One subscription with all that is agreed. ``period`` are the days of the present one, None before the first."""

    row: ListedSubscription
    terms: Terms
    zone: str
    tax_rate: Decimal
    promo_code: str | None
    promo_periods_used: int
    period: Period | None
    hold_reason: str
    cancel_reason: str
    created_by: str


class PeriodRow(NamedTuple):
    """A period that has begun: the plan on its last day, or by now, and what was billed in it, in minor units.
    ``invoices`` is how many there are, and ``invoice_id`` the last of them; those that were cancelled ask for nothing.
    ``given_back_minor`` was credited of them. ``state_rank``: of their states the last one in ``_STATES``.
    """

    number: int
    first_day: date
    last_day: date
    plan_name: str
    paused: bool
    invoices: int
    invoice_id: int | None
    invoice_number: str | None
    state_rank: int | None
    total_minor: int | None
    given_back_minor: int | None
    due_minor: int | None
    currency: str

    @property
    def days(self) -> Period:
        return Period(self.first_day, self.last_day)

    @property
    def invoice_state(self) -> InvoiceState | None:
        return None if self.state_rank is None else _STATES[self.state_rank]


class BilledRow(NamedTuple):
    """An invoice, and how it is collected: the last charge, and when the next one comes. Minor units."""

    invoice_id: int
    number: str | None
    kind: InvoiceKind
    issued_on: date
    state: InvoiceState
    total_minor: int
    due_minor: int
    currency: str
    failures: int
    collect_at: datetime | None
    gives_up_at: datetime | None
    attempt_state: AttemptState | None
    failure: str | None


def one(session: Session, actor: Actor, subscription_id: int) -> Shown:
    """NotFound where there is none or this actor may not see it."""
    row = search.one(session, actor, subscription_id)
    subscription = session.get_one(Subscription, subscription_id)
    present = queries.period(session, subscription)
    code = None
    if subscription.redemption_id is not None:
        redeemed = session.get_one(PromoRedemption, subscription.redemption_id)
        code = session.get_one(PromoCode, redeemed.code_id).code
    return Shown(
        row=row,
        terms=queries.terms(session, subscription),
        zone=subscription.zone,
        tax_rate=subscription.tax_rate,
        promo_code=code,
        promo_periods_used=subscription.promo_periods_used,
        period=None if present is None else Period(present.first_day, present.last_day),
        hold_reason=subscription.hold_reason,
        cancel_reason=subscription.cancel_reason,
        created_by=subscription.created_by,
    )


def periods(session: Session, actor: Actor, subscription_id: int, *, limit: int, offset: int = 0) -> list[PeriodRow]:
    """Those that have begun, the present one first."""
    _require(session, actor, subscription_id)
    billed, last = _billed_in_periods(subscription_id), aliased(Invoice)
    statement: Select[*tuple[Any, ...]] = (
        select(
            *(SubscriptionPeriod.number, SubscriptionPeriod.first_day, SubscriptionPeriod.last_day),
            *(Plan.name, SubscriptionPeriod.paused),
            *(func.coalesce(billed.c.invoices, 0), last.id, last.number, billed.c.state_rank),
            *(billed.c.total_minor, billed.c.given_back_minor, billed.c.due_minor),
            Subscription.currency,
        )
        .join_from(SubscriptionPeriod, Subscription, Subscription.id == SubscriptionPeriod.subscription_id)
        .join(PlanVersion, PlanVersion.id == func.coalesce(_last_version(), SubscriptionPeriod.plan_version_id))
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .outerjoin(billed, billed.c.period_number == SubscriptionPeriod.number)
        .outerjoin(last, last.id == billed.c.last_id)
        .where(SubscriptionPeriod.subscription_id == subscription_id)
        .order_by(SubscriptionPeriod.number.desc())
    )
    return [PeriodRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def period_count(session: Session, actor: Actor, subscription_id: int) -> int:
    _require(session, actor, subscription_id)
    return _counted(session, SubscriptionPeriod.subscription_id == subscription_id)


def billed(session: Session, actor: Actor, subscription_id: int, *, limit: int, offset: int = 0) -> list[BilledRow]:
    """The invoices, the newest first."""
    actor.require(Permission.INVOICE_READ)
    _require(session, actor, subscription_id)
    statement: Select[*tuple[Any, ...]] = (
        select(
            *(Invoice.id, Invoice.number, SubscriptionInvoice.kind, Invoice.issued_on, Invoice.state),
            *(Invoice.total_minor, Invoice.due_minor, Invoice.currency, SubscriptionInvoice.failures),
            *(SubscriptionInvoice.collect_at, SubscriptionInvoice.gives_up_at),
            *(ChargeAttempt.state, ChargeAttempt.failure),
        )
        .join_from(SubscriptionInvoice, Invoice, Invoice.id == SubscriptionInvoice.invoice_id)
        .outerjoin(ChargeAttempt, ChargeAttempt.id == SubscriptionInvoice.attempt_id)
        .where(SubscriptionInvoice.subscription_id == subscription_id)
        .order_by(SubscriptionInvoice.id.desc())
    )
    return [BilledRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def billed_count(session: Session, actor: Actor, subscription_id: int) -> int:
    actor.require(Permission.INVOICE_READ)
    _require(session, actor, subscription_id)
    mine = SubscriptionInvoice.subscription_id == subscription_id
    return _counted(session, mine, SubscriptionInvoice.invoice_id.is_not(None))


def used(session: Session, actor: Actor, subscription_id: int, days: Period) -> list[Charge]:
    """What its customer used on these days, and what that costs by its plan."""
    actor.require(Permission.USAGE_READ)
    customer_id = search.one(session, actor, subscription_id).customer_id
    return charges_of(session, [customer_id], days)[customer_id]


def _billed_in_periods(subscription_id: int) -> Subquery:
    """By the number of the period. What a person added to it may be in another currency."""
    rank = case({state: place for place, state in enumerate(_STATES)}, value=Invoice.state)
    stands = Invoice.state != InvoiceState.CANCELLED

    def summed(minor: ColumnElement[int] | Any) -> ColumnElement[int]:
        return cast(func.coalesce(func.sum(minor).filter(stands), 0), BigInteger)

    return (
        select(
            SubscriptionInvoice.period_number,
            func.count().label("invoices"),
            func.max(Invoice.id).label("last_id"),
            func.max(rank).label("state_rank"),
            summed(Invoice.total_minor).label("total_minor"),
            summed(Invoice.credited_minor + Invoice.refunded_minor).label("given_back_minor"),
            summed(Invoice.due_minor).label("due_minor"),
        )
        .join(Invoice, Invoice.id == SubscriptionInvoice.invoice_id)
        .where(SubscriptionInvoice.subscription_id == subscription_id, SubscriptionInvoice.kind != InvoiceKind.OTHER)
        .group_by(SubscriptionInvoice.period_number)
        .subquery()
    )


def _last_version() -> ScalarSelect[int]:
    """The plan's version on the last day of a period."""
    agreed = SubscriptionTerms
    return (
        select(agreed.plan_version_id)
        .where(
            agreed.subscription_id == SubscriptionPeriod.subscription_id,
            agreed.first_day <= SubscriptionPeriod.last_day,
        )
        .order_by(agreed.first_day.desc())
        .limit(1)
        .correlate(SubscriptionPeriod)
        .scalar_subquery()
    )


def _counted(session: Session, *where: Any) -> int:
    return session.scalar(select(func.count()).where(*where)) or 0


def _require(session: Session, actor: Actor, subscription_id: int) -> None:
    actor.require(Permission.SUBSCRIPTION_READ)
    found = select(Subscription.id).where(
        Subscription.id == subscription_id, visible_to(actor, Subscription.customer_id)
    )
    if session.scalar(found) is None:
        raise NotFound("There is no such subscription")
