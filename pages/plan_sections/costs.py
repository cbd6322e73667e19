"""What a plan costs at given use: seats, add-ons, a period with its phase, and usage."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import streamlit as st

from billing_core.metering import meters
from billing_core.metering.meters import MeterRow
from billing_core.plans import costs, offers, parts
from billing_core.plans.costs import CostOf, Line
from billing_core.plans.listing import VersionRow
from billing_core.plans.models import PlanInterval
from billing_core.plans.offers import Offer
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Priced
from billing_core.plans.terms import MAX_PERIODS, MAX_SEATS
from pages.plan_sections import wording
from pages.plan_sections.prices import words
from pages.plan_sections.versions import choose
from pages.ui import formats, tables
from pages.ui.reads import Reader
from pages.ui.text import md

_MOST_USED = 10**12


@dataclass(frozen=True, slots=True)
class _Row:
    """What something costs: ``each`` in words, since usage may have tiers."""

    what: str
    quantity: str
    each: str
    amount_minor: int


def draw(read: Reader, versions: list[VersionRow]) -> None:
    """Of any of these versions, the latest by default."""
    offered, version = _offered(read, versions)
    key = f"{version.id}_{offered.currency}"
    seats, add_ons, period = _use(offered, key)
    lines = costs.of_period(offered, period - 1, seats=seats, add_ons=add_ons)
    prices = read.plain(costs.prices_of_usage, version.id) if offered.has_usage else {}
    names = _names(read, prices) if prices else {}
    used = _used(names, key) if names else {}
    usage = read.plain(costs.of_usage, version.id, used) if used else {}
    _totals(offered, lines, usage, period)
    rows = [_row_of_period(offered, line) for line in lines]
    rows += [_row_of_usage(names[metered], prices[metered], priced) for metered, priced in usage.items()]
    _table(offered, rows)
    told = f"Due {wording.due(offered)}, {wording.TIMINGS[offered.timing].lower()}, without tax and promo codes."
    st.caption(f"{told} Usage is that of a whole month, whatever the plan is due for." if usage else told)


def _offered(read: Reader, versions: list[VersionRow]) -> tuple[Offer, VersionRow]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        version = choose(versions, "Version", key="cost_version")
        agreed = read.plain(parts.terms_of, version.id)
        currency = st.selectbox(
            "Currency", [agreed.currency, *agreed.further], key=f"cost_currency_{version.id}", width=110
        )
    return read.plain(offers.offer, version.id, currency), version


def _use(offered: Offer, key: str) -> tuple[int, Mapping[str, int], int]:
    """Seats, how many of each add-on, and the number of the period, from 1."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        period = _number(
            "Period",
            f"cost_period_{key}",
            least=1,
            most=offered.ends_after or MAX_PERIODS,
            help="The first paid one is 1: phases count from it",
        )
        seats = 0
        if offered.seat_price_minor is not None:
            seats = _number("Seats", f"cost_seats_{key}", begun=max(offered.included_seats, 1), most=MAX_SEATS)
        add_ons = {one.code: _number(md(one.name), f"cost_add_on_{key}_{one.code}") for one in offered.add_ons}
    return seats, add_ons, period


def _used(names: Mapping[Metered, str], key: str) -> dict[Metered, Decimal]:
    st.markdown("**Used in a month**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        return {
            metered: Decimal(_number(md(name), f"cost_used_{key}_{metered}", most=_MOST_USED))
            for metered, name in names.items()
        }


def _number(
    label: str,
    key: str,
    *,
    least: int = 0,
    most: int = MAX_SEATS,
    begun: int = 0,
    help: str | None = None,  # noqa: A002
) -> int:
    value = max(begun, least)
    return int(
        st.number_input(label, min_value=least, max_value=most, value=value, step=1, key=key, width=170, help=help)
    )


def _totals(offered: Offer, lines: list[Line], usage: Mapping[Metered, Priced], period: int) -> None:
    fixed = sum(line.amount_minor for line in lines)
    of_usage = sum(priced.amount.minor for priced in usage.values())
    shown = {f"Due for period {formats.count(period)}": fixed}
    if usage:
        shown["Usage of a month"] = of_usage
        if (offered.interval, offered.interval_count) == (PlanInterval.MONTH, 1):
            shown["Together"] = fixed + of_usage
    with st.grid(3, min_column_width=200, gap="small"):
        for label, minor in shown.items():
            st.metric(label, formats.money(minor, offered.currency), border=True)


def _table(offered: Offer, rows: list[_Row]) -> None:
    tables.show(
        rows,
        [
            tables.text("For", "what", width=260),
            tables.computed("Quantity", lambda row: row.quantity, width=90, right=True),
            tables.computed(
                f"Amount, {offered.currency}",
                lambda row: formats.amount(row.amount_minor, offered.currency),
                width=120,
                right=True,
            ),
            tables.text("Each", "each"),
        ],
        key="costs",
        alt="What the plan costs, by what it is for",
    )


def _row_of_period(offered: Offer, line: Line) -> _Row:
    what = line.name
    if line.of is CostOf.SEATS:
        what = _beyond("Seats", formats.count(offered.included_seats) if offered.included_seats else "")
    each = formats.amount(line.unit_minor, offered.currency)
    return _Row(what, formats.count(line.quantity), each, line.amount_minor)


def _row_of_usage(name: str, price: Price, priced: Priced) -> _Row:
    what = _beyond(name, formats.decimal(priced.included) if priced.included else "")
    if price.minimum:
        what += f", at least {formats.price(price.minimum, price.currency)}"
    return _Row(what, formats.decimal(priced.billable), words(price), priced.amount.minor)


def _beyond(name: str, included: str) -> str:
    return f"{name} beyond {included} included" if included else name


def _names(read: Reader, prices: Mapping[Metered, Price]) -> dict[Metered, str]:
    known = {one.code: one for one in read(meters.rows)}
    return {metered: _name(metered, known[metered.meter]) for metered in prices}


def _name(metered: Metered, meter: MeterRow) -> str:
    bucket = next((one.name for one in meter.buckets if one.code == metered.bucket), metered.bucket)
    return f"{meter.name}, {bucket}" if bucket else meter.name
