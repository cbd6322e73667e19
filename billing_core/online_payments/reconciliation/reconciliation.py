"""A gateway's own books beside our payments and refunds: what agrees, and what only one side has.

One statement reads the lines stored by ``balance_transactions``, and our own tables. Lines are compared per payment:
what came in, and separately what was refunded and what disputes took. Amounts are minor units, never added across
currencies.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Date,
    Select,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.database.functions import equals
from billing_core.dates import Period
from billing_core.identity import Actor
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.models import Dispute, GatewayLine
from billing_core.online_payments.reconciliation.balance_transactions import MARGIN, instants, require
from billing_core.payments.models import Chargeback, Payment, Refund

_CAME_IN: Final = ("charge", "payment", "payment_failure_refund")
_WENT_BACK: Final = ("refund", "payment_refund", "refund_failure")


class Kind(enum.StrEnum):
    """DISPUTE: what a payer's bank took or returned, and what the gateway keeps for it. OTHER: lines of the gateway
    without a payment, such as its payouts to the bank and its own charges.
    """

    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    OTHER = "other"


class Agreement(enum.StrEnum):
    MATCHED = "matched"
    DIFFERENT = "different"
    ONLY_HERE = "only_here"
    ONLY_THERE = "only_there"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PairFilter:
    """The mode and days to compare; empty fields do not limit."""

    mode: Mode
    period: Period
    agreement: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides of a payment, or of its refunds; None for a missing side. ``key`` is the gateway's id, ``on`` our day,
    ``at`` the gateway's instant. Refunds are negative.
    """

    kind: Kind
    payment_id: int | None
    key: str
    currency: str
    on: date | None
    at: datetime | None
    here_minor: int | None
    there_minor: int | None
    here_fee_minor: int | None
    there_fee_minor: int | None
    agreement: Agreement
    customer_name: str | None = None
    reference: str | None = None

    @property
    def difference_minor(self) -> int:
        """The gateway's amount less ours."""
        return (self.there_minor or 0) - (self.here_minor or 0)


@dataclass(frozen=True, slots=True)
class Sum:
    """The total of the pairs of one agreement in a currency."""

    agreement: Agreement
    kind: Kind
    currency: str
    pairs: int
    here_minor: int
    there_minor: int
    here_fee_minor: int
    there_fee_minor: int


def sums(session: Session, actor: Actor, filters: PairFilter) -> list[Sum]:
    """The number of pairs of each agreement, and their total, by currency."""
    require(actor)
    pairs = _pairs(session, filters).subquery()
    amounts = (pairs.c.here_minor, pairs.c.there_minor, pairs.c.here_fee_minor, pairs.c.there_fee_minor)
    statement = (
        select(
            pairs.c.agreement,
            pairs.c.kind,
            pairs.c.currency,
            func.count(),
            *(func.coalesce(func.sum(amount), 0) for amount in amounts),
        )
        .group_by(pairs.c.agreement, pairs.c.kind, pairs.c.currency)
        .order_by(pairs.c.agreement, pairs.c.kind, pairs.c.currency)
    )
    return [
        Sum(Agreement(agreement), Kind(kind), currency, *map(int, numbers))
        for agreement, kind, currency, *numbers in session.execute(statement)
    ]


def page(session: Session, actor: Actor, filters: PairFilter, *, limit: int = 50, offset: int = 0) -> list[Pair]:
    """Pairs by day, oldest first."""
    statement = listing(session, actor, filters).limit(limit).offset(offset)
    return [pair(row) for row in session.execute(statement)]


def listing(session: Session, actor: Actor, filters: PairFilter) -> Select[*tuple[Any, ...]]:
    """Every pair, in order, without a limit, for streamed exports. ``pair`` reads its rows."""
    require(actor)
    pairs = _pairs(session, filters).subquery()
    return (
        select(pairs, Customer.name, Payment.reference)
        .outerjoin(Payment, Payment.id == pairs.c.payment_id)
        .outerjoin(Customer, Customer.id == Payment.customer_id)
        .order_by(pairs.c.day, pairs.c.key, pairs.c.kind, pairs.c.currency)
    )


