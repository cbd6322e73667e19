"""Choosing one of a plan's versions."""

import streamlit as st

from billing_core.plans.listing import VersionRow


def choose(versions: list[VersionRow], label: str, *, key: str) -> VersionRow:
    """One of these, the latest by default; the address keeps which."""
    by_number = {one.number: one for one in versions}
    names = {number: f"Version {number}" for number in by_number}
    number = st.selectbox(
        label,
        list(by_number),
        format_func=lambda one: names.get(one, str(one)),
        key=key,
        bind="query-params",
        width=140,
    )
    return by_number[number]
