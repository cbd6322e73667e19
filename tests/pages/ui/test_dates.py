"""One form of dates on a page: in fields, tables and texts alike."""

import ast
import re
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


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("lies before the issue date, 2026-03-02", "lies before the issue date, 02.03.2026"),
        (
            "the invoice is held until 2026-04-04: they dispute it",
            "the invoice is held until 04.04.2026: they dispute it",
        ),
        ("billed from 2026-03-02 to 2026-03-05 already", "billed from 02.03.2026 to 05.03.2026 already"),
        ("Acme, 2026-03-01 to 2026-03-31", "Acme, März 2026"),
        ("away 2026-03-31 to 2026-03-01", "away 31.03.2026 to 01.03.2026"),
        ("One (2026-03-02), two.", "One (02.03.2026), two."),
        # Numbers, names of files, instants and what is quoted are no days of a sentence.
        *((same, same) for same in ("INV-2026-03-02", "a-2026-03-02.csv", "2026-03-02.pdf", "Write “2026-03-02”")),
        *((same, same) for same in ("2026-03-02T10:00:00Z", "2026-02-30", "https://a.example/2026-03-02/x")),
    ],
)
def test_what_a_service_says_has_the_readers_days(monkeypatch, said, shown):
    monkeypatch.setattr(formats.st, "context", SimpleNamespace(locale="de-DE"))
    assert formats.with_days(said) == shown


def test_no_page_shows_what_a_service_says_as_programs_read_it():
    """A refusal, a reason, a problem: such a text goes through ``with_days`` before it is shown."""
    shown = [
        (f"{script}:{node.lineno}", ast.unparse(argument))
        for script in SCRIPTS
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("md", "st.error", "st.warning", "st.info")
        for argument in node.args
    ]
    assert len([one for one in shown if "with_days" in one[1]]) > 20
    said = re.compile(
        r"(?:str\()?(?:\w+\.)*(?:error|refusal|reasons?|problem|said|last_error|why)\b(?:\[.*)?\)?(?: or .*)?"
    )
    assert [one for one in shown if said.fullmatch(one[1])] == []
