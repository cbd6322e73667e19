"""Those of a plan's terms that are lists: add-ons, phases, and what it costs in further currencies."""

from collections.abc import Mapping
from decimal import Decimal

import streamlit as st

from billing_core.errors import Invalid
from billing_core.money import currency_code
from billing_core.plans.terms import AddOn, Amounts, Phase, Terms
from pages.plan_sections.typed import Cell, Typed, amount

_ADD_ON = {"code": "Code", "name": "Name", "price": "Price", "currency": "Currency"}
_PHASE = {"periods": "Periods", "percent": "Percent of the price"}
_FURTHER = {"currency": "Currency", "price": "Price", "seat_price": "A seat costs"}


def add_ons(typed: Typed, begun: Terms, own: str, key: str) -> tuple[AddOn, ...]:
    """An add-on has a line for each currency; where none is typed, the plan's ``own`` is meant."""
    known = [
        (one.code, one.name, amount(price, currency), currency)
        for one in begun.add_ons
        for currency, price in sorted(one.prices.items(), key=lambda item: (item[0] != begun.currency, item[0]))
    ]
    st.markdown("**Add-ons**")
    lines = typed.table(_ADD_ON, known, key=f"plan_add_ons_{key}", alt="Add-ons: what can be had beside the plan")
    st.caption("What one costs each period; where the plan has further currencies, on a line for each of them.")
    typed.put("add_ons", "Add-ons", lines.place)
    found: dict[str, tuple[str, dict[str, Decimal]]] = {}
    for line in lines:
        code = line.texts["code"]
        called = f"add_ons[{list(found).index(code) if code in found else len(found)}]"
        name, price, currency = (typed.cell(lines, line, one, f"{called}.{one}") for one in list(_ADD_ON)[1:])
        if code not in found:
            typed.cell(lines, line, "code", f"{called}.code")
            typed.put(f"{called}.prices", f"Prices of “{code}”", lines.place)
        _, prices = found.setdefault(code, (name.text, {}))
        in_currency = _currency(typed, currency) if currency.text else own
        priced = typed.cell(lines, line, "price", f"{called}.prices[{in_currency}]")
        if not price.text:
            typed.say(priced.name, "is needed, or 0 where it costs nothing")
        elif in_currency in prices:
            typed.say(currency.name, f"“{code}” has a price in {in_currency} already")
        prices[in_currency] = typed.read(priced.name, priced.text)
    return tuple(AddOn(code, name, prices) for code, (name, prices) in found.items())


def phases(typed: Typed, begun: tuple[Phase, ...], key: str) -> tuple[Phase, ...]:
    st.markdown("**Phases**")
    lines = typed.table(
        _PHASE,
        [(Decimal(one.periods), one.percent) for one in begun],
        key=f"plan_phases_{key}",
        alt="Phases: for how many periods which part of the price is due",
    )
    st.caption(
        "One after the other, such as 3 periods at 50 percent; afterwards the whole price is due. Seats, add-ons and "
        "usage cost what they always do."
    )
    typed.put("phases", "Phases", lines.place)
    found: list[Phase] = []
    for line in lines:
        periods, percent = (typed.cell(lines, line, one, f"phases[{len(found)}].{one}") for one in _PHASE)
        if not percent.text:
            typed.say(percent.name, "is needed, or 0 where nothing is due")
        found.append(Phase(typed.whole(*periods), typed.read(*percent)))
    return tuple(found)


def further(typed: Typed, begun: Mapping[str, Amounts], own: str, key: str) -> dict[str, Amounts]:
    known = [
        (currency, amount(amounts.price, currency), amount(amounts.seat_price, currency))
        for currency, amounts in begun.items()
    ]
    lines = typed.table(_FURTHER, known, key=f"plan_further_{key}", alt="What the plan costs in further currencies")
    st.caption(
        f"A subscription is billed in {own} or in one of these. Where usage has a price, which is in "
        f"{own} alone, there are none: make a plan for each currency instead."
    )
    typed.put("further", "Further currencies", lines.place)
    found: dict[str, Amounts] = {}
    for line in lines:
        currency = _currency(typed, typed.cell(lines, line, "currency", f"further[{line.number}].currency"))
        price, seat_price = (typed.cell(lines, line, one, f"further[{currency}].{one}") for one in list(_FURTHER)[1:])
        if currency in found:
            typed.say(f"further[{line.number}].currency", "is there already")
        if not price.text:
            typed.say(price.name, "is needed, or 0 where it costs nothing")
        seat = typed.read(*seat_price) if seat_price.text else None
        found[currency] = Amounts(typed.read(*price), seat)
    return found


def _currency(typed: Typed, cell: Cell) -> str:
    """What was typed where it is no currency, which is said."""
    try:
        return currency_code(cell.text)
    except Invalid as invalid:
        typed.say(cell.name, str(invalid).removeprefix(f"“{cell.text}” "), typed=cell.text)
        return cell.text
