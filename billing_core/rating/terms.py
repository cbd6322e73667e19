"""A rate in the form that rating computes with: integers only, read once for a report."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid
from billing_core.money import PRICE_PLACES, QUANTITY_PLACES
from billing_core.rating.models import CostType, Rate, Service, TierMode

# Each rate of the period becomes one arm of a compound SELECT, and SQLite takes 500 of them.
MAX_RATES = 200


@dataclass(frozen=True, slots=True)
class Tier:
    """``up_to`` in thousandths of a unit, None without an end; ``price`` in millionths of a major unit."""

    up_to: int | None
    price: int


@dataclass(frozen=True, slots=True)
class Terms:
    """One rate. ``price`` in millionths of a major unit (of a percent), ``minimum`` and ``maximum`` minor units.
    ``place``: on its card, counted from 0. ``wide``: its products may not fit into 64 bits (see ``limits``).
    """

    rate_id: int
    service_id: int
    service_name: str
    cost_type: CostType
    price: int
    currency: str
    valid_from: date
    valid_to: date | None
    minimum: int | None
    maximum: int | None
    skus: tuple[str, ...]
    tier_mode: TierMode | None
    tiers: tuple[Tier, ...]
    condition: dict[str, Any] | None
    place: int = 0
    wide: bool = False

    @property
    def column(self) -> str:
        """What statements call its quantity: alike for all customers, so that cards of one shape share statements."""
        return f"rate_{self.place}"

    @property
    def is_percent(self) -> bool:
        return self.cost_type is CostType.PERCENT_OF_SERVICES

    def touches(self, period: Period) -> bool:
        """Whether it is valid on any day of the period."""
        return self.valid_from <= period.end and (self.valid_to is None or self.valid_to >= period.start)

    @property
    def highest_price(self) -> int:
        return max((tier.price for tier in self.tiers), default=self.price)


def history(session: Session, customer_id: int) -> list[Terms]:
    """All rates in force that the customer ever had or will have, by service and first day."""
    statement = (
        select(Rate, Service.name, Service.cost_type)
        .join(Service, Service.id == Rate.service_id)
        .where(Rate.customer_id == customer_id, Rate.in_force)
        .order_by(Rate.service_id, Rate.valid_from)
    )
    return [terms(rate, name, cost_type) for rate, name, cost_type in session.execute(statement)]


def card(session: Session, customer_id: int, period: Period, service_ids: Collection[int] = ()) -> list[Terms]:
    """The customer's rates that are valid on a day of the period, by service and first day.

    With ``service_ids``, only those services and the ones their percentages refer to. Conflict where a rate is not in
    the customer's currency.
    """
    currency = session.scalar(select(Customer.currency).where(Customer.id == customer_id))
    in_period = [rate for rate in history(session, customer_id) if rate.touches(period)]
    for rate in in_period:
        if rate.currency != currency:
            raise Conflict(
                f"The rate of {rate.service_name} is in {rate.currency}, but the customer is billed in {currency}"
            )
    chosen = _with_their_bases(in_period, service_ids)
    if len(chosen) > MAX_RATES:
        raise Invalid(f"This period has {len(chosen)} rates, more than {MAX_RATES}: choose a shorter one")
    return [replace(rate, place=place) for place, rate in enumerate(chosen)]


def terms(rate: Rate, service_name: str, cost_type: CostType) -> Terms:
    return Terms(
        rate_id=rate.id,
        service_id=rate.service_id,
        service_name=service_name,
        cost_type=cost_type,
        price=_scaled(rate.unit_price, PRICE_PLACES),
        currency=rate.currency,
        valid_from=rate.valid_from,
        valid_to=rate.valid_to,
        minimum=rate.minimum_minor,
        maximum=rate.maximum_minor,
        skus=tuple(rate.skus or ()),
        tier_mode=rate.tier_mode if rate.tiers else None,
        tiers=tiers_of(rate.tiers),
        condition=rate.conditions,
    )


def tiers_of(rows: Sequence[Mapping[str, Any]] | None) -> tuple[Tier, ...]:
    """The tiers as a rate stores them."""
    return tuple(_tier(row) for row in rows or ())


def _with_their_bases(rates: Sequence[Terms], service_ids: Collection[int]) -> list[Terms]:
    if not service_ids:
        return list(rates)
    percent = any(rate.is_percent for rate in rates if rate.service_id in service_ids)
    return [rate for rate in rates if rate.service_id in service_ids or (percent and not rate.is_percent)]


def _tier(row: Mapping[str, Any]) -> Tier:
    up_to = row["up_to"]
    return Tier(
        None if up_to is None else _scaled(Decimal(up_to), QUANTITY_PLACES),
        _scaled(Decimal(row["unit_price"]), PRICE_PLACES),
    )


def _scaled(number: Decimal, places: int) -> int:
    return int(number.scaleb(places))
