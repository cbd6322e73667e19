"""No button of any page is untried: a walk through everything that the pages offer, as each role."""

from collections.abc import Sequence

import pytest

from billing_core.people import service as people
from tests.pages.walk.offers import BRIEF
from tests.pages.walk.prepared import first_customer
from tests.pages.walk.walk import Walk

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("role", ["manager", "finance"])
def test_every_other_role_can_use_what_it_is_offered(walk_through, demo_file, role):
    walked(walk_through(demo_file, role, BRIEF))


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


def walked(walk: Walk, starts: Sequence[tuple[str, dict[str, str]]] = ()) -> None:
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
