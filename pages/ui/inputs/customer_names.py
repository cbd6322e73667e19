"""Choosing customers by name, however many there are."""

import re

import streamlit as st

from billing_core.customers import queries as customers
from pages.ui import address
from pages.ui.inputs import filters
from pages.ui.reads import Reader

MOST_OFFERED = 1_000
_NUMBERED = re.compile(r"\(([0-9]{1,9})\)$")


def offered(read: Reader, *, key: str, active_only: bool = False) -> dict[int, str]:
    """The names, by id, for the picker of this key; ``active_only``: where something new begins.

    All customers; or, where a list of them would be too long, those that a search finds (its field is drawn here)
    and those chosen before.
    """
    rows = read(customers.names, active_only=active_only, limit=MOST_OFFERED + 1)
    if len(rows) <= MOST_OFFERED:
        return filters.distinct([(identity, name) for identity, name, _ in rows])
    text = st.text_input(
        "Find customers", key=f"{key}_search", type="search", placeholder="Name, key, e-mail or city", width=200
    )
    found = read(customers.names, text=text or "", active_only=active_only, limit=MOST_OFFERED)
    names = {identity: name for identity, name, _ in found}
    for identity in _chosen(key):
        if identity not in names and (name := read(customers.name_of, identity)):
            names[identity] = name
    # With its number each name is one of a kind and stays the same, whatever else the search finds.
    return {identity: f"{name} ({identity})" for identity, name in names.items()}


def filter_by(read: Reader, *, key: str, page_key: str) -> int | None:
    """A filter of a list: one customer's id, or None for all."""
    names = offered(read, key=key)
    return filters.one_of("Customer", names, key=key, page_key=page_key, every="All customers", width=150)


def _chosen(key: str) -> list[int]:
    """Who is chosen: in this visit, or by the address that led here."""
    chosen = st.session_state.get(key)
    here = chosen if isinstance(chosen, list) else [chosen] if isinstance(chosen, int) else []
    given = address.words(key) if address.knows(key) else ()
    linked = [match[1] for label in given if (match := _NUMBERED.search(label))]
    return [*here, *map(int, linked)]
