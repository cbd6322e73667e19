"""The days of a column: day or month first as its cells prove, asked about, or refused."""

from collections.abc import Iterable
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core.imports import cells
from billing_core.imports.cells import Unreadable
from billing_core.imports.writing.days import Days, Instants


def read(texts: Iterable[str], *readings: str, zone: str = "Europe/Berlin") -> tuple[list[date | str], list]:
    """Each cell's day, or why it has none, and what is asked; as a file is read."""
    column, texts = Days(readings, zone), list(texts)
    while True:
        found: list[date | str] = []
        for text in texts:
            try:
                found.append(cells.day(column.read(text)))
            except Unreadable as reason:
                found.append(str(reason))
            if column.misread:
                break
        if not column.misread and not column.at_odds:
            return found, column.questions("order_date", "Date")
        column.again()


def days(*texts: str) -> tuple[list[date], list]:
    return list(map(date.fromisoformat, texts)), []


UNMISTAKABLE = {
    "2025-03-04": "2025-03-04",
    "1996-07-04 00:00:00.000": "1996-07-04",
    "2025-03-04T23:59": "2025-03-04",
    "20250304": "2025-03-04",
    "2025/3/4": "2025-03-04",
    "4.3.2025": "2025-03-04",
    "4. 3. 2025": "2025-03-04",
    "04.03.25": "2025-03-04",
    "31.12.99": "1999-12-31",
    "04.03.2025 12:00:00": "2025-03-04",
    "25/12/2025": "2025-12-25",
    "12/25/2025": "2025-12-25",
    "03/03/2025": "2025-03-03",
    "2024-02-29": "2024-02-29",
    "4 March 2025": "2025-03-04",
    "March 4th, 2025": "2025-03-04",
    "Mar 4, 2025 11:05 PM": "2025-03-04",
    "04-MAR-2025": "2025-03-04",
    "4-Mar-25": "2025-03-04",
    "4. März 2025": "2025-03-04",
    "Dienstag, 4. März 2025": "2025-03-04",
    "le 4 mars 2025": "2025-03-04",
    "1er août 2025": "2025-08-01",
    "4 de marzo de 2025": "2025-03-04",
    "2025-Dez-31": "2025-12-31",
    "Tue, 04 Mar 2025 10:00:00 +0000": "2025-03-04",
    "12/31/2025 12:30 AM": "2025-12-31",
    "2025-03-04 10:00 UTC": "2025-03-04",
    "2025-03-04 10:00 EET": "2025-03-04",
    "04.03.2025 10:00 Uhr": "2025-03-04",
}
NONE = {
    "2025-02-29": "is not a day of the calendar",
    "31.11.2025": "is not a day of the calendar",
    "2025-03-04 25:00": "is not a day of the calendar",
    "2025-03-04 13:00 PM": "is not a day of the calendar",
    "1899-12-31": "lies outside the years 1900 to 2199",
    "tomorrow": "is not a date such as “2025-03-31”",
    "not 4 March 2025": "is not a date such as “2025-03-31”",
    "4 Foo 2025": "is not a date such as “2025-03-31”",
    "0000-00-00": "is not a day of the calendar",
    "2025-03-04 10:00 XYZ": "names a time zone that is not known, XYZ: write its offset, such as +01:00",
    "4.3.": "is not a date such as “2025-03-31”",
    "12345678901": "is not a date such as “2025-03-31”",
}


@pytest.mark.parametrize(("cell", "day"), UNMISTAKABLE.items())
def test_a_cell_that_can_mean_one_day_alone_is_that(cell, day):
    assert read([cell]) == days(day)


@pytest.mark.parametrize(("cell", "reason"), NONE.items())
def test_what_is_no_day_says_why(cell, reason):
    assert read([cell]) == ([reason], [])


def test_the_other_cells_prove_whether_the_month_comes_first():
    assert read(["6/12/2018", "11/22/2019"]) == days("2018-06-12", "2019-11-22")
    assert read(["6/12/2018", "22/11/2019"]) == days("2018-12-06", "2019-11-22")
    assert read(["04.03.2019", "12.31.2019"]) == days("2019-04-03", "2019-12-31")


def test_what_nothing_proves_is_asked_with_an_example():
    _, (question,) = read(["03/03/2025", "03/04/2025"])
    assert question.text == "03/04/2025: 2025-04-03 (day first) or 2025-03-04 (month first)?"
    assert read(["03/04/2025"], "day-first") == days("2025-04-03")
    assert read(["03/04/2025"], "month-first") == days("2025-03-04")


def test_years_of_two_digits_may_come_first():
    _, (question,) = read(["25-03-04"])
    assert [choice.reading for choice in question.choices] == ["day-first", "year-first"]
    assert read(["25-03-04", "25-03-31"], "year-first") == days("2025-03-04", "2025-03-31")
    assert read(["25-03-04", "99-03-31"]) == days("2025-03-04", "1999-03-31")
    column = Days((), "UTC")
    column.read("04.03.25")
    assert column.notes("Date") == [
        "“Date” has years of two digits: they lie from 1969 to 2068, such as 04.03.25, which is 2025-03-04"
    ]


