"""Pressing a button in a table's row, clicking one and ticking one, which AppTest leaves out."""

import json

from streamlit.proto.Common_pb2 import StringTriggerValue
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest


def press(page: AppTest, column: str, *, row: int, table: int = 0) -> AppTest:
    """Press the button of that column in that row, of the page's first table or another one."""
    drawn = page.dataframe[table]
    label = drawn.value[column].iloc[row]
    assert label, f"no button in row {row} of {column}"
    pressed = WidgetState(
        id=drawn.proto.button_click_widgets[column],
        string_trigger_value=StringTriggerValue(data=json.dumps({"row": row, "label": label})),
    )
    return page._run(WidgetStates(widgets=[*page._tree.get_widget_states().widgets, pressed]))


def tick(page: AppTest, *, row: int, table: int = 0) -> AppTest:
    """Tick that row of the page's first table or another one."""
    return _select(page, table, rows=[row])


def click(page: AppTest, column: str, *, row: int, table: int = 0) -> AppTest:
    """Click the cell of that column in that row."""
    return _select(page, table, cells=[[row, column]])


def _select(page: AppTest, table: int, **chosen: list[object]) -> AppTest:
    selection = {"selection": {"rows": [], "columns": [], "cells": [], **chosen}}
    selected = WidgetState(id=page.dataframe[table].proto.id, string_value=json.dumps(selection))
    return page._run(WidgetStates(widgets=[*page._tree.get_widget_states().widgets, selected]))
