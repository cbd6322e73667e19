"""What a plan charges for meters and buckets besides calls: shown, and set in a next version."""

from collections.abc import Mapping
from decimal import Decimal

import pandas as pd
import streamlit as st

from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import Actor, Permission
from billing_core.metering import meters
from billing_core.metering.meters import MeterRow
from billing_core.metering.models import API_CALLS, PLACES, Aggregation
from billing_core.money import Money
from billing_core.plans import prices, service
from billing_core.plans.listing import VersionRow
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier, drops
from billing_core.plans.terms import Terms
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import number_input
from pages.ui.reads import Reader
from pages.ui.text import md

SCHEMES = {
    Scheme.PER_UNIT: "Per unit: each costs the same",
    Scheme.GRADUATED: "Graduated: each slice costs its own tier's price",
    Scheme.VOLUME: "Volume: all cost the price of the tier that is reached",
    Scheme.PACKAGE: "Packages: whole ones, rounded up",
}


def draw(read: Reader, actor: Actor, latest: VersionRow) -> None:
    """Those of the latest version."""
    st.subheader("Prices of other meters", anchor=False)
    charged = read.plain(prices.of_version, latest.id)
    if charged:
        tables.show(
            list(charged.items()),
            [
                tables.computed("Meter", lambda row: row[0].meter),
                tables.computed("Bucket", lambda row: row[0].bucket),
                tables.computed("How", lambda row: formats.words(row[1].scheme.value)),
                tables.computed("Price", lambda row: words(row[1]), width="large"),
                tables.computed("Included", lambda row: formats.decimal(row[1].included), right=True),
                tables.computed("At least", lambda row: _amount(row[1].minimum, row[1].currency), right=True),
                tables.computed("Currency", lambda row: row[1].currency, width=80),
            ],
            key="plan_prices",
            alt=f"Prices of {latest.name}, version {latest.number}",
        )
    else:
        st.caption("None: what is used of other meters is listed as a question until a version has a price for it.")
    may_write = actor.may(Permission.PLAN_WRITE)
    if may_write and st.button("Set a price", icon=":material/sell:", key="set_price"):
        _set(latest)


def words(price: Price) -> str:
    """Such as ``up to 1,000: 0.02 + 5.00 · then 0.01, for 1,000 units``."""
    parts = []
    for tier in price.tiers:
        each = formats.price(tier.unit_price, price.currency)
        fee = f" + {_amount(tier.flat_fee, price.currency)}" if tier.flat_fee else ""
        reach = (
            "" if len(price.tiers) == 1 else "then " if tier.up_to is None else f"up to {formats.decimal(tier.up_to)}: "
        )
        parts.append(f"{reach}{each}{fee}")
    of = "" if price.per == 1 else f", for {formats.decimal(price.per)} units"
    return " · ".join(parts) + of


def _amount(amount: Decimal, currency: str) -> str:
    return formats.price(amount, currency) if amount else formats.NOTHING


@st.dialog("Set a price", width="large", icon=":material/sell:")
def _set(latest: VersionRow) -> None:
    actor = signed_in()
    read = Reader(actor)
    known = read(meters.rows)
    offered = _offered(known)
    if not offered:
        st.info(
            "There are no other meters and no buckets yet: create one under “Meters” first.", icon=":material/info:"
        )
        return
    kept = {metered: price for metered, price in read.plain(prices.of_version, latest.id).items() if metered in offered}
    metered = st.selectbox("Of", list(offered), format_func=offered.__getitem__, key="price_of")
    price = _fields(latest, metered, kept.get(metered), known)
    st.caption(f"Makes version {latest.number + 1} of {md(latest.name)}; whoever is on an older one keeps it.")
    with st.container(horizontal=True):
        if st.button("Make the version", type="primary", icon=":material/save:", key="save_price") and price:
            _save(actor, latest, {**kept, metered: price})
        if metered in kept and st.button("Without this price", icon=":material/delete:", key="drop_price"):
            _save(actor, latest, {one: price for one, price in kept.items() if one != metered})


def _save(actor: Actor, latest: VersionRow, charged: Mapping[Metered, Price]) -> None:
    same = Terms(
        latest.currency,
        Money(latest.price_minor, latest.currency).amount,
        latest.included_calls,
        latest.price_per_call,
        latest.interval,
    )
    with attempt(f"{latest.name} has new prices") as session:
        service.add_version(session, actor, latest.code, same, charged=charged, now=utc_now())


