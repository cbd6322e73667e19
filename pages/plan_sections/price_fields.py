"""A price as people type it: everything is drawn and stays as typed, and what is wrong is said at its field."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from billing_core.errors import Invalid
from billing_core.metering.meters import MeterRow
from billing_core.money import Money
from billing_core.plans import price_terms
from billing_core.plans.pricing import Price, Scheme, Tier, drops
from pages.ui import formats
from pages.ui.inputs import number_input
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


@dataclass(slots=True)
class _Typed:
    """Where each field's fault is said, by the name that the checks give the field, with its label. ``wrong``:
    something was said.
    """

    places: dict[str, tuple[str, DeltaGenerator]] = field(default_factory=dict)
    wrong: bool = False

    def number(self, name: str, label: str, value: Decimal, *, key: str) -> Decimal:
        """0 where nothing is typed, or what is no number."""
        with st.container(width=190):
            text = st.text_input(label, number_input.written(value, formats.locale()), key=key)
            self.places[name] = label, st.container()
        return self.read(name, text)

    def read(self, name: str, text: str) -> Decimal:
        """The same for a text that is there already; its place is known."""
        if not text.strip():
            return Decimal(0)
        try:
            return number_input.number(text, formats.locale())
        except ValueError as reason:
            self.say(name, str(reason), typed=text)
            return Decimal(0)

    def say(self, name: str, reason: str, *, typed: str = "") -> None:
        label, place = self.places[name]
        shown = f"“{typed.strip()[:40]}”" if typed else label
        place.markdown(f":red[:material/error: {md(f'{shown} {reason}')}]")
        self.wrong = True


def draw(currency: str, key: str, price: Price | None, meter: MeterRow) -> Price | None:
    """The fields of a price, filled from one; None while something is wrong."""
    typed, schemes = _Typed(), list(SCHEMES)
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


def _one_tier(typed: _Typed, known: Iterable[Tier], key: str) -> tuple[Tier, ...]:
    tier = next(iter(known), Tier(None, Decimal(0)))
    with st.container(horizontal=True):
        price = typed.number("tiers[0].unit_price", _PRICE, tier.unit_price, key=f"price_unit_{key}")
        fee = typed.number("tiers[0].flat_fee", "Fee a month", tier.flat_fee, key=f"price_fee_{key}")
    return (Tier(None, price, fee),)


def _tiers(typed: _Typed, known: tuple[Tier, ...], key: str) -> tuple[Tier, ...]:
    """Lines without a word in them are left out; the others are counted as they stand in the table."""
    locale = formats.locale()
    begun = known or (Tier(Decimal(1_000), Decimal(0)), Tier(None, Decimal(0)))
    edited = st.data_editor(
        pd.DataFrame(
            {
                _UP_TO: [number_input.written(tier.up_to, locale) for tier in begun],
                _PRICE: [number_input.written(tier.unit_price, locale) for tier in begun],
                _FEE: [number_input.written(tier.flat_fee, locale) for tier in begun],
            },
            dtype="object",
        ),
        num_rows="dynamic",
        hide_index=True,
        # The same for each way of pricing by tiers: who tries the other one keeps what was typed.
        key=f"price_tiers_{key}",
        alt="Tiers: up to which quantity, at which price and fee",
    )
    place = st.container()
    st.caption(
        "The last tier has no end: leave its “Up to and including” empty. A fee is due once its tier is reached."
    )
    typed.places["tiers"] = "Tiers:", place
    rows = [[_text(cell) for cell in row] for row in edited.itertuples(index=False)]
    tiers: list[Tier] = []
    for line, (up_to, price, fee) in enumerate(rows, start=1):
        if not (up_to or price or fee):
            continue
        names = {name: f"tiers[{len(tiers)}].{name}" for name in _COLUMNS}
        for name, column in _COLUMNS.items():
            typed.places[names[name]] = f"Line {line}, {column.lower()}:", place
        if not price and not fee:
            typed.say(names["unit_price"], _NEEDS_A_PRICE)
        end = typed.read(names["up_to"], up_to) if up_to else None
        tiers.append(Tier(end, typed.read(names["unit_price"], price), typed.read(names["flat_fee"], fee)))
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


def _text(cell: object) -> str:
    return "" if cell is None or cell is pd.NA or cell != cell else str(cell).strip()
