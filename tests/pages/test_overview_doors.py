"""Who tried to get in, on the overview."""

from datetime import timedelta

import pytest

from billing_core import figures
from billing_core.dates import utc_now
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.identity.attempts import BY_ONE, Knock, Refusal
from billing_core.people import guessing
from billing_core.people.figures import REFUSED_GUESSES


@pytest.fixture
def guesses(sessions) -> None:
    """One of nine days ago, and two of today, of which one goes on for a while."""
    now = utc_now()
    for at, origin in (
        (now - timedelta(days=9), "192.0.2.1"),
        (now, "192.0.2.2"),
        (now, "192.0.2.3"),
        (now, "192.0.2.3"),
    ):
        with sessions.begin() as session:
            guessing.tell(session, Knock("ana@example.com", origin), Refusal(BY_ONE, 60), now=at)


def test_guesses_need_attention_for_a_week(page_as, guesses):
    page = page_as("admin").visit()
    assert not page.exception
    said = " ".join(text.value for text in page.markdown)
    assert "2 times somebody was kept from guessing passwords or keys" in said
    page.button(key="attention_refused_guesses").click().run()
    assert "= the figure" in page.success[0].value
    page.button(key="settle_refused_guesses").click().run()
    assert page.title[0].value == "Audit log"


def test_who_manages_nobody_is_not_told_of_them(page_as, guesses):
    said = " ".join(text.value for text in page_as("finance").visit().markdown)
    assert "guessing" not in said


def test_rows_say_where_and_whom(sessions, guesses):
    with sessions() as session:
        rows = figures.page(session, SYSTEM, REFUSED_GUESSES, Scope(today=utc_now().date()))
    assert {row.label for row in rows} == {
        "Somebody at 192.0.2.2: An account that does not exist",
        "Somebody at 192.0.2.3: An account that does not exist",
    }
