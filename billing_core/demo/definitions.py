"""What the demo company is made of, as ``data/demo.toml`` says it."""

import tomllib
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from billing_core.orders.models import sku_key
from billing_core.rating.models import CostType, TierMode
from billing_core.settings import PROJECT

FILE = PROJECT / "data" / "demo.toml"


class _Definition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BusinessDefinition(_Definition):
    name: str
    address: str
    tax_id: str
    register_number: str
    country: str
    currency: str
    time_zone: str
    email: str
    phone: str
    bank_details: str
    payment_terms: str
    invoice_footer: str
    zero_tax_reason: str


class Rhythm(_Definition):
    """How busy each month (January first) and weekday (Monday first) is, and the growth from first to last day."""

    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    growth_percent: int


class ServiceDefinition(_Definition):
    code: str
    name: str
    cost_type: CostType


class TierDefinition(_Definition):
    unit_price: Decimal
    up_to: str | None = None


class RateDefinition(_Definition):
    """``only``: limited to the products with that mark. ``fixed``: no rise touches it."""

    service: str
    unit_price: Decimal
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    tier_mode: TierMode | None = None
    tiers: tuple[TierDefinition, ...] = ()
    conditions: dict[str, Any] | None = None
    only: str | None = None
    fixed: bool = False


class CardDefinition(_Definition):
    key: str
    raised_after_months: int
    raised_percent: Decimal
    rates: tuple[RateDefinition, ...]


class ProductDefinition(_Definition):
    name: str
    case: int
    grams: int
    mark: str = ""


class SectorDefinition(_Definition):
    key: str
    products: tuple[ProductDefinition, ...]


class CustomerDefinition(_Definition):
    ref: str
    name: str
    country: str
    city: str
    postal_code: str
    address: str
    currency: str
    sector: str
    card: str
    share: int
    state: str = ""
    tax_id: str = ""
    factor: Decimal = Decimal(1)
    joins: int = 0
    quirk: Literal["no_rate", "late_rate", "rate_gap"] | None = None

    def sku(self, position: int) -> str:
        """The SKU of the sector's product at that position, from 1."""
        return f"{self.ref}-{position:03d}"

    def marked_skus(self, sector: SectorDefinition, mark: str) -> list[str]:
        """The SKU keys of the products with a mark."""
        return [
            sku_key(self.sku(position)) for position, product in enumerate(sector.products, 1) if product.mark == mark
        ]


class Destination(_Definition):
    """Where parcels of customers billed in ``currency`` go. ``cities``: (city, state, postal code)."""

    country: str
    currency: str
    share: int
    carriers: tuple[str, ...]
    cities: tuple[tuple[str, str, str], ...]
    people: tuple[str, ...]
    streets: tuple[str, ...]


class PlanVersionDefinition(_Definition):
    """Terms agreed so many months before today's; those from before the company's first month count from there on."""

    months_ago: int
    price: Decimal
    included_calls: int
    price_per_call: Decimal


class PlanDefinition(_Definition):
    code: str
    name: str
    currency: str
    versions: tuple[PlanVersionDefinition, ...]


class OnPlanDefinition(_Definition):
    """From that day of the month so many months before today's."""

    plan: str
    months_ago: int
    day: int = 1


class UserDefinition(_Definition):
    """``joins``: months after the first one in which it begins."""

    name: str
    share: int
    joins: int = 0


class OrganizationDefinition(_Definition):
    """A customer that uses our API. ``share``: its part of all calls."""

    ref: str
    share: int
    plans: tuple[OnPlanDefinition, ...]
    users: tuple[UserDefinition, ...]


class EndpointDefinition(_Definition):
    """``milliseconds``: how long it usually takes to answer."""

    path: str
    share: int
    milliseconds: int


class UsageDefinition(_Definition):
    """``hours``: how busy each hour of a UTC day is."""

    hours: tuple[int, ...]
    endpoints: tuple[EndpointDefinition, ...]
    organizations: tuple[OrganizationDefinition, ...]


class Definitions(_Definition):
    business: BusinessDefinition
    rhythm: Rhythm
    services: tuple[ServiceDefinition, ...]
    cards: tuple[CardDefinition, ...]
    sectors: tuple[SectorDefinition, ...]
    customers: tuple[CustomerDefinition, ...]
    destinations: tuple[Destination, ...]
    plans: tuple[PlanDefinition, ...]
    usage: UsageDefinition

    def card(self, key: str) -> CardDefinition:
        return next(card for card in self.cards if card.key == key)

    def sector(self, key: str) -> SectorDefinition:
        return next(sector for sector in self.sectors if sector.key == key)


@cache
def definitions() -> Definitions:
    return Definitions.model_validate(tomllib.loads(FILE.read_text(encoding="utf-8")))
