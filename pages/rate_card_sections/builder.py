"""A condition built from rows and groups, with what it says in words beside it. Nobody types JSON.

The tree under construction lives in the session: groups ``{"id", "word", "members"}`` and rows
``{"id", "field", "op", "value"}``. Ids give each widget a key that survives adding and removing.
"""

from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any

import streamlit as st

from billing_core.errors import Invalid
from billing_core.rating.conditions import FIELDS, GROUPS, LISTS, OPERATORS, Kind, group, parse
from billing_core.rating.meaning import FIELD_WORDS, describe, operator_words
from pages.ui import formats
from pages.ui.inputs import number_input
from pages.ui.text import md

DEEPEST = 3
GROUP_WORDS = {
    "all": "All of these hold",
    "any": "At least one of these holds",
    "none": "None of these holds",
    "one": "Exactly one of these holds",
}

Node = dict[str, Any]


def draw(key: str, condition: dict[str, Any] | None) -> dict[str, Any] | None:
    """The builder, filled from a stored condition; returns the condition as it stands, or None for always."""
    if key not in st.session_state:
        numbers = count()
        st.session_state[key] = {"root": _node(condition or {"all": []}, numbers), "next": next(numbers)}
    state = st.session_state[key]
    _group(key, state, state["root"], parent=None, depth=1)
    built = _condition(state["root"])
    _say(built)
    return built


def _say(built: dict[str, Any] | None) -> None:
    try:
        parsed = parse(built)
    except Invalid as error:
        reasons = "; ".join(error.fields.values())
        st.caption(f":material/edit_note: Not complete yet: {md(formats.with_days(reasons))}")
        return
    words = formats.sentence(describe(parsed, number=formats.decimal))
    st.caption(f":material/rule: Applies: **{md(words)}**")


def _node(condition: dict[str, Any], numbers: "count[int]") -> Node:
    if "field" in condition:
        value = condition["value"]
        if FIELDS[condition["field"]] is Kind.NUMBER:
            listed = value if isinstance(value, list) else [value]
            value = [number_input.written(Decimal(one), formats.locale()) for one in listed]
        text = "; ".join(value) if isinstance(value, list) else value
        return {"id": next(numbers), "field": condition["field"], "op": condition["op"], "value": text}
    word, members = group(condition)
    return {"id": next(numbers), "word": word, "members": [_node(member, numbers) for member in members]}


def _condition(node: Node) -> dict[str, Any] | None:
    """The tree as ``conditions.parse`` takes it; None for an empty outermost group."""
    if "field" in node:
        read = _plain if FIELDS[node["field"]] is Kind.NUMBER else str
        listed = [read(part.strip()) for part in node["value"].split(";") if part.strip()]
        value = listed if node["op"] in LISTS else read(node["value"])
        return {"field": node["field"], "op": node["op"], "value": value}
    members = [_condition(member) or {"all": []} for member in node["members"]]
    return {node["word"]: members} if members or node["id"] else None


def _plain(text: str) -> str:
    """A number as conditions are stored; as it was typed where it is none, which ``parse`` then says."""
    try:
        return f"{number_input.number(text, formats.locale()):f}"
    except ValueError:
        return text


def _group(key: str, state: Node, node: Node, *, parent: Node | None, depth: int) -> None:
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            node["word"] = st.selectbox(
                "Group",
                GROUPS,
                index=GROUPS.index(node["word"]),
                format_func=GROUP_WORDS.__getitem__,
                key=f"{key}_{node['id']}_word",
                label_visibility="collapsed",
                width=250,
            )
            st.button(
                "Comparison",
                icon=":material/add:",
                key=f"{key}_{node['id']}_add",
                help="Add a comparison to this group",
                on_click=partial(_add, state, node, nested=False),
            )
            if depth < DEEPEST:
                st.button(
                    "Group",
                    icon=":material/account_tree:",
                    key=f"{key}_{node['id']}_nest",
                    help="Add a group inside this group",
                    on_click=partial(_add, state, node, nested=True),
                )
            if parent is not None:
                _remover(key, parent, node, "Remove this group")
        if not node["members"]:
            st.caption(
                "Nothing to check yet: without comparisons the rate always applies." if parent is None else "Empty"
            )
        for member in list(node["members"]):
            if "field" in member:
                _row(key, node, member)
            else:
                _group(key, state, member, parent=node, depth=depth + 1)


def _row(key: str, parent: Node, node: Node) -> None:
    names = list(FIELDS)
    prefix = f"{key}_{node['id']}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        node["field"] = st.selectbox(
            "Field",
            names,
            index=names.index(node["field"]),
            format_func=lambda name: formats.sentence(FIELD_WORDS[name]),
            key=f"{prefix}_field",
            label_visibility="collapsed",
            width=170,
        )
        operators = OPERATORS[FIELDS[node["field"]]]
        if node["op"] not in operators:
            node["op"] = operators[0]
        node["op"] = st.selectbox(
            "Comparison",
            operators,
            index=operators.index(node["op"]),
            format_func=lambda op: operator_words(node["field"])[op],
            # Another kind of field has other operators: a widget of its own.
            key=f"{prefix}_op_{node['field']}",
            label_visibility="collapsed",
            width=210,
        )
        node["value"] = (
            st.text_input(
                "Value",
                node["value"],
                key=f"{prefix}_value",
                label_visibility="collapsed",
                placeholder="Several, separated by ;" if node["op"] in LISTS else "Value",
                max_chars=2_000,
                width=220,
            )
            or ""
        )
        _remover(key, parent, node, "Remove this comparison")


def _remover(key: str, parent: Node, node: Node, what: str) -> None:
    st.button(
        "Remove",
        icon=":material/delete:",
        key=f"{key}_{node['id']}_remove",
        type="tertiary",
        help=what,
        on_click=partial(_remove, parent, node),
    )


def _add(state: Node, node: Node, *, nested: bool) -> None:
    state["next"] += 1
    fresh: Node = {"id": state["next"]}
    node["members"].append(
        fresh | ({"word": "any", "members": []} if nested else {"field": "ship_to_country", "op": "eq", "value": ""})
    )


def _remove(parent: Node, node: Node) -> None:
    parent["members"] = [member for member in parent["members"] if member["id"] != node["id"]]
