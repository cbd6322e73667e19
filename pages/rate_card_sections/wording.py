"""A rate's terms in the words of a table or a sentence."""

from decimal import Decimal

from billing_core.rating.meaning import describe
from billing_core.rating.models import CostType, TierMode
from billing_core.rating.queries import RateRow
from pages.ui import formats


def price(row: RateRow) -> str:
    """The unit price, or how many prices there are."""
    if row.tiers:
        return f"{len(row.tiers)} {row.tier_mode} tiers" if len(row.tiers) > 1 else formats.decimal(_first(row))
    return unit_price(row.unit_price, row.cost_type)


def unit_price(value: Decimal | None, cost_type: CostType) -> str:
    if value is None or cost_type is not CostType.PERCENT_OF_SERVICES:
        return formats.decimal(value)
    return formats.Written(f"{formats.decimal(value)}{formats.NO_BREAK_SPACE}%", value, "%")


def tiers(row: RateRow) -> str:
    """Such as ``to 10: 0.5 · then 0.3``."""
    parts = []
    for tier in row.tiers or ():
        each = formats.decimal(Decimal(tier["unit_price"]))
        reach = "then" if tier["up_to"] is None else f"to {formats.decimal(Decimal(tier['up_to']))}:"
        parts.append(f"{reach} {each}")
    return " · ".join(parts)


def tier_mode(mode: TierMode) -> str:
    return {
        TierMode.GRADUATED: "Graduated: each slice of the quantity costs its own tier's price",
        TierMode.VOLUME: "Volume: the whole quantity costs the price of the tier that it reaches",
    }[mode]


def validity(row: RateRow) -> str:
    text = f"{formats.day(row.valid_from)} – {formats.day(row.valid_to) if row.valid_to else 'open'}"
    return formats.Written(text, row.valid_from.toordinal())


def skus(row: RateRow) -> str:
    return ", ".join(row.skus) if row.skus else "All"


def condition(row: RateRow) -> str:
    return formats.sentence(describe(row.conditions, number=formats.decimal))


def _first(row: RateRow) -> Decimal:
    return Decimal((row.tiers or [])[0]["unit_price"])
