"""Plotly charts in the theme's own colours. Amounts become plain numbers here, for drawing and nothing else.

A click on a bar opens what it stands for: each chart returns the position of the bar that was just clicked.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from billing_core.money import Money
from pages.ui import formats
from pages.ui.text import untagged

_NO_TOOLBAR = {"displayModeBar": False}
_BAR = 34
_MARGINS = 40


def money_by_month(
    months: Sequence[date], minor: Sequence[int], currency: str, *, key: str, alt: str, height: int = 260
) -> int | None:
    """One bar a month; returns the place of the one that was clicked."""
    clicked = _money_by_month(months, (minor,), ("",), currency, key=key, alt=alt, height=height)
    return clicked[1] if clicked else None


def two_by_month(
    months: Sequence[date],
    minor: tuple[Sequence[int], Sequence[int]],
    names: tuple[str, str],
    currency: str,
    *,
    key: str,
    alt: str,
    height: int = 260,
) -> tuple[int, int] | None:
    """Two bars a month, side by side; returns which of the two was clicked, and the place of its month."""
    return _money_by_month(months, minor, names, currency, key=key, alt=alt, height=height)


def _money_by_month(
    months: Sequence[date],
    minor: Sequence[Sequence[int]],
    names: tuple[str, ...],
    currency: str,
    *,
    key: str,
    alt: str,
    height: int,
) -> tuple[int, int] | None:
    mode = st.context.theme.type or "light"
    colours = st.get_option(f"theme.{mode}.chartCategoricalColors")
    figure = _by_month(
        tuple(_ticks(months)),
        tuple(formats.short_month(month) for month in months),
        tuple(tuple(_height_of(value, currency) for value in series) for series in minor),
        tuple(tuple(formats.money(value, currency) for value in series) for series in minor),
        names,
        (tuple(colours[: len(names)]), _separators(), height),
    )
    return _drawn(figure, key, alt)


def money_by_name(names: Sequence[str], minor: Sequence[int], currency: str, *, key: str, alt: str) -> int | None:
    """One bar a name, the first on top, each with its amount written beside it; returns the clicked one's place."""
    figure = _by_name(
        tuple(_plain(name) for name in names),
        tuple(_height_of(value, currency) for value in minor),
        tuple(formats.amount(value, currency) for value in minor),
        currency,
        (*_colours(), _separators(), _MARGINS + _BAR * max(1, len(names))),
    )
    clicked = _drawn(figure, key, alt)
    return clicked[1] if clicked else None


# Building and validating a figure costs more than the rest of its page. The same numbers make the same figure.
@lru_cache(maxsize=256)
def _by_month(
    ticks: tuple[str, ...],
    months: tuple[str, ...],
    heights: tuple[tuple[float, ...], ...],
    amounts: tuple[tuple[str, ...], ...],
    names: tuple[str, ...],
    look: tuple[tuple[str, ...], str, int],
) -> go.Figure:
    """``names`` of the series stand in the legend, and before the month where a bar is pointed at; one has none."""
    colours, separators, height = look
    places = list(range(len(months)))
    bars = [
        {
            "type": "bar",
            "name": name,
            "x": places,
            "y": tall,
            "customdata": list(zip(months, written, strict=True)),
            "marker": {"color": colour},
            "hovertemplate": f"{name and f'{name}, '}%{{customdata[0]}}<br><b>%{{customdata[1]}}</b><extra></extra>",
        }
        for name, tall, written, colour in zip(names, heights, amounts, colours, strict=True)
    ]
    axes = {
        "xaxis": {
            "tickmode": "array",
            "tickvals": places,
            "ticktext": ticks,
            "autotickangles": [0, 90],
            "showgrid": False,
        },
        "yaxis": _amounts_axis(max(map(max, heights), default=0) if months else 0),
    }
    legend = {"showlegend": len(names) > 1, "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}}
    return go.Figure({"data": bars, "layout": {**_layout(separators, height), **axes, **legend}})


def _amounts_axis(tallest: float) -> dict[str, Any]:
    """Thousands and millions are shortened; below that a shortened number would read as a thousandth ("200m")."""
    if not tallest:
        return {"range": [0, 1], "tickvals": [0]}
    return {"tickformat": ",.2~s" if tallest >= 1_000 else ",.2~f", "rangemode": "tozero"}


@lru_cache(maxsize=256)
def _by_name(
    names: tuple[str, ...],
    lengths: tuple[float, ...],
    amounts: tuple[str, ...],
    currency: str,
    look: tuple[str, str, str, int],
) -> go.Figure:
    colour, on_colour, separators, height = look
    places = list(range(len(names)))
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": places,
        "x": lengths,
        "text": amounts,
        "textposition": "auto",
        "insidetextfont": {"color": on_colour},
        "customdata": list(zip(names, amounts, strict=True)),
        "marker": {"color": colour},
        "hovertemplate": f"%{{customdata[0]}}<br><b>%{{customdata[1]}} {currency}</b><extra></extra>",
    }
    axes = {
        "yaxis": {
            "autorange": "reversed",
            "tickmode": "array",
            "tickvals": places,
            "ticktext": names,
            "automargin": True,
        },
        "xaxis": {"visible": False, "rangemode": "tozero"},
    }
    return go.Figure({"data": [bars], "layout": {**_layout(separators, height), **axes}})


def _layout(separators: str, height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 0, "r": 0, "t": 8, "b": 0},
        "separators": separators,
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "bargap": 0.35,
    }


def _drawn(figure: go.Figure, key: str, alt: str) -> tuple[int, int] | None:
    # Each answered click gets a chart of its own, so that a second click on the same bar is one again.
    turn = st.session_state.get(f"{key}_turn", 0)
    st.plotly_chart(
        figure,
        width="stretch",
        key=f"{key}_{turn}",
        alt=alt,
        config=_NO_TOOLBAR,
        on_select=lambda: _clicked(key, turn),
        selection_mode="points",
    )
    clicked: tuple[int, int] | None = st.session_state.pop(f"{key}_clicked", None)
    return clicked


def _clicked(key: str, turn: int) -> None:
    points = st.session_state[f"{key}_{turn}"].selection.points
    if points:
        st.session_state[f"{key}_clicked"] = (points[0].get("curve_number", 0), points[0]["point_index"])
        st.session_state[f"{key}_turn"] = turn + 1


def _ticks(months: Sequence[date]) -> list[str]:
    """The month, and below it the year where one begins."""
    return [
        formats.month_alone(month) + (f"<br>{month.year}" if place == 0 or month.month == 1 else "")
        for place, month in enumerate(months)
    ]


def _height_of(minor: int, currency: str) -> float:
    return float(Money(minor, currency).amount)


def _colours() -> tuple[str, str]:
    """The theme's first chart colour, as the reader's light or dark mode has it, and what can be read on it."""
    mode = st.context.theme.type or "light"
    return st.get_option(f"theme.{mode}.chartCategoricalColors")[0], str(st.get_option(f"theme.{mode}.backgroundColor"))


def _separators() -> str:
    symbols = formats.locale().number_symbols["latn"]
    return str(symbols["decimal"]) + str(symbols["group"])


def _plain(name: str, longest: int = 28) -> str:
    return untagged(name if len(name) <= longest else name[: longest - 1] + "…")
