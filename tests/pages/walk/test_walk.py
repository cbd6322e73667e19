"""No button of any page is untried: a walk through everything that the pages offer, as each role."""

from collections.abc import Sequence
from typing import Any

import pytest

from billing_core.people import service as people
from tests.pages.walk import declared
from tests.pages.walk.declared import BUTTONS, LINKS
from tests.pages.walk.offers import BRIEF, THOROUGH
from tests.pages.walk.starts import addresses, first_customer
from tests.pages.walk.walk import Walk

pytestmark = pytest.mark.slow

# What no walk of one person comes to, by its key, and the test that tries it instead.
TRIED_ELSEWHERE = {
    '"Ask again"': "its files have no numbers to ask about: tests/pages/imports",
    '"Read them so"': "its files have no rows to mend: tests/pages/imports",
    'label=f"{step.words}: set their prices"': "its files have no services: tests/pages/imports",
    ": generate reports of": "its files have no orders: tests/pages/imports",
    '"Use these"': "its files have no words to ask about: tests/pages/imports",
    'key="import_cancel"': "here imports never wait: tests/pages/imports",
    'key="show_theirs"': "somebody else changes the draft meanwhile: tests/pages/invoices/test_editor.py",
    'key="keep_mine"': "somebody else changes the draft meanwhile: tests/pages/invoices/test_editor.py",
    'key="reopen_rate"': "somebody else changes the rate meanwhile: tests/pages/test_rate_cards_page.py",
    'key="open_usage_invoice"': "its dialog opens once, on a month that is not over: tests/pages/test_usage_invoice.py",
    'key="do_make_usage_invoice"': "its dialog opens once, on a month not over: tests/pages/test_usage_invoice.py",
    'key="close_result"': "somebody else pays one of several meanwhile: tests/pages/invoices/test_list.py",
}


@pytest.mark.later
def test_an_administrator_can_use_everything_that_any_page_declares(walk_through, demo_file, sqlite_template, recorder):
    used: set[tuple[str, int]] = set()
    for file, starts in ((sqlite_template, []), (demo_file, addresses(demo_file))):
        walk = walk_through(file, "admin", THOROUGH)
        walked(walk, starts)
        used |= walk.used_lines

    unused = [widget for widget in declared.widgets(BUTTONS | LINKS) if not widget.is_at(used)]
    unopened = [dialog for dialog in declared.dialogs() if not dialog.is_at(recorder.functions)]
    left_out = [str(one) for one in (*unused, *unopened)]
    assert [text for text in left_out if not any(words in text for words in TRIED_ELSEWHERE)] == []
    assert [words for words in TRIED_ELSEWHERE if not any(words in text for text in left_out)] == [], "tried by now"


@pytest.mark.parametrize("role", [pytest.param("manager", marks=pytest.mark.later), "finance"])
def test_every_other_role_can_use_what_it_is_offered(walk_through, demo_file, role):
    walked(walk_through(demo_file, role, BRIEF))


@pytest.mark.later
def test_who_is_bound_to_a_customer_can_use_what_they_are_offered(walk_through, demo_file):
    customer_id = first_customer(demo_file)
    walked(walk_through(demo_file, "manager", BRIEF, customer_id=customer_id))


def test_a_button_that_breaks_is_found(walk_through, sqlite_template, monkeypatch):
    def broken(*_arguments, **_named):
        raise AttributeError("a function that has moved")

    monkeypatch.setattr(people, "invite", broken)
    walk = walk_through(sqlite_template, "admin", BRIEF)
    walk.start("admin/people.py")
    walk.go()
    ((fault, where),) = walk.faults.items()
    assert "a function that has moved" in fault
    assert "Invite" in where or "invite_submit" in where


def walked(walk: Walk, starts: Sequence[tuple[str, dict[str, Any]]] = ()) -> None:
    """Walk from every page of the menu on: nothing goes wrong, and each page is reached."""
    window = walk.anew()
    window.open()
    for file, query in starts:
        walk.start(file, **query)
    for file in window.files:
        walk.start(file)
    walk.go()
    assert "\n\n".join(f"{fault}\n  at {where}" for fault, where in walk.faults.items()) == ""
    assert set(window.files) <= walk.visited