def pair(row: Iterable[Any]) -> Pair:
    """A row of ``listing``."""
    kind, payment_id, key, currency, on, at, *amounts, _day, agreement, customer, reference = row
    here, there, here_fee, there_fee = (None if amount is None else int(amount) for amount in amounts)
    return Pair(
        Kind(kind),
        payment_id,
        key,
        currency,
        on,
        at,
        here,
        there,
        here_fee,
        there_fee,
        Agreement(agreement),
        customer,
        reference,
    )


def _pairs(session: Session, filters: PairFilter) -> Select[*tuple[Any, ...]]:
    """The union of both sides, grouped: one pass over each, including pairs that only one side has."""
    there = _there(session, filters)
    both = union_all(select(there), *_here(filters, there)).subquery()
    here_minor, there_minor = func.sum(both.c.here_minor), func.sum(both.c.there_minor)
    here, there_too = func.count(both.c.here_minor), func.count(both.c.there_minor)
    agreement = case(
        (both.c.kind == Kind.OTHER.value, Agreement.OTHER.value),
        (func.coalesce(here_minor, 0) == func.coalesce(there_minor, 0), Agreement.MATCHED.value),
        (here == 0, Agreement.ONLY_THERE.value),
        (there_too == 0, Agreement.ONLY_HERE.value),
        else_=Agreement.DIFFERENT.value,
    )
    statement = (
        select(
            both.c.kind,
            both.c.payment_id,
            func.min(both.c.key).label("key"),
            both.c.currency,
            func.min(both.c.here_on).label("here_on"),
            func.min(both.c.there_at).label("there_at"),
            here_minor.label("here_minor"),
            there_minor.label("there_minor"),
            func.sum(both.c.here_fee).label("here_fee_minor"),
            func.sum(both.c.there_fee).label("there_fee_minor"),
            func.min(both.c.day).label("day"),
            agreement.label("agreement"),
        )
        .group_by(both.c.kind, both.c.payment_id, both.c.identity, both.c.currency)
        .having(func.max(both.c.inside) == 1)
    )
    if filters.agreement:
        statement = statement.having(agreement == filters.agreement)
    return statement.where(equals(both.c.currency, filters.currency)) if filters.currency else statement


def _there(session: Session, filters: PairFilter) -> Any:
    """The stored lines, each with our payment that it belongs to."""
    zone = default_business(session).time_zone
    first, end = instants(zone, filters.period)
    inside_from, inside_to = instants(zone, filters.period, timedelta())
    line = GatewayLine
    key = func.coalesce(line.intent_id, line.source)
    disputed = select(Dispute.payment_id).where(Dispute.gateway_id == line.source).correlate(line).scalar_subquery()
    kind = case(
        (line.type.in_(_CAME_IN), Kind.PAYMENT.value),
        (line.type.in_(_WENT_BACK), Kind.REFUND.value),
        (disputed.is_not(None), Kind.DISPUTE.value),
        else_=Kind.OTHER.value,
    )
    # Separate lookups rather than an OR: each finds its payment by an index of its own.
    payment_id = func.coalesce(
        disputed,
        *(
            select(func.min(Payment.id)).where(column == known).correlate(line).scalar_subquery()
            for column, known in (
                (Payment.gateway_key, key),
                (Payment.intent_id, line.intent_id),
                (Payment.charge_id, line.source),
            )
        ),
    )
    inside = case((line.created_at.between(inside_from, inside_to - timedelta(microseconds=1)), 1), else_=0)
    lines = (
        select(
            kind.label("kind"),
            payment_id.label("payment_id"),
            key.label("key"),
            line.line_id,
            line.currency,
            line.created_at,
            line.amount_minor,
            line.fee_minor,
            inside.label("inside"),
        )
        .where(line.mode == filters.mode, line.created_at >= first, line.created_at < end)
        .cte("lines")
    )
    own = case((lines.c.kind == Kind.OTHER.value, lines.c.line_id), (lines.c.payment_id.is_(None), lines.c.key))
    return (
        select(
            lines.c.kind,
            lines.c.payment_id,
            func.coalesce(own, literal("")).label("identity"),
            lines.c.key,
            lines.c.currency,
            cast(null(), Date).label("here_on"),
            lines.c.created_at.label("there_at"),
            cast(null(), BigInteger).label("here_minor"),
            lines.c.amount_minor.label("there_minor"),
            cast(null(), BigInteger).label("here_fee"),
            lines.c.fee_minor.label("there_fee"),
            func.date(lines.c.created_at, type_=Date()).label("day"),
            lines.c.inside,
        )
    ).cte("there")


