"""What somebody may do, chosen in a form: the role, and perhaps a single customer. For people and for keys."""

from collections.abc import Mapping

import streamlit as st

from billing_core.identity import Role
from pages.ui.signed_in import ROLE_NAMES

ROLES = list(Role)


def fields(customers: Mapping[int, str], *, key: str, bound: str) -> tuple[Role, int | None]:
    """``customers`` by id, as ``customer_names.offered`` has them; ``bound``: what being bound to one means here."""
    role = st.selectbox("Role", ROLES, format_func=lambda one: ROLE_NAMES[one], key=f"{key}_role")
    st.caption(
        "Finance reads everything. A manager also generates reports and exports. An administrator may do everything."
    )
    customer_id = st.selectbox(
        "Only this customer",
        [None, *customers],
        format_func=lambda one: "Every customer" if one is None else customers[one],
        key=f"{key}_customer",
        help=bound,
    )
    return role, customer_id
