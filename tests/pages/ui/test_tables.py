"""Tables: what their buttons do."""

import json

from streamlit.testing.v1 import AppTest

from tests.pages.pressing import press, tick


def a_table() -> None:
    import streamlit as st

    from pages.ui import tables

    def opened(row: str) -> None:
        st.session_state["opened"] = row

    buttons = tables.button("Open", lambda row: None if row == "closed" else f"Open {row}", opens=opened)
    named = tables.button("Bill", lambda row: f":material/open_in_new: {len(row)}", opens=opened)
    tables.show(["this", "that", "closed"], [tables.computed("What", str), buttons, named], key="things", alt="Things")


def a_table_of_amounts() -> None:
    from pages.ui import tables

    amounts = [tables.computed(label, str, right=True, width=width) for label, width in (("A", None), ("Wide", 60))]
    rows = ["1.00"] * 40 + ["1,234,567.25"]
    tables.show(rows, [*amounts, tables.computed("Text", str)], key="few", alt="Amounts")


def pages_of_something() -> None:
    import streamlit as st

    from pages.ui import tables

    st.text(tables.pager(30, key="things_page", noun="thing", size=10, of=st.session_state.get("opened")))


def test_the_rows_of_another_thing_begin_at_their_first_page():
    page = AppTest.from_function(pages_of_something, default_timeout=300)
    page.session_state["opened"], page.session_state["things_page"] = 1, 3
    # As where an address names the page.
    assert page.run().text[0].value == "20"
    assert page.run().text[0].value == "20"
    page.session_state["opened"] = 2
    assert page.run().text[0].value == "0"


def test_a_button_opens_its_own_row():
    page = AppTest.from_function(a_table, default_timeout=300).run()
    assert list(page.dataframe[0].value["Open"])[:2] == ["Open this", "Open that"]
    assert "opened" not in page.session_state

    press(page, "Open", row=1)
    assert page.session_state["opened"] == "that"


def test_no_amount_is_cut_off_however_far_below_it_stands():
    """A digit takes 7 pixels, what separates them 4, and 16 are around it: 91 for 1,234,567.25."""
    page = AppTest.from_function(a_table_of_amounts, default_timeout=300).run()
    columns = json.loads(page.dataframe[0].proto.columns)
    assert {label: column.get("width") for label, column in columns.items() if label in ("A", "Wide", "Text")} == {
        "A": 91,
        "Wide": 91,
        "Text": None,
    }


def test_a_row_may_have_none():
    page = AppTest.from_function(a_table, default_timeout=300).run()
    assert page.dataframe[0].value["Open"].isna().tolist() == [False, False, True]


def test_whoever_has_only_keys_ticks_a_row_and_presses_its_buttons_below():
    page = tick(AppTest.from_function(a_table, default_timeout=300).run(), row=1)
    assert [(button.label, button.proto.icon) for button in page.button] == [
        ("Open that", ""),
        ("Bill 4", ":material/open_in_new:"),
    ]

    page.button(key="things_Bill_of_ticked").click().run()
    assert page.session_state["opened"] == "that"


def test_a_ticked_row_without_a_button_offers_none():
    page = tick(AppTest.from_function(a_table, default_timeout=300).run(), row=2)
    assert [button.label for button in page.button] == ["Bill 6"]
