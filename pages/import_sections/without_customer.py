"""Orders of a file that name no customer: whose they are."""

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.identity import Actor
from billing_core.imports import Kind, inbox
from billing_core.imports.layouts import without_customer
from billing_core.imports.mapping import FromColumns
from billing_core.imports.received import Received
from pages.ui import formats
from pages.ui.context import attempt
from pages.ui.inputs import customer_names
from pages.ui.reads import Reader
from pages.ui.text import md


def draw(actor: Actor, received: Received) -> None:
    """Nothing is drawn where all orders name one, as far as is known."""
    if received.kind is not Kind.ORDERS or not isinstance(received.mapping.get("customer_ref"), FromColumns):
        return
    owner = without_customer.owner(received.mapping)
    groups = received.outcome.groups if received.outcome else []
    lacking = any(group.field == "customer_ref" and group.reason == "is empty" for group in groups)
    if not owner and not lacking:
        return
    read = Reader(actor)
    said, chosen = _chosen(read, received, owner)
    _told(received)
    if chosen != said and not received.busy:
        ref = "" if chosen is None else read(customers.one, chosen).ref
        with attempt(f"{received.file_name}: check it again with the orders without a customer") as session:
            inbox.choose_owner(session, actor, received.token, ref)


def _chosen(read: Reader, received: Received, owner: str) -> tuple[int | None, int | None]:
    """The ids of who was said before, and of who is chosen now."""
    key = f"import_{received.token}_owner"
    said = read.plain(without_customer.id_of, owner) if owner else None
    if st.session_state.get(f"{key}_said") != owner or key not in st.session_state:
        # Also where it was said by another control, or for an earlier file of its layout.
        st.session_state[key], st.session_state[f"{key}_said"] = said, owner
    names = customer_names.offered(read, key=key, active_only=True)
    if said is not None and said not in names:
        names = {said: read(customers.name_of, said) or owner, **names}
    chosen = st.selectbox(
        "Orders without a customer belong to",
        list(names),
        index=None,
        format_func=lambda one: names.get(one, str(one)),
        placeholder=f"“{owner}” is no customer" if owner and said is None else "Choose a customer",
        key=key,
        disabled=received.busy,
        width=320,
        help="Such as one for all sales at the till. It is remembered with the columns of the file. Without it, "
        "such orders are rejected.",
    )
    return said, chosen


def _told(received: Received) -> None:
    for word in received.outcome.read if received.outcome else ():
        if word.field == "customer_ref" and not word.word:
            verb = "order without a customer belongs" if word.rows == 1 else "orders without a customer belong"
            st.info(f"{formats.count(word.rows)} {verb} to {md(word.ours)}", icon=":material/person:")
