"""One order against the rates of its day: each service, charged or not, and why."""

from decimal import Decimal
from typing import Any

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.orders import queries as orders
from billing_core.orders.queries import OrderFilter
from billing_core.rating import simulator
from billing_core.rating.meaning import FIELD_WORDS
from billing_core.rating.models import TierMode
from billing_core.rating.simulator import Outcome, Simulation
from billing_core.reports.wording import cost_type_words, question_words
from pages.rate_card_sections import wording
from pages.ui import formats, tables
from pages.ui.reads import Reader
from pages.ui.text import md

MOST_OFFERED = 25


def draw(read: Reader, actor: Actor, customer_id: int) -> None:
    if not actor.may(Permission.ORDER_READ):
        st.info("Your role does not allow viewing orders.", icon=":material/lock:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find an order",
            key="order_search",
            type="search",
            placeholder="Number, reference, name, city or SKU",
            width=280,
        )
        matches = read(orders.page, OrderFilter(customer_id, text=text or ""), limit=MOST_OFFERED)
        labels = {row.id: f"{row.number} · {formats.day(row.order_date)} · {row.ship_to_name}" for row in matches}
        order_id = st.selectbox(
            "Order",
            list(labels),
            format_func=lambda identity: labels.get(identity, str(identity)),
            key="order",
            placeholder="No order matches",
            width=420,
        )
    if order_id is None:
        st.info(
            "No order matches the search." if text else "This customer has no orders yet.", icon=":material/search_off:"
        )
        return
    if len(matches) == MOST_OFFERED:
        st.caption(f"The newest {MOST_OFFERED} matches are offered; search to narrow them down.")
    _result(read(simulator.simulate, order_id, number=formats.decimal))


def _result(simulation: Simulation) -> None:
    total = "nothing" if simulation.total is None else formats.money(simulation.total.minor, simulation.total.currency)
    st.markdown(
        f"Order **{md(simulation.order_number)}** of {formats.day(simulation.order_date)} would cost **{md(total)}**."
    )
    if not simulation.outcomes:
        st.info("This customer has no rates: nothing is charged.", icon=":material/price_change:")
        return
    tables.show(
        simulation.outcomes,
        [
            tables.text("Service", "service_name"),
            tables.computed("Cost type", lambda row: formats.sentence(cost_type_words(row.cost_type))),
            tables.badge("Charged", lambda row: "Yes" if row.charged else "No", {"Yes": "green", "No": "gray"}),
            tables.quantity("Quantity", "quantity"),
            tables.computed("Price", _price, right=True),
            tables.computed("Tier", lambda row: str(row.tier or ""), right=True),
            tables.money("Amount", "amount", currency=lambda row: row.amount.currency),
            tables.computed("Currency", lambda row: row.amount.currency if row.amount else ""),
            tables.computed("Why", _why, width="large"),
        ],
        key=f"simulation_{simulation.order_id}",
        alt=f"What each service costs order {simulation.order_number}",
    )
    names = {outcome.service_id: outcome.service_name for outcome in simulation.outcomes}
    for service_id, kind, sku in simulation.questions:
        about = " · ".join(part for part in (names.get(service_id or 0, ""), sku) if part)
        st.warning(f"{md(question_words(kind))}" + (f" ({md(about)})" if about else ""), icon=":material/help:")
    for outcome in simulation.outcomes:
        if outcome.findings or len(outcome.slices) > 1:
            with st.expander(md(outcome.service_name), icon=":material/rule:"):
                _explain(outcome)
    with st.expander("What the conditions check on this order", icon=":material/inventory_2:"):
        _facts(simulation.facts)


def _price(outcome: Outcome) -> str:
    """The unit price, or how many prices there are: the expander below shows them."""
    if len(outcome.slices) > 1:
        return f"{len(outcome.slices)} prices"
    return wording.unit_price(outcome.unit_price, outcome.cost_type)


def _why(outcome: Outcome) -> str:
    if not outcome.charged:
        return outcome.reason
    if outcome.bound:
        return f"The {outcome.bound} per order applies"
    met = ["its condition is met"] * bool(outcome.findings) + ["a line has one of its SKUs"] * outcome.limited
    words = formats.sentence(" and ".join(met) or "applies to every order")
    return f"{words}; so little that it rounds to nothing" if _rounded_away(outcome) else words


def _rounded_away(outcome: Outcome) -> bool:
    return outcome.amount is not None and not outcome.amount.minor and bool(outcome.quantity and outcome.unit_price)


def _explain(outcome: Outcome) -> None:
    for part in outcome.findings:
        mark = ":green[:material/check:]" if part.held else ":red[:material/close:]"
        has = f" (the order: {md(part.actual)})" if part.actual else ""
        st.markdown(f"{'&emsp;' * part.depth}{mark} {md(formats.sentence(part.words))}{has}")
    if len(outcome.slices) > 1:
        st.caption(TierMode.GRADUATED.capitalize() + " tiers, added exactly and rounded once")
        tables.show(
            outcome.slices,
            [
                tables.quantity("Quantity", "quantity"),
                tables.quantity("Price", "unit_price"),
                tables.quantity("Amount before rounding", "amount"),
            ],
            key=f"slices_{outcome.rate_id}",
            alt=f"Tiers of {outcome.service_name}",
        )


def _facts(facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        st.markdown(f"{md(formats.sentence(FIELD_WORDS[name]))}: **{md(_seen(value))}**")


def _seen(value: object) -> str:
    match value:
        case None | "":
            return "not known"
        case frozenset():
            return ", ".join(sorted(value))
        case Decimal():
            return formats.decimal(value)
        case _:
            return str(value)
