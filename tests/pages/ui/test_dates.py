"""One form of dates on a page: in fields, tables and texts alike."""

import ast
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from pages.ui import formats

SCRIPTS = sorted(Path("pages").rglob("*.py"))


@pytest.mark.parametrize(
    ("locale", "form", "written"),
    [
        ("en-US", "MM/DD/YYYY", "03/02/2026"),
        ("en-GB", "DD/MM/YYYY", "02/03/2026"),
        ("de-CH", "DD.MM.YYYY", "02.03.2026"),
        ("nl-NL", "DD-MM-YYYY", "02-03-2026"),
        ("sv-SE", "YYYY-MM-DD", "2026-03-02"),
        ("hu-HU", "YYYY.MM.DD", "2026.03.02"),
        ("ja-JP", "YYYY/MM/DD", "2026/03/02"),
        # Of a browser that names none, or one that nobody knows.
        ("", "MM/DD/YYYY", "03/02/2026"),
        ("tlh-Piqd-x", "MM/DD/YYYY", "03/02/2026"),
    ],
)
def test_fields_and_texts_write_days_as_the_reader_does(monkeypatch, locale, form, written):
    monkeypatch.setattr(formats.st, "context", SimpleNamespace(locale=locale))
    assert (formats.day_form(), formats.day(date(2026, 3, 2))) == (form, written)
    assert formats.instant(datetime(2026, 3, 2, 23, 30, tzinfo=UTC), "UTC").startswith(f"{written}, ")
    assert formats.days(date(2026, 3, 2), date(2026, 3, 2)) == written


def test_every_field_and_column_of_days_asks_for_that_form():
    asked = [
        (script, node.lineno, next((ast.unparse(one.value) for one in node.keywords if one.arg == "format"), ""))
        for script in SCRIPTS
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("date_input", "DateColumn", "DatetimeColumn", "datetime_input")
    ]
    assert len(asked) > 20
    assert [one for one in asked if one[2] != "formats.day_form()"] == []
