"""Lists that are read on from a place in them, without pages that are counted: where one is, the way on and back."""

from typing import Any

import streamlit as st


def place(key: str, of: object, default: Any) -> Any:
    """Where the list of this key is read from; ``default``, its beginning, once it is a list ``of`` something else:
    another organization, another month, other filters.
    """
    kept: tuple[object, Any] | None = st.session_state.get(_kept(key))
    return kept[1] if kept is not None and kept[0] == of else default


def buttons(key: str, of: object, *, following: Any, onward: str) -> None:
    """To the list's beginning where it is not read from there, and to ``following`` where that is not None."""
    if place(key, of, None) is not None:
        st.button(
            "From the beginning", icon=":material/first_page:", key=f"{key}_first", on_click=_go, args=(key, of, None)
        )
    if following is not None:
        st.button(onward, icon=":material/arrow_forward:", key=f"{key}_next", on_click=_go, args=(key, of, following))


def _go(key: str, of: object, where: Any) -> None:
    if where is None:
        st.session_state.pop(_kept(key), None)
    else:
        st.session_state[_kept(key)] = (of, where)


def _kept(key: str) -> str:
    return f"{key}_read_from"
