"""``customer merge``."""

import json

import pytest

from billing_core import runtime
from billing_core.__main__ import main
from billing_core.customer_lifecycle import deactivating
from billing_core.customers.models import Customer
from billing_core.invoices.models import Invoice
from tests.invoices.company import GRACE, NOW, a_customer, an_invoice

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MERGE = ["customer", "merge", "HH", "--into", "B"]


@pytest.fixture
def two(sessions, monkeypatch) -> tuple[int, int]:
    """Hamburg, which owes 238.00 USD and has its own terms, and Berlin, which owes nothing."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        hamburg = a_customer(session, "HH", name="Acme Hamburg", payment_terms="Net 7")
        berlin = a_customer(session, "B", name="Acme Berlin", payment_terms="Net 30")
        an_invoice(session, hamburg)
    return hamburg, berlin


def state_of(sessions, two) -> list[tuple[bool, int | None]]:
    with sessions() as session:
        return [(one.active, one.merged_into_id) for one in (session.get_one(Customer, each) for each in two)]


def test_a_rehearsal_says_what_would_become_of_it_and_changes_nothing(sessions, two, capsys):
    assert main([*MERGE, "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Would merge Acme Hamburg into Acme Berlin"
    assert said[1].startswith("moves: 1 × invoice")
    assert said[2] == "stays with Acme Hamburg: nothing"
    assert "owed on invoices: 238.00 USD and 0.00 USD, together 238.00 USD" in said
    assert "payment terms: Net 30 holds, not Net 7" in said
    assert state_of(sessions, two) == [(True, None), (True, None)]


def test_it_is_merged_for_good_and_once(sessions, two, capsys):
    _, berlin = two
    assert main(["--json", *MERGE]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["merged"], answer["conflicts"], answer["former"]) == (True, [], "Acme Hamburg")
    assert state_of(sessions, two) == [(False, berlin), (True, None)]
    with sessions() as session:
        assert session.query(Invoice.customer_id).one() == (berlin,)
    assert main(MERGE) == 1
    assert "“HH” and “B” are one customer" in capsys.readouterr().err
    assert main(["verify"]) == 0


def test_what_speaks_against_it_is_said_and_nothing_is_merged(sessions, two, capsys):
    with sessions.begin() as session:
        deactivating.deactivate(session, GRACE, two[1], now=NOW)
    reason = "Acme Berlin is deactivated: reactivate it first, or merge the other way round"
    assert main([*MERGE, "--dry-run"]) == 1
    assert f"refused: {reason}" in capsys.readouterr().out.splitlines()
    assert main(MERGE) == 1
    printed = capsys.readouterr()
    assert (printed.out, reason in printed.err) == ("", True)
    assert main(["customer", "merge", "HH", "--into", "XX"]) == 1
    assert "There is no customer with the ref or id “XX”" in capsys.readouterr().err
    assert state_of(sessions, two) == [(True, None), (False, None)]