def test_cells_unlike_the_most_are_refused():
    found, asked = read(["25/12/2025", "26/12/2025", "12/27/2025"])
    assert found[:2] == [date(2025, 12, 25), date(2025, 12, 26)]
    assert found[2] == "is not a day of the calendar with the day first, as its column has"
    assert not asked


def test_whose_day_an_instant_counts_on_is_asked_once():
    # Half past eleven at night on the shop's last day of January is February in Berlin.
    cells_ = ["2025-01-31T23:30:00-05:00", "2025-01-15T10:00:00-05:00"]
    _, (question,) = read(cells_)
    assert question.text == (
        "2025-01-31T23:30:00-05:00: 2025-02-01 (our day, in Europe/Berlin) or "
        "2025-01-31 (the day where it was written)?"
    )
    assert read(cells_, "here") == days("2025-02-01", "2025-01-15")
    assert read(cells_, "there") == days("2025-01-31", "2025-01-15")
    # As long as it is the same day, nobody is asked.
    assert read(cells_[1:]) == days("2025-01-15")
    assert [q.text for q in read(["2025-01-31T23:30:00Z"])[1]]


def test_a_name_that_several_zones_share_is_asked_about_where_they_have_other_days():
    """22:00 six hours behind UTC is 05:00 of the next day in Berlin; eight hours ahead it is 15:00."""
    cells_ = ["2025-01-31 22:00:00 CST", "2025-01-15 10:00:00 CST"]
    _, (zone, whose) = read(cells_)
    assert zone.text == ("2025-01-31 22:00:00 CST: 2025-02-01 (CST of America) or 2025-01-31 (CST of China)?")
    assert [choice.reading for choice in zone.choices] == ["cst-america", "cst-china"]
    assert [choice.reading for choice in whose.choices] == ["here", "there"]
    assert read(cells_, "cst-china") == days("2025-01-31", "2025-01-15")
    assert read(cells_, "cst-america", "here") == days("2025-02-01", "2025-01-15")
    # Where the day that was written counts, it does not matter; nor where all have the same.
    assert read(cells_, "there") == days("2025-01-31", "2025-01-15")
    assert read(cells_[1:]) == days("2025-01-15")


@pytest.mark.parametrize(
    ("cell", "reading", "instant"),
    [
        ("2025-07-01 00:30:00 BST", "bst-britain", "2025-06-30 23:30:00.000000"),
        ("2025-07-01 00:30 BST", "bst-bangladesh", "2025-06-30 18:30:00.000000"),
        ("1 Jul 2025 00:30 IST", "ist-india", "2025-06-30 19:00:00.000000"),
        ("2025-07-01 12:30 AM CST", "cst-america", "2025-07-01 06:30:00.000000"),
        ("2025-07-01 12:30 AST", "ast-arabia", "2025-07-01 09:30:00.000000"),
    ],
)
def test_of_instants_a_shared_name_always_matters(cell, reading, instant):
    asked = Instants(())
    asked.read(cell)
    (question,) = asked.questions("time", "Time")
    assert reading in [choice.reading for choice in question.choices]
    assert cells.instant(Instants((reading,)).read(cell)) == instant


def test_instants_name_zones_behind_iso_times_too():
    assert cells.instant(Instants(()).read("2025-07-01 12:30:00 EST")) == "2025-07-01 17:30:00.000000"
    assert cells.instant(Instants(()).read("2025-07-01 12:30:00 PM")) == "2025-07-01 12:30:00.000000"


def test_day_numbers_of_a_spreadsheet_are_asked_about_and_never_assumed():
    _, (question,) = read(["45321", "45322.75"])
    assert question.text == (
        "45321: 2024-01-30 (days since 1900, as spreadsheets count) or 2028-01-31 (days since 1904)?"
    )
    assert read(["45321", "45322.75"], "serial") == days("2024-01-30", "2024-01-31")
    assert read(["45321"], "serial-1904") == days("2028-01-31")
    found, asked = read(["45321", "2024-01-30"])
    assert (found, asked) == (["is not a date such as “2025-03-31”", date(2024, 1, 30)], [])


def test_instants_are_read_as_days_are_and_stay_exact():
    column = Instants(())
    assert column.read("2024-02-15T10:00:00.123Z") == "2024-02-15T10:00:00.123Z"
    assert cells.instant(column.read("15.02.2024 10:00")) == "2024-02-15 10:00:00.000000"
    assert cells.instant(column.read("Feb 15, 2024 1:05:06.5 PM +0200")) == "2024-02-15 11:05:06.500000"
    with pytest.raises(Unreadable, match="must be a time such as"):
        column.read("15.02.2024")
    column.read("02/03/2024 10:00")
    (question,) = column.questions("time", "Time")
    assert [choice.reading for choice in question.choices] == ["day-first", "month-first"]


WAYS = (
    *("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%y-%m-%d"),
    *("%y/%m/%d", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%Y%m%d", "%m/%d/%Y %I:%M %p"),
)


@given(
    st.lists(st.dates(date(1980, 1, 1), date(2060, 12, 31)), min_size=1, max_size=6),
    st.sampled_from(WAYS),
)
@settings(max_examples=200)
def test_no_day_becomes_another_one(meant, way):
    found, asked = read(day.strftime(way) for day in meant)
    assert asked or found == meant
