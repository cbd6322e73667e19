"""Cells of usage that are read many at once: they become what each becomes by itself, and the same ones are refused."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.imports import Kind, cells
from billing_core.imports.kind import Setting
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import from_column
from billing_core.imports.reading import Reader, read_batch
from billing_core.imports.sources import Batch, Layout
from billing_core.imports.words.answers import Tally

FIELDS = DEFINITIONS[Kind.USAGE].fields
NAMES = tuple(field.name for field in FIELDS)
LAYOUT = Layout(NAMES, ",")
MAPPING = {name: from_column(name) for name in NAMES}
SETTING = Setting(1, "USD", "UTC", datetime(2026, 3, 20, tzinfo=UTC))

SPACES = st.sampled_from(["", "", "", " ", "\t", "\u00a0", "\u2003", "\n"])
MOMENTS = st.datetimes(datetime.fromisoformat("1999-12-30"), datetime.fromisoformat("2026-03-30"))
OFFSETS = st.sampled_from(["", "Z", "z", "+00:00", "-00:00", "+0000", "+02:00", "-11:30", "+00:00Z", "Z+00:00"])
ODD_TIMES = (
    "2026-02-29T10:00:00Z 2024-02-29T10:00:00Z 2026-03-10T24:00:00Z 2026-03-10T10:00:60Z 2026-03-10 20260310T100000Z"
    " 2026-W11-2T10:00:00Z 2026-03-10T10:00Z 2026-03-10T10:00:00,5Z 2026-03-10T10:00:00.Z 2026-03-10T10:00:00.1234567Z"
    " 2000-01-01T00:00:00Z 1999-12-31T23:59:59.999999Z 0000-01-01T00:00:00Z 9999-12-31T23:59:59Z 2026-03-10t10:00:00Z"
    " ٢٠٢٦-03-10T10:00:00Z never 2026-03-10_10:00:00Z 2026-03-10T10:00:00+00:0 +00:00 Z"
).split()


def told(moment, gap, fraction, offset):
    return f"{moment:%Y-%m-%d}{gap}{moment:%H:%M:%S}{fraction}{offset}"


USUAL_TIMES = st.builds(
    told,
    st.datetimes(datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2030-01-01")),
    st.sampled_from("T "),
    st.from_regex(r"(\.[0-9]{1,6})?", fullmatch=True),
    st.sampled_from(["", "Z", "+00:00"]),
)
TIMES = st.one_of(
    USUAL_TIMES,
    st.builds(told, MOMENTS, st.sampled_from(["T", " ", "t", "  "]), st.sampled_from(["", ".5", ".000001"]), OFFSETS),
    st.sampled_from(ODD_TIMES),
    st.builds("{}\n{}".format, USUAL_TIMES, USUAL_TIMES),
)
TEXTS = st.one_of(
    st.text(alphabet="ab1-_/é字 ", max_size=6),
    st.text(max_size=4),
    st.sampled_from(
        ["x" * 255, "x" * 256, "x" * 500, "x" * 501, "a\x00b", "a\nb", "a\u00a0b", "\ud800", "a\x7f", "🙂"]
    ),
)
NUMBERS = st.sampled_from(
    ["", " ", "0", "1.5", "0.42", "-1", "1e3", "NaN", "1,5", "0.0000001", "86400.1", "1000000001"]
)
COLUMNS = (TEXTS, TEXTS, TIMES, TEXTS, TEXTS, TEXTS, NUMBERS, NUMBERS)
CELLS = [st.builds("{1}{0}{1}".format, column, SPACES) for column in COLUMNS]
ROWS = st.lists(st.one_of(st.tuples(*CELLS).map(list), st.lists(TEXTS, max_size=9)), max_size=8)


def read(rows, fields):
    readers = [Reader(field, LAYOUT, MAPPING, SETTING) for field in fields]
    lines, columns, refused = read_batch(Batch(range(2, len(rows) + 2), rows), readers, LAYOUT, Tally())
    return list(zip(lines, *columns, strict=True)), refused


@given(ROWS)
def test_rows_are_read_and_refused_as_if_each_cell_were_read_by_itself(rows):
    by_itself = [replace(field, together=None) for field in FIELDS]
    assert read(rows, FIELDS) == read(rows, by_itself)


@given(st.lists(TIMES, min_size=1, max_size=4))
def test_times_are_read_together_as_they_are_read_alone(times):
    found = cells.instants(times)
    assert found is None or found == [cells.instant(time) for time in times]


@given(st.lists(USUAL_TIMES, min_size=1, max_size=4))
def test_usual_times_are_read_together(times):
    assert cells.instants(times) == [cells.instant(time) for time in times]


@given(st.lists(TEXTS, max_size=4))
@pytest.mark.parametrize("filled", [True, False])
def test_texts_are_read_together_as_they_are_read_alone(filled, texts):
    found = cells.event_names("user", filled=filled)(texts)
    name = cells.event_name("user")
    assert found is None or found == [name(text) if text.strip() else "" for text in texts]
    assert found is None or not filled or "" not in found


def test_usual_texts_are_read_together():
    assert cells.event_names("id", filled=True)([" 1", "é字 ", "x" * 255]) == ["1", "é字", "x" * 255]
    assert cells.event_names("user")(["", " ana "]) == ["", "ana"]
