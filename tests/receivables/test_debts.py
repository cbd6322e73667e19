"""What a scope means for what is owed: whose, in what, and as at which day."""

from datetime import UTC, date, datetime

import pytest

from billing_core.dates import Period
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.ledger.models import Account
from billing_core.ledger.queries import Counted
from billing_core.receivables import debts

JANUARY = Period.month_of(date(2026, 1, 1))
DAY, OTHER = date(2026, 1, 20), date(2026, 2, 3)
KNOWN = datetime(2026, 1, 25, tzinfo=UTC)


def test_a_scope_is_what_was_asked_for_unless_somebody_is_bound_to_a_customer():
    asked = {
        "period": JANUARY,
        "currency": "USD",
        "customer_id": 8,
        "known_at": KNOWN,
        "as_at": DAY,
        "today": OTHER,
    }
    bound = actor_with(Role.MANAGER, user_id=None, name="Otto", customer_id=7)

    assert debts.scope(SYSTEM, **asked) == Scope(**asked)
    assert debts.scope(SYSTEM) == Scope()
    assert debts.scope(bound, **asked) == Scope(**asked | {"customer_id": 7})
    assert debts.scope(bound) == Scope(customer_id=7)


@pytest.mark.parametrize(
    ("asked", "as_at"),
    [
        (Scope(), None),
        (Scope(period=JANUARY), date(2026, 1, 31)),
        (Scope(as_at=DAY), DAY),
        (Scope(period=JANUARY, as_at=OTHER), OTHER),
    ],
)
def test_a_balance_over_a_period_is_as_at_its_last_day_unless_another_is_named(asked, as_at):
    assert debts.at_its_end(asked).as_at == as_at
    assert debts.at_its_end(asked).period == asked.period


@pytest.mark.parametrize(
    ("asked", "now"),
    [
        (Scope(), True),
        (Scope(today=DAY, currency="USD", customer_id=1), True),
        (Scope(as_at=DAY), False),
        (Scope(known_at=KNOWN), False),
        (Scope(as_at=DAY, known_at=KNOWN), False),
    ],
)
def test_only_what_names_neither_a_day_nor_an_instant_is_the_present(asked, now):
    assert debts.is_now(asked) is now


def test_what_is_late_is_seen_from_the_day_of_the_balance_or_else_from_today():
    assert debts.day(Scope(as_at=DAY, today=OTHER)) == DAY
    assert debts.day(Scope(as_at=DAY)) == DAY
    assert debts.day(Scope(today=OTHER)) == OTHER
    with pytest.raises(ValueError, match="depends on a day"):
        debts.day(Scope(known_at=KNOWN))


def test_the_postings_that_count_are_those_of_the_scope_in_one_account():
    asked = Scope(period=JANUARY, currency="USD", customer_id=8, known_at=KNOWN, as_at=DAY, today=OTHER)
    assert debts.counted(asked, Account.CASH) == Counted(Account.CASH, 8, None, "USD", DAY, KNOWN)
