"""Figures as cards: all that a page shows are asked for at once, and each opens into the rows behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from billing_core import figures
from billing_core.figures import Asked, Figure, Ratio, Scope
from pages.ui import formats
from pages.ui.figures.drilldown import Drilldown, open_panel, value_text
from pages.ui.reads import Reader
from pages.ui.text import md

CARD_WIDTH = 200
MOST_ACROSS = 4

Known = Mapping[Asked, Mapping[str | None, int]]


@dataclass(frozen=True, slots=True)
class Card:
    """One card per currency. ``compared``: it tells the change against the period before; ``earlier``: or against that,
    for a figure about a state. ``currency`` is shown with a 0 where a money figure has no rows yet.
    """

    shown: Figure | Ratio
    scope: Scope
    compared: bool = False
    currency: str = ""
    earlier: Scope | None = None

    @property
    def before(self) -> Scope | None:
        """What the figure is compared with."""
        if self.earlier is not None:
            return self.earlier
        return replace(self.scope, period=self.scope.period.before()) if self.compared and self.scope.period else None

    @property
    def needed(self) -> list[Asked]:
        """The figures to ask for."""
        parts = (self.shown,) if isinstance(self.shown, Figure) else self.shown.parts
        return [(part, scope) for scope in (self.scope, self.before) if scope for part in parts]

    def amounts(self, known: Known, scope: Scope) -> Mapping[Any, int]:
        """Minor units per currency, or ``{None: count}``."""
        if isinstance(self.shown, Figure):
            return known[self.shown, scope]
        dividend, divisor = self.shown.parts
        return self.shown.quotients(known[dividend, scope], known[divisor, scope])


@dataclass(frozen=True, slots=True)
class Before:
    """What a figure was ``when``: a period or a day, in words."""

    amounts: Mapping[Any, int]
    when: str


def values(read: Reader, cards: Sequence[Card], more: Sequence[Asked] = ()) -> Known:
    """What the cards show, and ``more`` figures of the same page, by one statement."""
    needed = list(dict.fromkeys([*(figure for card in cards for figure in card.needed), *more]))
    return dict(zip(needed, read(figures.values, needed), strict=True))


def draw(cards: Sequence[Card], known: Known, *, key: str, more: Sequence[Callable[[], None]] = ()) -> None:
    """The cards in their order, on a wall of their own; each of ``more`` draws one card after them."""
    drawn = [(each, code, amount) for each in cards for code, amount in _currencies(each, known).items()]
    with wall(len(drawn) + len(more)):
        for each, code, amount in drawn:
            before = Before(each.amounts(known, each.before), _named(each.before)) if each.before else None
            card(each.shown, each.scope, code, amount, key=key, before=before)
        for one in more:
            one()


def _currencies(each: Card, known: Known) -> dict[str | None, int]:
    now = each.amounts(known, each.scope)
    money: dict[str | None, int] = {code: now[code] for code in sorted(code for code in now if code is not None)}
    if money or (isinstance(each.shown, Ratio) and not each.currency):
        return money
    return {each.currency: 0} if each.currency else {None: now.get(None, 0)}


def wall(count: int) -> DeltaGenerator:
    """Where ``count`` cards stand: in full rows where that many fit beside each other."""
    across = min(range(MOST_ACROSS, 1, -1), key=lambda columns: -count % columns)
    return st.grid(across, min_column_width=CARD_WIDTH, gap="small")


def card(
    figure: Figure | Ratio,
    scope: Scope,
    currency: str | None,
    amount: int,
    *,
    key: str,
    before: Before | None = None,
) -> None:
    """One number that is already known: minor units of a currency, or a count where there is none."""
    change, against = _change(amount, currency, before)
    with st.container(border=True, gap="xxsmall", height="stretch"):
        st.metric(
            md(figure.title),
            value_text(amount, currency),
            change,
            delta_color="off",
            delta_description=against,
            help=md(figure.definition),
        )
        if _opened(f"{key}_{figure.key}_{currency or 'count'}", figure.title):
            open_panel(Drilldown(figure, replace(scope, currency=currency) if currency else scope, amount, currency))


def _opened(key: str, title: str) -> bool:
    return st.button(
        "Show rows",
        key=key,
        type="tertiary",
        icon=":material/table_rows:",
        help=f"The rows behind “{md(title)}” and their sum",
    )


def _change(amount: int, currency: str | None, before: Before | None) -> tuple[str | int | None, str | None]:
    if before is None:
        return None, None
    past = before.amounts.get(currency, 0)
    if amount == past:
        return 0, f"as in {before.when}"
    change = formats.percent_change(amount, past)
    return (change or f"+{value_text(amount, currency)}" if past == 0 else change), f"vs. {before.when}"


def _named(scope: Scope) -> str:
    return formats.period(scope.period) if scope.period else formats.day(scope.as_at)
