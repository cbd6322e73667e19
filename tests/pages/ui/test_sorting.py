"""Columns as a browser sorts them: by their texts."""

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.dates import Period
from pages.ui import formats, sorting


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    """Of German: 1.000,00 and 30.11.2026."""
    monkeypatch.setattr(formats.st, "context", SimpleNamespace(locale="de-DE"))


def as_sorted(cells) -> list[str]:
    return [sorting.shown(text) for text in sorted(sorting.sortable(cells))]


def test_amounts_stand_by_their_value_however_large_and_by_currency_first():
    yen, huge = formats.amount(7, "JPY"), formats.amount(2**53 + 1, "EUR")
    cells = [yen, huge, formats.amount(100_000, "EUR"), formats.amount(9_900, "EUR"), formats.amount(-500, "EUR")]
    assert as_sorted(cells) == ["-5,00", "99,00", "1.000,00", "90.071.992.547.409,93", "7"]
    below = formats.amount(2**53, "EUR")
    assert as_sorted([huge, below]) == ["90.071.992.547.409,92", "90.071.992.547.409,93"]


def test_what_is_made_of_an_amount_stands_where_the_amount_does():
    cells = [formats.money(100_000, "EUR"), formats.money(9_900, "EUR")]
    assert as_sorted(cells) == [cells[1], cells[0]]
    cells = [formats.change(100_000, "EUR"), formats.change(9_900, "EUR"), formats.change(-1, "EUR")]
    assert as_sorted(cells) == ["-0,01", "+99,00", "+1.000,00"]
    cells = [formats.price(Decimal("10.5"), "EUR"), formats.price(Decimal("9.125"), "EUR")]
    assert as_sorted(cells) == ["9,125", "10,50"]


def test_quantities_counts_and_shares_stand_by_their_value():
    assert as_sorted([formats.decimal(Decimal(one)) for one in ("1000", "99.5", "100")]) == ["99,5", "100", "1.000"]
    assert as_sorted([formats.counted(one, "order") for one in (1000, 1, 20)]) == [
        "1 order",
        "20 orders",
        "1.000 orders",
    ]
    assert as_sorted([10, 9, Decimal("9.5")]) == ["9", "9.5", "10"]
    assert as_sorted([formats.percent_change(*one) for one in ((300, 100), (109, 100))]) == ["+9,0%", "+200,0%"]


def test_days_and_periods_stand_in_the_order_of_time():
    days = [date(2026, 11, 30), date(2027, 1, 2), date(2026, 12, 1)]
    assert as_sorted([formats.day(one) for one in days]) == ["30.11.2026", "01.12.2026", "02.01.2027"]
    moments = [datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 11, 30, 19, tzinfo=UTC)]
    assert as_sorted([formats.instant(one, "UTC") for one in moments]) == ["30.11.2026, 19:00", "01.12.2026, 08:00"]
    months = [Period.month_of(date(2026, month, 1)) for month in (4, 1, 12)]
    assert as_sorted([formats.period(one) for one in months]) == ["Januar 2026", "April 2026", "Dezember 2026"]


def test_names_and_numbers_stand_as_in_our_lists_and_what_is_empty_last():
    cells = ["INV-10", "", "Zebra", "inv-9", formats.NOTHING, None, "Äpfel", "Apfel"]
    assert as_sorted(cells) == ["Apfel", "Äpfel", "inv-9", "INV-10", "Zebra", "", formats.NOTHING, formats.NOTHING]
    assert as_sorted(["", formats.amount(5, "EUR"), "Not known"]) == ["0,05", "Not known", ""]


@given(st.lists(st.integers(-(10**18), 10**18), max_size=30))
def test_any_amounts_are_sorted_and_shown_as_they_were(amounts):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(formats.st, "context", SimpleNamespace(locale="en-US"))
        assert as_sorted([formats.amount(one, "USD") for one in amounts]) == [
            str(formats.amount(one, "USD")) for one in sorted(amounts)
        ]
