"""The fields of a rate's terms: price, bounds, tiers, SKUs, condition. Numbers are typed as text: exact decimals, in
the reader's own way of writing.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from billing_core.errors import Invalid
from billing_core.money import Money
from billing_core.rating.models import CostType, TierMode
from billing_core.rating.pricing import Pricing
from billing_core.rating.queries import RateRow
from pages.rate_card_sections import builder, wording
from pages.ui import formats
from pages.ui.inputs import number_input
from pages.ui.text import md

ONE_PRICE, GRADUATED, VOLUME = "One price", "Graduated tiers", "Volume tiers"
# What a cell of a tier takes; how it is read is said when the rate is saved.
_NUMBER = r"^[0-9.,'’\s]*$"
_MODES = {GRADUATED: TierMode.GRADUATED, VOLUME: TierMode.VOLUME}


def draw(key: str, row: RateRow | None, cost_type: CostType, currency: str) -> Callable[[], Pricing]:
    """Draw the fields, filled from a rate; returns what reads them, which raises Invalid for what is no number."""
    percent = cost_type is CostType.PERCENT_OF_SERVICES
    with st.container(horizontal=True, vertical_alignment="bottom"):
        price = st.text_input(
            "Percent" if percent else "Unit price",
            _text(row.unit_price if row else None),
            key=f"{key}_price",
            help="Up to six decimals. Used where there are no tiers.",
            width=160,
        )
        minimum = st.text_input(
            "Minimum per order", _amount(row, "minimum_minor"), key=f"{key}_minimum", width=160, placeholder="none"
        )
        maximum = st.text_input(
            "Maximum per order", _amount(row, "maximum_minor"), key=f"{key}_maximum", width=160, placeholder="none"
        )
    kind = (
        st.segmented_control("Prices", [ONE_PRICE, *_MODES], default=_kind(row), key=f"{key}_kind", required=True)
        or ONE_PRICE
    )
    tiers = _tiers(key, row, _MODES[kind]) if kind in _MODES else None
    if not percent:
        _warn_of_too_little([price] if tiers is None else [tier["unit_price"] for tier in tiers], cost_type, currency)
    skus = st.text_area(
        "Only these SKUs",
        "\n".join(row.skus or ()) if row else "",
        key=f"{key}_skus",
        placeholder="Empty: all. One per line, or separated by ;",
        height=80,
    )
    st.markdown("**When the rate applies**")
    condition = builder.draw(f"{key}_condition", row.conditions if row else None)

    def pricing() -> Pricing:
        unit_price = _number(price, "unit_price")
        if unit_price is None and tiers is None:
            raise Invalid("Enter the price, or 0 if it costs nothing", fields={"unit_price": "is needed"})
        steps = tiers and [{name: _plain(text, name) for name, text in tier.items()} for tier in tiers]
        return Pricing(
            unit_price=unit_price or Decimal(0),
            minimum=_number(minimum, "minimum"),
            maximum=_number(maximum, "maximum"),
            skus=[sku for line in (skus or "").splitlines() for sku in line.split(";")],
            tier_mode=_MODES.get(kind, TierMode.GRADUATED),
            tiers=steps,
            condition=condition,
        )

    return pricing


def _tiers(key: str, row: RateRow | None, mode: TierMode) -> list[dict[str, Any]]:
    begun: list[dict[str, Any]] = [{"up_to": "10", "unit_price": ""}, {"up_to": None, "unit_price": ""}]
    tiers = row.tiers if row and row.tiers else begun
    st.caption(f"{wording.tier_mode(mode)}. The last tier has no end: leave its “Up to” empty.")
    edited = st.data_editor(
        pd.DataFrame(
            {
                "Up to": [_written(tier["up_to"]) for tier in tiers],
                "Price": [_written(tier["unit_price"]) for tier in tiers],
            },
            dtype="object",
        ),
        column_config={
            "Up to": st.column_config.TextColumn("Up to and including", validate=_NUMBER),
            "Price": st.column_config.TextColumn("Price", validate=_NUMBER),
        },
        num_rows="dynamic",
        hide_index=True,
        key=f"{key}_tiers",
        alt="Tiers: up to which quantity, at which price",
        width=420,
    )
    filled = ((_cell(up_to), _cell(price)) for up_to, price in edited.itertuples(index=False))
    return [{"up_to": up_to or None, "unit_price": price or None} for up_to, price in filled if up_to or price]


def _cell(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value).strip()


def _kind(row: RateRow | None) -> str:
    if row is None or not row.tiers:
        return ONE_PRICE
    return VOLUME if row.tier_mode is TierMode.VOLUME else GRADUATED


def _text(number: Decimal | None) -> str:
    return number_input.written(number, formats.locale())


def _written(number: str | None) -> str:
    return _text(Decimal(number)) if number else ""


def _amount(row: RateRow | None, name: str) -> str:
    minor = getattr(row, name) if row else None
    return "" if minor is None or row is None else _text(Money(minor, row.currency).amount)


def _number(text: str | None, field: str) -> Decimal | None:
    if not text or not text.strip():
        return None
    try:
        return number_input.number(text, formats.locale())
    except ValueError as error:
        raise Invalid(f"“{text.strip()[:40]}” {error}", fields={field: f"{error}"}) from error


def _plain(text: str | None, field: str) -> str | None:
    """The number as tiers are stored."""
    number = _number(text, field)
    return None if number is None else f"{number:f}"


def _warn_of_too_little(prices: Sequence[str | None], cost_type: CostType, currency: str) -> None:
    """A price of which one rounds to nothing: what an order comes to is rounded, and may be billed as 0."""
    for text in prices:
        try:
            price = _number(text, "unit_price")
        except Invalid:
            continue
        if price is None or price <= 0 or Money.rounded(price, currency).minor:
            continue
        smallest, nothing = (md(formats.money(minor, currency)) for minor in (1, 0))
        which = (
            "Every order" if cost_type is CostType.PER_ORDER else f"An order that comes to less than half of {smallest}"
        )
        st.warning(
            f"{md(formats.price(price, currency))} is less than half of the smallest amount, {smallest}. {which} is "
            f"billed as {nothing}.",
            icon=":material/money_off:",
        )
        return
