"""Plotly charts with a point a day, in the theme's own colours. Nothing is decided by the numbers drawn here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import plotly.graph_objects as go
import streamlit as st

from pages.ui import formats
from pages.ui.text import untagged

_NO_TOOLBAR = {"displayModeBar": False}
HEIGHT = 300


@dataclass(frozen=True, slots=True)
class Line:
    """``points`` by the days, None where there is none. ``color`` is a place among the theme's; ``dash`` Plotly's word;
    ``steps``: it jumps from one day's value to the next.
    """

    name: str
    points: tuple[float | None, ...]
    color: int = 0
    dash: str = "solid"
    steps: bool = False


def lines(days: Sequence[date], drawn: Sequence[Line], *, key: str, alt: str) -> None:
    """Each with its name in the legend, and with its value where a day is pointed at."""
    mode = st.context.theme.type or "light"
    colours = tuple(st.get_option(f"theme.{mode}.chartCategoricalColors"))
    symbols = formats.locale().number_symbols["latn"]
    figure = _lines(
        tuple(days),
        tuple(formats.day(day) for day in days),
        tuple(drawn),
        colours,
        str(symbols["decimal"]) + str(symbols["group"]),
    )
    st.plotly_chart(figure, width="stretch", key=key, alt=alt, config=_NO_TOOLBAR)


@lru_cache(maxsize=256)
def _lines(
    days: tuple[date, ...], names: tuple[str, ...], drawn: tuple[Line, ...], colours: tuple[str, ...], separators: str
) -> go.Figure:
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers" if sum(point is not None for point in line.points) == 1 else "lines",
            "name": untagged(line.name),
            "x": days,
            "y": line.points,
            "customdata": names,
            "line": {
                "color": colours[line.color % len(colours)],
                "dash": line.dash,
                "width": 2,
                "shape": "hv" if line.steps else "linear",
            },
            "hovertemplate": "%{fullData.name}, %{customdata}<br><b>%{y:,.3~f}</b><extra></extra>",
        }
        for line in drawn
    ]
    layout = {
        "height": HEIGHT,
        "margin": {"l": 0, "r": 0, "t": 8, "b": 0},
        "separators": separators,
        "dragmode": False,
        "hovermode": "closest",
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {"showgrid": False, "tickformat": "%d", "dtick": 86_400_000 * 2},
        "yaxis": {"rangemode": "tozero", "tickformat": ",.2~s" if _tallest(drawn) >= 1_000 else ",.3~f"},
    }
    return go.Figure({"data": traces, "layout": layout})


def _tallest(drawn: Sequence[Line]) -> float:
    return max((point for line in drawn for point in line.points if point is not None), default=0)