def _offered(known: list[MeterRow]) -> dict[Metered, str]:
    """What can have a price of its own: each meter but calls, which have the plan's, and each bucket."""
    offered = {}
    for meter in known:
        if meter.code != API_CALLS:
            offered[Metered(meter.code)] = meter.name
        for bucket in meter.buckets:
            if bucket.retired_at is None:
                offered[Metered(meter.code, bucket.code)] = f"{meter.name}, {bucket.name}"
    return offered


def _fields(latest: VersionRow, metered: Metered, price: Price | None, known: list[MeterRow]) -> Price | None:
    """What is typed; None, with the reason below, while something is no number."""
    key = f"{metered}_{latest.number}"
    schemes = list(SCHEMES)
    scheme = st.selectbox(
        "How",
        schemes,
        schemes.index(price.scheme) if price else 0,
        format_func=SCHEMES.__getitem__,
        key=f"price_scheme_{key}",
    )
    try:
        with st.container(horizontal=True):
            per = _number("For how many units", price.per if price else Decimal(1), key=f"price_per_{key}")
            included = _number("Included", price.included if price else Decimal(0), key=f"price_included_{key}")
            minimum = _number(
                f"At least, {latest.currency}", price.minimum if price else Decimal(0), key=f"price_minimum_{key}"
            )
        tiers = _tiers(price, scheme, key)
    except Invalid as invalid:
        st.markdown(f":red[:material/error: {md(str(invalid))}]")
        return None
    typed = Price(latest.currency, scheme, tiers, per, included, minimum)
    _point_out(typed, next(one for one in known if one.code == metered.meter))
    return typed


def _tiers(price: Price | None, scheme: Scheme, key: str) -> tuple[Tier, ...]:
    known = price.tiers if price and price.scheme.tiered == scheme.tiered else ()
    if not scheme.tiered:
        with st.container(horizontal=True):
            unit_price = _number("Price", known[0].unit_price if known else Decimal(0), key=f"price_unit_{key}")
            fee = _number("Fee a month", known[0].flat_fee if known else Decimal(0), key=f"price_fee_{key}")
        return (Tier(None, unit_price, fee),)
    locale = formats.locale()
    begun = known or (Tier(Decimal(1_000), Decimal(0)), Tier(None, Decimal(0)))
    edited = st.data_editor(
        pd.DataFrame(
            {
                "Up to and including": [number_input.written(tier.up_to, locale) for tier in begun],
                "Price": [number_input.written(tier.unit_price, locale) for tier in begun],
                "Fee": [number_input.written(tier.flat_fee, locale) for tier in begun],
            },
            dtype="object",
        ),
        num_rows="dynamic",
        hide_index=True,
        key=f"price_tiers_{key}_{scheme}",
        alt="Tiers: up to which quantity, at which price and fee",
    )
    st.caption(
        "The last tier has no end: leave its “Up to and including” empty. A fee is due once its tier is reached."
    )
    rows = [[_text(cell) for cell in row] for row in edited.itertuples(index=False)]
    return tuple(
        Tier(_read(up_to) if up_to else None, _read(unit_price), _read(fee))
        for up_to, unit_price, fee in rows
        if up_to or unit_price or fee
    )


def _point_out(price: Price, meter: MeterRow) -> None:
    """Where more units would be cheaper, of a volume price whose tiers are in order."""
    ends = [tier.up_to for tier in price.tiers if tier.up_to is not None]
    if price.tiers and price.tiers[-1].up_to is None and price.per and ends == sorted(set(ends)) and all(ends):
        step = Decimal(1) if meter.aggregation is Aggregation.COUNT else Decimal(1).scaleb(-PLACES)
        for drop in drops(price, step=step):
            cost, above = (Money.rounded(one, price.currency) for one in (drop.cost, drop.cost_above))
            told = (
                f"More would be cheaper: {formats.decimal(drop.at)} cost {formats.money(cost.minor, cost.currency)}, "
                f"{formats.decimal(drop.above)} only {formats.money(above.minor, above.currency)}."
            )
            st.warning(md(told), icon=":material/trending_down:")


def _number(label: str, value: Decimal, *, key: str) -> Decimal:
    return _read(st.text_input(label, number_input.written(value, formats.locale()), key=key, width=190))


def _read(text: str) -> Decimal:
    """0 where nothing is typed."""
    if not text.strip():
        return Decimal(0)
    try:
        return number_input.number(text, formats.locale())
    except ValueError as reason:
        raise Invalid(f"“{text.strip()[:40]}” {reason}") from reason


def _text(cell: object) -> str:
    return "" if cell is None or cell is pd.NA or cell != cell else str(cell).strip()
