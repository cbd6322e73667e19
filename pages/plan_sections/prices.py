"""What a plan charges for meters and buckets besides calls: shown, and set in a next version."""

from collections.abc import Mapping
from decimal import Decimal

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.metering import meters
from billing_core.metering.meters import MeterRow
from billing_core.metering.models import API_CALLS
from billing_core.plans import parts, prices, service
from billing_core.plans.listing import VersionRow
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price
from pages.plan_sections import price_fields
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.reads import Reader
from pages.ui.text import md


def draw(read: Reader, actor: Actor, shown: VersionRow, latest: VersionRow) -> None:
    """Those of one version; another one is set in a version after the latest."""
    st.subheader("Prices of other meters", anchor=False)
    charged = read.plain(prices.of_version, shown.id)
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
            alt=f"Prices of {shown.name}, version {shown.number}",
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
    meter = next(one for one in known if one.code == metered.meter)
    price = price_fields.draw(latest.currency, f"{metered}_{latest.number}", kept.get(metered), meter)
    st.caption(f"Makes version {latest.number + 1} of {md(latest.name)}; whoever is on an older one keeps it.")
    with st.container(horizontal=True):
        if st.button("Make the version", type="primary", icon=":material/save:", key="save_price") and price:
            _save(actor, latest, {**kept, metered: price})
        if metered in kept and st.button("Without this price", icon=":material/delete:", key="drop_price"):
            _save(actor, latest, {one: price for one, price in kept.items() if one != metered})


def _save(actor: Actor, latest: VersionRow, charged: Mapping[Metered, Price]) -> None:
    with attempt(f"{latest.name} has new prices") as session:
        same = parts.terms_of(session, latest.id)
        service.add_version(session, actor, latest.code, same, charged=charged, seen=latest.number, now=utc_now())


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