def _here(filters: PairFilter, there: Any) -> list[Select[*tuple[Any, ...]]]:
    """Our payments of the period, those of any day that a line belongs to, and our refunds."""
    period, wide = filters.period, Period(filters.period.start - MARGIN, filters.period.end + MARGIN)
    at_gateway = select(there.c.payment_id).where(there.c.kind == Kind.PAYMENT.value, there.c.payment_id.is_not(None))
    payments = _ours(Kind.PAYMENT, Payment.received_on, Payment.amount_minor, Payment.fee_minor, period).where(
        # Also payments charged back since: they did come in, and the dispute has a line of its own there.
        Payment.mode == filters.mode,
        or_(period.contains(Payment.received_on), Payment.id.in_(at_gateway)),
    )
    refunds = (
        _ours(Kind.REFUND, Refund.refunded_on, -Refund.amount_minor, literal(0), period)
        .join(Refund, Refund.payment_id == Payment.id)
        .where(wide.contains(Refund.refunded_on), Payment.mode == filters.mode)
    )
    return [payments, refunds, *_disputed(filters.mode, period, wide)]


def _disputed(mode: Mode, period: Period, wide: Period) -> list[Select[*tuple[Any, ...]]]:
    """What banks took, what they returned, and the fees of disputes, each on its own day."""
    taken, returned = func.date(Chargeback.taken_on, type_=Date()), func.date(Chargeback.returned_on, type_=Date())
    opened = func.date(Dispute.opened_at, type_=Date())
    none = cast(null(), BigInteger)
    of_banks = [
        _ours(Kind.DISPUTE, day, amount, literal(0), period)
        .join(Chargeback, Chargeback.payment_id == Payment.id)
        .where(wide.contains(day), Payment.mode == mode)
        for day, amount in ((taken, -Chargeback.amount_minor), (returned, Chargeback.amount_minor))
    ]
    fees = _ours(Kind.DISPUTE, opened, none, Dispute.fee_minor, period).join(Dispute, Dispute.payment_id == Payment.id)
    return [*of_banks, fees.where(wide.contains(opened), Payment.mode == mode, Dispute.fee_minor != 0)]


def _ours(kind: Kind, day: Any, amount: Any, fee: Any, period: Period) -> Select[*tuple[Any, ...]]:
    return select(
        literal(kind.value).label("kind"),
        Payment.id.label("payment_id"),
        literal("").label("identity"),
        func.coalesce(Payment.intent_id, Payment.gateway_key).label("key"),
        Payment.currency,
        day.label("here_on"),
        cast(null(), GatewayLine.created_at.type).label("there_at"),
        amount.label("here_minor"),
        cast(null(), BigInteger).label("there_minor"),
        fee.label("here_fee"),
        cast(null(), BigInteger).label("there_fee"),
        func.date(day, type_=Date()).label("day"),
        case((period.contains(day), 1), else_=0).label("inside"),
    ).select_from(Payment)
