"""The one thing that the address names: its id, its heading with a button that closes it, the way back and onwards."""

import streamlit as st

from pages.ui import address

# A 32-bit id, and a 64-bit one.
ID_DIGITS, LONG_ID_DIGITS = 9, 18


def parsed(text: str, *, digits: int = ID_DIGITS) -> int | None:
    """The id that this text is; None where it could be none."""
    return int(text) if text.isdecimal() and len(text) <= digits else None


def identity(parameter: str, noun: str, *, digits: int = ID_DIGITS) -> int | None:
    """The id that the address gives this parameter, if it gives one; what can be no id of such a thing is said."""
    word = address.one(parameter, noun)
    if not word:
        return None
    return parsed(word, digits=digits) or address.missing(parameter, noun)


def heading(title: str, parameter: str) -> None:
    """``title`` as Markdown, and beside it a button that takes the parameter out of the address."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(title, anchor=False, width="content")
        st.button(
            "Close",
            key=f"{parameter}_close",
            on_click=close,
            args=(parameter,),
            type="tertiary",
            icon=":material/close:",
        )


def back(label: str, parameter: str) -> None:
    """A button that leads to the list again."""
    st.button(label, icon=":material/arrow_back:", type="tertiary", on_click=close, args=(parameter,))


def close(parameter: str) -> None:
    st.query_params.pop(parameter, None)


def go_to(page: str) -> None:
    """To the page as such. Left to clear the address, Streamlit refuses where a filter or a tab is bound to it."""
    st.switch_page(page, query_params={})


def go_to_invoice(invoice_id: int) -> None:
    st.switch_page("invoice_editor.py", query_params={"invoice": str(invoice_id)})


def go_to_payment(payment_id: int) -> None:
    st.switch_page("payments.py", query_params={"payment": str(payment_id)})


def go_to_customer(customer_id: int, tab: str) -> None:
    st.switch_page("customers.py", query_params={"customer": str(customer_id), "customer_tab": tab})
