"""A price as people type it: everything is drawn and stays as typed, and what is wrong is said at its field."""

from collections.abc import Iterable
from decimal import Decimal

import streamlit as st

from billing_core.errors import Invalid
from billing_core.metering.meters import MeterRow
from billing_core.money import Money
from billing_core.plans import price_terms
from billing_core.plans.pricing import Price, Scheme, Tier, drops
from pages.plan_sections.typed import Typed
from pages.ui import formats
from pages.ui.text import md

SCHEMES = {
    Scheme.PER_UNIT: "Per unit: each costs the same",
    Scheme.GRADUATED: "Graduated: each slice costs its own tier's price",
    Scheme.VOLUME: "Volume: all cost the price of the tier that is reached",
    Scheme.PACKAGE: "Packages: whole ones, rounded up",
}
_UP_TO, _PRICE, _FEE = "Up to and including", "Price", "Fee"
# By what the checks call it.
_COLUMNS = {"up_to": _UP_TO, "unit_price": _PRICE, "flat_fee": _FEE}
_NEEDS_A_PRICE = "is needed, or 0 where it costs nothing"


def draw(currency: str, key: str, price: Price | None, meter: MeterRow) -> Price | None:
    """The fields of a price, filled from one; None while something is wrong."""
    typed, schemes = Typed(), list(SCHEMES)
    scheme = st.selectbox(
        "How",
        schemes,
        schemes.index(price.scheme) if price else 0,
        format_func=SCHEMES.__getitem__,
        key=f"price_scheme_{key}",
    )
    with st.container(horizontal=True):
        per = typed.number("per", "For how many units", price.per if price else Decimal(1), key=f"price_per_{key}")
        included = typed.number(
            "included", "Included", price.included if price else Decimal(0), key=f"price_included_{key}"
        )
        minimum = typed.number(
            "minimum", f"At least, {currency}", price.minimum if price else Decimal(0), key=f"price_minimum_{key}"
        )
    known = price.tiers if price and price.scheme.tiered == scheme.tiered else ()
    tiers = _tiers(typed, known, key) if scheme.tiered else _one_tier(typed, known, key)
    if typed.wrong:
        return None
    found = Price(currency, scheme, tiers, per, included, minimum)
    try:
        price_terms.check(found)
    except Invalid as invalid:
        for name, reason in invalid.fields.items():
            typed.say(name, reason)
        return None
    _point_out(found, meter)
    return found


def _one_tier(typed: Typed, known: Iterable[Tier], key: str) -> tuple[Tier, ...]:
    tier = next(iter(known), Tier(None, Decimal(0)))
    with st.container(horizontal=True):
        price = typed.number("tiers[0].unit_price", _PRICE, tier.unit_price, key=f"price_unit_{key}")
        fee = typed.number("tiers[0].flat_fee", "Fee a month", tier.flat_fee, key=f"price_fee_{key}")
    return (Tier(None, price, fee),)


def _tiers(typed: Typed, known: tuple[Tier, ...], key: str) -> tuple[Tier, ...]:
    """Lines without a word in them are left out; the others are counted as they stand in the table."""
    begun = known or (Tier(Decimal(1_000), Decimal(0)), Tier(None, Decimal(0)))
    lines = typed.table(
        _COLUMNS,
        [(tier.up_to, tier.unit_price, tier.flat_fee) for tier in begun],
        # The same for each way of pricing by tiers: who tries the other one keeps what was typed.
        key=f"price_tiers_{key}",
        alt="Tiers: up to which quantity, at which price and fee",
    )
    st.caption(
        "The last tier has no end: leave its “Up to and including” empty. A fee is due once its tier is reached."
    )
    typed.put("tiers", "Tiers:", lines.place)
    tiers: list[Tier] = []
    for line in lines:
        up_to, price, fee = (typed.cell(lines, line, name, f"tiers[{len(tiers)}].{name}") for name in _COLUMNS)
        if not price.text and not fee.text:
            typed.say(price.name, _NEEDS_A_PRICE)
        end = typed.read(up_to.name, up_to.text) if up_to.text else None
        tiers.append(Tier(end, typed.read(price.name, price.text), typed.read(fee.name, fee.text)))
    return tuple(tiers)


def _point_out(price: Price, meter: MeterRow) -> None:
    """Where more units would be cheaper."""
    for drop in drops(price, step=Decimal(1).scaleb(-meter.aggregation.places)):
        cost, above = (Money.rounded(one, price.currency) for one in (drop.cost, drop.cost_above))
        told = (
            f"More would be cheaper: {formats.decimal(drop.at)} cost {formats.money(cost.minor, cost.currency)}, "
            f"{formats.decimal(drop.above)} only {formats.money(above.minor, above.currency)}."
        )
        st.warning(md(told), icon=":material/trending_down:")
