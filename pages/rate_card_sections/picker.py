"""Finding one customer among very many: the search runs in SQL and offers the first matches."""

import streamlit as st

from billing_core.customers import queries as customers
from pages.rate_card_sections import rate
from pages.ui import address, opened
from pages.ui.inputs import filters
from pages.ui.reads import Reader

MOST_OFFERED = 50
CHOSEN = "rate_card_customer"


def draw(read: Reader) -> int | None:
    """The customer that the address names, as links from other pages do, or None."""
    named = address.one("customer", "customer")
    chosen = _known(read, named)
    if named and chosen is None:
        address.missing("customer", "customer")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find a customer",
            key="customer_search",
            type="search",
            placeholder="Name, key, e-mail or city",
            width=280,
        )
        names = matches(read, text or "")
        match_count = len(names)
        if chosen is not None and chosen[0] not in names:
            names = {chosen[0]: chosen[1], **names}
        st.session_state[CHOSEN] = chosen[0] if chosen else None
        customer_id = st.selectbox(
            "Customer",
            list(names),
            index=None,
            key=CHOSEN,
            format_func=lambda identity: names.get(identity, str(identity)),
            placeholder=_invitation(match_count, text or ""),
            on_change=_choose,
            width=420,
        )
    if match_count == MOST_OFFERED:
        st.caption(f"The first {MOST_OFFERED} by name are offered; search to find others.")
    return customer_id


def matches(read: Reader, text: str, *, but: int | None = None) -> dict[int, str]:
    """The names of the first customers that match, by id."""
    rows = read(customers.names, text=text.strip(), limit=MOST_OFFERED)
    return filters.distinct([(identity, name) for identity, name, _ in rows if identity != but])


def _known(read: Reader, text: str) -> tuple[int, str] | None:
    customer_id = opened.parsed(text)
    name = None if customer_id is None else read(customers.name_of, customer_id)
    return None if customer_id is None or name is None else (customer_id, name)


def _invitation(match_count: int, text: str) -> str:
    if match_count:
        return "Choose a customer"
    return "No customer matches" if text.strip() else "There are no customers yet: import them first"


def _choose() -> None:
    rate.close()
    chosen = st.session_state[CHOSEN]
    if chosen is None:
        st.query_params.pop("customer", None)
    else:
        st.query_params["customer"] = str(chosen)
