"""One order against the customer's rate card: what each service charges, or why it charges nothing.

Amounts come from the same statements that reports use; only the reasons are worked out in Python.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.dates import Period
from billing_core.errors import NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.money import PRICE_PLACES, QUANTITY_PLACES, Money
from billing_core.orders.models import NOT_BILLED, Order, OrderLine
from billing_core.rating import statements
from billing_core.rating.conditions import FIELDS, plain_number
from billing_core.rating.meaning import Finding, WrittenNumber, evaluate, findings
from billing_core.rating.models import CostType, QuestionKind, TierMode
from billing_core.rating.terms import Terms, history


@dataclass(frozen=True, slots=True)
class Slice:
    """A quantity at one price; ``amount`` is exact, in major units, before the single rounding."""

    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Outcome:
    """One service. Where it is not ``charged``, ``reason`` says why, and the rest is empty. ``bound`` is ``minimum``,
    ``maximum`` or None; ``findings`` hold the rate's condition against the order; ``limited`` is whether the rate
    counts the lines of certain SKUs alone.
    """

    service_id: int
    service_name: str
    cost_type: CostType
    rate_id: int | None
    charged: bool
    reason: str
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    tier: int | None = None
    slices: tuple[Slice, ...] = ()
    bound: str | None = None
    amount: Money | None = None
    findings: tuple[Finding, ...] = ()
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Simulation:
    """``facts`` is what conditions see; ``questions`` are (service id or None, kind, SKU)."""

    order_id: int
    order_number: str
    customer_id: int
    order_date: date
    facts: dict[str, Any]
    outcomes: tuple[Outcome, ...]
    questions: tuple[tuple[int | None, QuestionKind, str], ...]
    total: Money | None


def simulate(session: Session, actor: Actor, order_id: int, *, number: WrittenNumber = plain_number) -> Simulation:
    """The order against the rates of its day. ``number`` writes the numbers of what was found."""
    actor.require(Permission.RATE_READ)
    actor.require(Permission.ORDER_READ)
    order = session.scalars(
        select(Order).where(Order.id == order_id, visible_to(actor, Order.customer_id))
    ).one_or_none()
    if order is None:
        raise NotFound(f"There is no order {order_id}")
    day = Period(order.order_date, order.order_date)
    lines = session.execute(select(OrderLine.sku_key, OrderLine.quantity).where(OrderLine.order_id == order_id)).all()
    facts = _facts(order, [(sku, quantity) for sku, quantity in lines])
    charges = _charges(session, order, day)
    outcomes = [
        _outcome(rate, charges.get(service_id), order, facts, number)
        if (rate := _on(rates, day)) is not None
        else _without_rate(rates[0])
        for service_id, rates in _by_service(history(session, order.customer_id)).items()
    ]
    amounts = [outcome.amount for outcome in outcomes if outcome.amount is not None]
    open_ = session.execute(statements.questions(session, order.customer_id, day, order_id=order.id))
    return Simulation(
        order_id=order.id,
        order_number=order.number,
        customer_id=order.customer_id,
        order_date=order.order_date,
        facts=facts,
        outcomes=tuple(outcomes),
        questions=tuple((row.service_id, QuestionKind(row.kind), row.sku) for row in open_),
        total=Money(sum(amount.minor for amount in amounts), amounts[0].currency) if amounts else None,
    )


def _facts(order: Order, lines: list[tuple[str, Decimal]]) -> dict[str, Any]:
    skus = frozenset(sku for sku, _ in lines)
    counted = {
        "quantity": sum((quantity for _, quantity in lines), Decimal(0)),
        "sku_count": len(skus),
        "line_count": len(lines),
        "skus": skus,
    }
    return {name: counted[name] if name in counted else getattr(order, name) for name in FIELDS}


def _charges(session: Session, order: Order, day: Period) -> dict[int, Any]:
    statement = statements.charges(session, order.customer_id, day, order_id=order.id)
    return {} if statement is None else {row.service_id: row for row in session.execute(statement)}


def _by_service(rates: list[Terms]) -> dict[int, list[Terms]]:
    by_service: dict[int, list[Terms]] = {}
    for rate in rates:
        by_service.setdefault(rate.service_id, []).append(rate)
    return by_service


def _on(rates: list[Terms], day: Period) -> Terms | None:
    return next((rate for rate in rates if rate.touches(day)), None)


def _without_rate(rate: Terms) -> Outcome:
    return Outcome(rate.service_id, rate.service_name, rate.cost_type, None, False, "No rate on the order's day")


def _outcome(rate: Terms, charge: Any, order: Order, facts: Mapping[str, Any], number: WrittenNumber) -> Outcome:
    conditions_found = tuple(findings(rate.condition, facts, number=number)) if rate.condition else ()
    if charge is None:
        reason = _reason(rate, order, facts)
        return Outcome(
            rate.service_id, rate.service_name, rate.cost_type, rate.rate_id, False, reason, findings=conditions_found
        )
    quantity = Decimal(charge.quantity).scaleb(-QUANTITY_PLACES)
    return Outcome(
        service_id=rate.service_id,
        service_name=rate.service_name,
        cost_type=rate.cost_type,
        rate_id=rate.rate_id,
        charged=True,
        reason="",
        quantity=quantity,
        unit_price=Decimal(charge.unit_price).scaleb(-PRICE_PLACES),
        tier=charge.tier,
        slices=slices(rate, charge.quantity),
        bound=charge.bound,
        amount=Money(charge.amount_minor, rate.currency),
        findings=conditions_found,
        limited=bool(rate.skus),
    )


def slices(rate: Terms, quantity: int) -> tuple[Slice, ...]:
    """How a quantity (thousandths) falls into the rate's tiers; one slice where it has no tiers."""
    if rate.tier_mode is not TierMode.GRADUATED:
        price = next((tier.price for tier in rate.tiers if tier.up_to is None or quantity <= tier.up_to), rate.price)
        return (_slice(rate, quantity, price),)
    parts, start = [], 0
    for tier in rate.tiers:
        end = quantity if tier.up_to is None else min(quantity, tier.up_to)
        if end > start:
            parts.append(_slice(rate, end - start, tier.price))
            start = end
    return tuple(parts)


def _slice(rate: Terms, quantity: int, price: int) -> Slice:
    units, each = Decimal(quantity).scaleb(-QUANTITY_PLACES), Decimal(price).scaleb(-PRICE_PLACES)
    return Slice(units, each, (units * each).scaleb(-2) if rate.is_percent else units * each)


def _reason(rate: Terms, order: Order, facts: Mapping[str, Any]) -> str:
    if order.status in NOT_BILLED:
        return f"A {order.status} order is not billed"
    if not evaluate(rate.condition, facts):
        return "Its condition does not hold"
    if rate.skus and not facts["skus"] & set(rate.skus):
        return "No line has one of its SKUs"
    match rate.cost_type:
        case CostType.PERCENT_OF_SERVICES:
            return "The other services cost nothing"
        case CostType.PER_WEIGHT_UNIT:
            return "The weight is not known" if order.weight is None else "The weight is 0"
        case CostType.PER_PACKAGE:
            return "The number of packages is not known" if order.packages is None else "There are no packages"
        case CostType.PER_CASE:
            return "No line fills a case" if facts["skus"] else "The order has no lines"
        case CostType.PER_LOOSE_UNIT:
            return "No units are left over beside full cases" if facts["skus"] else "The order has no lines"
        case _:
            return "The quantities are 0" if facts["skus"] else "The order has no lines"
