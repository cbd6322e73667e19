"""Plotly charts in the theme's own colours. Amounts become plain numbers here, for drawing and nothing else."""

from collections.abc import Sequence
from datetime import date

import plotly.graph_objects as go
import streamlit as st

from billing_core.money import Money
from pages.ui import formats

_NO_TOOLBAR = {"displayModeBar": False}


def _height_of(minor: int, currency: str) -> float:
    return float(Money(minor, currency).amount)


def _colour() -> str:
    """The theme's accent, as the reader's light or dark mode has it."""
    return str(st.get_option(f"theme.{st.context.theme.type or 'light'}.primaryColor"))


def _layout(height: int) -> go.Layout:
    symbols = formats.locale().number_symbols["latn"]
    return go.Layout(
        height=height,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        separators=symbols["decimal"] + symbols["group"],
        showlegend=False,
        hovermode="closest",
        dragmode=False,
        bargap=0.35,
    )


def money_by_month(
    months: Sequence[date], minor: Sequence[int], currency: str, *, key: str, alt: str, height: int = 260
) -> None:
    """One bar a month."""
    bars = go.Bar(
        x=[formats.short_month(month) for month in months],
        y=[_height_of(value, currency) for value in minor],
        customdata=[formats.money(value, currency) for value in minor],
        marker={"color": _colour()},
        hovertemplate="%{x}<br><b>%{customdata}</b><extra></extra>",
    )
    figure = go.Figure(bars, _layout(height))
    figure.update_yaxes(tickformat=",.2~s", rangemode="tozero", title=None)
    figure.update_xaxes(type="category", title=None)
    st.plotly_chart(figure, width="stretch", key=key, alt=alt, config=_NO_TOOLBAR)


def money_by_name(
    names: Sequence[str], minor: Sequence[int], currency: str, *, key: str, alt: str, height: int | None = None
) -> None:
    """One bar a name, the first on top, each with its amount written beside it."""
    labels = [_plain(name) for name in names]
    texts = [formats.amount(value, currency) for value in minor]
    bars = go.Bar(
        y=list(range(len(labels))),
        x=[_height_of(value, currency) for value in minor],
        orientation="h",
        text=texts,
        textposition="auto",
        customdata=[[label, formats.money(value, currency)] for label, value in zip(labels, minor, strict=True)],
        marker={"color": _colour()},
        hovertemplate="%{customdata[0]}<br><b>%{customdata[1]}</b><extra></extra>",
    )
    figure = go.Figure(bars, _layout(height or 40 + 34 * max(1, len(labels))))
    figure.update_yaxes(
        autorange="reversed", tickmode="array", tickvals=list(range(len(labels))), ticktext=labels, automargin=True
    )
    figure.update_xaxes(visible=False, rangemode="tozero")
    st.plotly_chart(figure, width="stretch", key=key, alt=alt, config=_NO_TOOLBAR)


def _plain(name: str, longest: int = 28) -> str:
    """Plotly reads a few HTML tags in labels; a name must not bring any."""
    short = name if len(name) <= longest else name[: longest - 1] + "…"
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
