"""Tables: what their buttons do."""

from streamlit.testing.v1 import AppTest

from tests.pages.pressing import press


def a_table() -> None:
    import streamlit as st

    from pages.ui import tables

    def opened(row: str) -> None:
        st.session_state["opened"] = row

    buttons = tables.button("Open", lambda row: None if row == "closed" else f"Open {row}", opens=opened)
    tables.show(["this", "that", "closed"], [tables.computed("What", str), buttons], key="things", alt="Things")


def test_a_button_opens_its_own_row():
    page = AppTest.from_function(a_table).run()
    assert list(page.dataframe[0].value["Open"])[:2] == ["Open this", "Open that"]
    assert "opened" not in page.session_state

    press(page, "Open", row=1)
    assert page.session_state["opened"] == "that"


def test_a_row_may_have_none():
    page = AppTest.from_function(a_table).run()
    assert page.dataframe[0].value["Open"].isna().tolist() == [False, False, True]
