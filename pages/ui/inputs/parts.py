"""The parts of a page, of which one is open: the address says which."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st
from streamlit.elements.lib.mutable_tab_container import TabContainer

from pages.ui import address


def tabs(names: Sequence[str], *, key: str) -> dict[str, TabContainer]:
    """Tabs by their names, the first open where the address names none."""
    address.read(key, "Tab", partial(address.called, {name: name for name in names}), names[0])
    drawn = dict(zip(names, st.tabs(names, key=key, bind="query-params"), strict=True))
    address.stop_in_doubt()
    return drawn


def one_of(label: str, names: Mapping[Any, str], *, key: str, width: int) -> Any:
    """One of these, the first where the address names none."""
    address.read(key, label, partial(address.called, names), next(iter(names)), sets=True)
    return st.selectbox(
        label,
        list(names),
        format_func=lambda one: names.get(one, str(one)),
        key=key,
        bind="query-params",
        width=width,
    )
