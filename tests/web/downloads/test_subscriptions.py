"""The list of subscriptions as a file, as a browser asks for it."""

import pytest

from billing_core.identity import SYSTEM, Role
from billing_core.plans import service as plans
from billing_core.plans.terms import Terms
from tests.subscriptions.signed_up import BEGUN, D, a_plan, a_subscription, state
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


MOVE = "/downloads/plan-move.csv?plan=pro&version=2&first_day=2026-03-03"


def test_what_a_move_would_come_to_is_a_file_for_who_may_move(served, names):
    with served.begin() as session:
        plans.add_version(session, SYSTEM, "pro", Terms("USD", D(40), 0, D(0)), now=BEGUN)
    admin = signed_in(served, Role.ADMIN)
    (row,) = read(get(MOVE, admin))
    assert (row["id"], row["begins_on"], row["mail"]) == (names["trial"], "2026-03-14", "ap@acme.example")
    assert (row["old_price"], row["new_price"], row["difference"]) == ("30.00", "40.00", "10.00")
    assert read(get(f"{MOVE}&older=1&tells=false", admin))[0]["mail"] == ""
    assert get(MOVE, signed_in(served, Role.MANAGER)).status_code == 403
    assert get(MOVE.replace("version=2", "version=3"), admin).status_code == 404
    assert get(MOVE.replace("version=2", "version=0"), admin).status_code == 400
