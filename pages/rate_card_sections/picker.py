"""Finding one customer among very many: the search runs in SQL and offers the first matches."""

import streamlit as st

from billing_core.customers import queries as customers
from pages.rate_card_sections import rate
from pages.ui.inputs import filters
from pages.ui.reads import Reader

MOST_OFFERED = 50
LONGEST_ID = 9
CHOSEN = "rate_card_customer"


def draw(read: Reader) -> int | None:
    """The customer that the address names, as links from other pages do, or None."""
    wanted = st.query_params.get("customer", "")
    chosen = _known(read, wanted)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search a customer",
            key="customer_search",
            type="search",
            placeholder="Name, key, e-mail or city",
            width=280,
        )
        names = matches(read, text or "")
        found = len(names)
        if chosen is not None and chosen[0] not in names:
            names = {chosen[0]: chosen[1], **names}
        st.session_state[CHOSEN] = chosen[0] if chosen else None
        customer_id = st.selectbox(
            "Customer",
            list(names),
            index=None,
            key=CHOSEN,
            format_func=lambda identity: names.get(identity, str(identity)),
            placeholder=_invitation(found, text or ""),
            on_change=_choose,
            width=420,
        )
    if found == MOST_OFFERED:
        st.caption(f"The first {MOST_OFFERED} by name are offered; search to find others.")
    return customer_id


def matches(read: Reader, text: str, *, but: int | None = None) -> dict[int, str]:
    """The names of the first customers that match, by id."""
    found = read(customers.names, text=text.strip(), limit=MOST_OFFERED)
    return filters.distinct([(identity, name) for identity, name, _ in found if identity != but])


def _known(read: Reader, wanted: str) -> tuple[int, str] | None:
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= LONGEST_ID):
        return None
    name = read(customers.name_of, int(wanted))
    return None if name is None else (int(wanted), name)


def _invitation(found: int, text: str) -> str:
    if found:
        return "Choose a customer"
    return "No customer matches" if text.strip() else "There are no customers yet: import them first"


def _choose() -> None:
    rate.close()
    chosen = st.session_state[CHOSEN]
    if chosen is None:
        st.query_params.pop("customer", None)
    else:
        st.query_params["customer"] = str(chosen)
