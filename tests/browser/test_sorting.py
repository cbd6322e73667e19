"""A click on the head of a table, in a real browser."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PROJECT, TIMEOUT_MS

expect.set_options(timeout=TIMEOUT_MS)

# Beside each other the same texts by Streamlit alone.
TABLES = """
from datetime import date

import pandas as pd
import streamlit as st

from billing_core.dates import Period
from pages.ui import formats, tables

ROWS = [
    ("INV-10", Period(date(2026, 4, 1), date(2026, 4, 30)), 100_000, "EUR"),
    ("inv-9 ", Period(date(2026, 1, 1), date(2026, 1, 31)), 9_900, "EUR"),
    ("", Period(date(2025, 12, 1), date(2025, 12, 31)), None, "USD"),
    ("Äpfel", Period(date(2026, 12, 1), date(2026, 12, 31)), 5, "USD"),
    ("Zebra", Period(date(2026, 2, 1), date(2026, 2, 28)), 2**53 + 1, "EUR"),
]


def amount(row):
    return formats.NOTHING if row[2] is None else formats.amount(row[2], row[3])


COLUMNS = [
    tables.computed("Number", lambda row: row[0], width=100),
    tables.computed("Period", lambda row: formats.period(row[1]), width=150),
    tables.computed("Amount", amount, right=True, width=200),
    tables.computed("Currency", lambda row: row[3], width=100),
]
tables.show(ROWS, COLUMNS, key="ours", alt="Ours")
texts = {column.label: [str(column.cell(row)) for row in ROWS] for column in COLUMNS}
look = {column.label: column.config for column in COLUMNS}
st.dataframe(pd.DataFrame(texts), column_config=look, hide_index=True, height="content", alt="Plain")
"""
# In pixels, in the window that the fixture opens: the columns share its width.
MIDDLES = {"Number": 60, "Period": 220, "Amount": 440, "Currency": 640}


@pytest.fixture
def served(tmp_path: Path, page: Page) -> Iterator[Page]:
    script = tmp_path / "tables.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(PROJECT)!r})\n{TABLES}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        page.goto(f"http://localhost:{port}")
        expect(rows(page.get_by_role("region", name="Plain"))).to_have_count(6)
        yield page
    finally:
        server.kill()
        server.wait()


def wait_for(port: int) -> None:
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("the tables were not served")


def rows(table: Locator) -> Locator:
    """What the canvas shows stands inside it as a plain table for screen readers."""
    return table.locator("canvas tr")


def column(table: Locator, name: str) -> list[str]:
    """Its cells from above, as they are read out."""
    heads, *cells = [row.locator("td, th").all_text_contents() for row in rows(table).all()]
    place = next(place for place, head in enumerate(heads) if head.lstrip("↑↓ ") == name)
    return [cell[place].replace("\N{ZERO WIDTH SPACE}", "").strip() for cell in cells]


def click_head(table: Locator, name: str) -> None:
    """With the mouse: a toolbar, which comes with it, may lie over the corner."""
    box = table.bounding_box()
    assert box is not None
    table.page.mouse.click(box["x"] + MIDDLES[name], box["y"] + 15)


def ink(table: Locator) -> int:
    """How many pixels are dark."""
    drawn = Image.open(BytesIO(table.locator("canvas").first.screenshot())).convert("L")
    return sum(drawn.histogram()[:128])


@pytest.mark.later
def test_a_click_on_a_head_sorts_by_what_the_cells_say(served):
    ours, plain = (served.get_by_role("region", name=name, exact=True) for name in ("Ours", "Plain"))
    served.mouse.move(1400, 900)
    assert ink(ours) == pytest.approx(ink(plain), rel=0.1)

    expected = {
        "Number": ["Äpfel", "inv-9", "INV-10", "Zebra", ""],
        "Period": ["December 2025", "January 2026", "February 2026", "April 2026", "December 2026"],
        "Amount": ["99.00", "1,000.00", "90,071,992,547,409.93", "0.05", "–"],
        "Currency": ["EUR", "EUR", "EUR", "USD", "USD"],
    }
    for name, cells in expected.items():
        click_head(ours, name)
        expect(rows(ours).first.get_by_text(f"↑ {name}")).to_be_attached()
        assert column(ours, name) == cells
    click_head(ours, "Currency")
    expect(rows(ours).first.get_by_text("↓ Currency")).to_be_attached()
    assert column(ours, "Currency") == expected["Currency"][::-1]
