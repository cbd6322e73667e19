"""The list of subscriptions as a file, as a browser asks for it."""

import pytest

from billing_core.identity import Role
from tests.subscriptions.signed_up import a_plan, a_subscription, state
from tests.web.downloading import get, read, signed_in

FILE = "/downloads/subscriptions.csv"


@pytest.fixture
def names(served) -> dict[str, str]:
    """The public ids of two subscriptions."""
    with served.begin() as session:
        a_plan(session)
        a_plan(session, "basic", "10")
        trial = a_subscription(session, ref="TRIES", trial_days=14)
        active = a_subscription(session, "basic", ref="ACME")
        return {"trial": state(session, trial).public_id, "active": state(session, active).public_id}


def test_the_file_says_of_each_where_it_stands_and_what_it_is_worth(served, names):
    first, second = read(get(FILE, signed_in(served, Role.MANAGER)))
    assert (first["id"], first["plan_code"], first["status"]) == (names["active"], "basic", "active")
    assert (first["currency"], first["monthly_amount"], first["seats"]) == ("USD", "10.00", "1")
    assert (first["next_at"], first["created_at"]) == ("2026-02-28T10:00:00Z", "2026-01-31T10:00:00Z")
    assert (second["id"], second["status"]) == (names["trial"], "trialing")
    assert second["trial_ends_at"] == second["next_at"] == "2026-02-14T10:00:00Z"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("?tab=trialing", ["trial"]),
        ("?plan=basic", ["active"]),
        ("?text=nobody", []),
        ("?order_by=created_at", ["trial", "active"]),
    ],
)
def test_the_file_has_the_filters_of_the_page(served, names, filters, found):
    rows = read(get(FILE + filters, signed_in(served, Role.MANAGER)))
    assert [row["id"] for row in rows] == [names[one] for one in found]


def test_who_may_not_export_gets_no_file(served, names):
    assert get(FILE, signed_in(served, Role.FINANCE)).status_code == 403
    assert get(FILE, {}).status_code == 401


@pytest.mark.parametrize("filters", ["?tab=good", "?order_by=plan", "?customer_id=0"])
def test_an_unknown_filter_is_refused(served, names, filters):
    assert get(FILE + filters, signed_in(served, Role.MANAGER)).status_code == 400
