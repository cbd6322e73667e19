"""The checks of ``verify`` about subscriptions hold for a company that has some, and fail where they are damaged."""

from datetime import date

import pytest

from billing_core.commands import verify
from billing_core.identity import SYSTEM
from billing_core.plans import service as plans
from billing_core.plans.models import TrialEnd
from billing_core.plans.terms import Terms
from billing_core.subscriptions import further, renewals
from billing_core.subscriptions.lifecycle import PAST_DUE
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from billing_core.subscriptions.moving import rehearsing
from billing_core.subscriptions.moving import service as moving
from billing_core.subscriptions.moving.asked import Asked
from tests.commands.proving import found_wrong, rooms_of_checks
from tests.invoices.company import an_invoice
from tests.ledger.damaging import as_if_nothing_refused
from tests.subscriptions.signed_up import BEGUN, D, a_plan, a_subscription, at

# The id of the first, of the one whose charge failed, and so on, in the order in which they sign up.
NAMES = ("sub_first", "sub_owing", "sub_trial", "sub_over", "sub_free", "sub_moved")


@pytest.fixture
def company(session) -> None:
    """*first* is in its third period, and has an invoice (4) that a person added; the charge for the second period of
    *owing* failed; *trial* is in its trial, *over* is cancelled, *free* costs nothing. *moved* has gone on with another
    version in its third period, the present one. Invoices 1 to 3 are the first's, 5 and 6 those of *owing*.
    """
    a_plan(session, trial_end=TrialEnd.INVOICE)
    a_plan(session, "short", ends_after=1)
    a_plan(session, "free", "0")
    first, owing = _named(session, "pro", "ONE"), None
    for now in (at(2, 28), at(3, 31)):
        renewals.advance(session, SYSTEM, first, now=now)
    customer_id = session.get_one(Subscription, first).customer_id
    further.attach(session, SYSTEM, "sub_first", an_invoice(session, customer_id), now=BEGUN)
    owing = _named(session, "pro", "TWO")
    renewals.advance(session, SYSTEM, owing, now=at(2, 28))
    session.query(SubscriptionInvoice).filter_by(subscription_id=owing, period_number=1).one().failed_at = at(2, 28)
    session.get_one(Subscription, owing).state = PAST_DUE
    _named(session, "pro", "THREE", trial_days=14)
    over = _named(session, "short", "FOUR")
    renewals.advance(session, SYSTEM, over, now=at(2, 28))
    _named(session, "free", "FIVE")
    _moved(session)
    session.flush()


def _moved(session) -> None:
    a_plan(session, "moved")
    moved = _named(session, "moved", "SIX")
    plans.add_version(session, SYSTEM, "moved", Terms("USD", D(40), 0, D(0)), now=BEGUN)
    asked, limits = Asked("moved", 2, date(2026, 3, 3)), {"today": date(2026, 2, 1), "notice_days": 30}
    token = rehearsing.rehearse(session, SYSTEM, asked, **limits).token
    moving.move(session, SYSTEM, asked, token, now=at(2, 1), **limits)
    for now in (at(2, 28), at(3, 31)):
        renewals.advance(session, SYSTEM, moved, now=now)


def _named(session, code, ref, **facts) -> int:
    subscription_id = a_subscription(session, code, ref, **facts)
    subscription = session.get_one(Subscription, subscription_id)
    subscription.public_id = NAMES[subscription_id - 1]
    session.flush()
    return subscription_id


# The damages by the name of the check: a statement, and what the check then names.
DAMAGES = {
    "Each period of a subscription is billed once, to its customer": [
        ("DELETE FROM subscription_invoices WHERE invoice_id = 2", "subscription sub_first, period 1"),
        (
            "UPDATE subscription_invoices SET kind = 'period' WHERE invoice_id = 4",
            "subscription sub_first, period 2",
        ),
        (
            "UPDATE subscription_invoices SET period_number = 9 WHERE invoice_id = 3",
            "subscription sub_first, period 2",
            "invoice id 3 of subscription sub_first bills no period of it",
        ),
        (
            "UPDATE invoices SET customer_id = 99 WHERE id = 2",
            "invoice id 2 of subscription sub_first is another customer's",
        ),
        (
            "UPDATE invoices SET customer_id = 99 WHERE id = 4",
            "invoice id 4 of subscription sub_first is another customer's",
        ),
        (
            "UPDATE subscriptions SET currency = 'JPY' WHERE public_id = 'sub_owing'",
            "invoice id 5 of subscription sub_owing is another customer's",
            "invoice id 6 of subscription sub_owing is another customer's",
        ),
    ],
    "What a subscription was charged is what the lines of its invoices come to": [
        (
            "UPDATE subscription_charges SET net_minor = 2999 WHERE invoice_id = 1",
            "invoice id 1 of subscription sub_first",
        ),
        (
            "UPDATE invoice_line_items SET amount_minor = 3001 WHERE invoice_id = 6",
            "invoice id 6 of subscription sub_owing",
        ),
        ("DELETE FROM subscription_charges WHERE invoice_id = 3", "invoice id 3 of subscription sub_first"),
        (
            "UPDATE subscription_charges SET subscription_id = 2 WHERE invoice_id = 3",
            "charge id 3 of subscription sub_owing is on no invoice of it",
        ),
    ],
    "What was credited of a subscription's charges is on credit notes of their invoice": [
        (
            "UPDATE subscription_charges SET credited_minor = 1 WHERE invoice_id = 2",
            "invoice id 2 of subscription sub_first",
        ),
    ],
    "Each period of a subscription begins where the one before it ended": [
        (
            "UPDATE subscription_periods SET starts_at = '2026-03-01 10:00:00.000000' WHERE last_day = '2026-03-30'",
            "subscription sub_first, period 1",
            "subscription sub_owing, period 1",
            "subscription sub_moved, period 1",
        ),
        (
            "UPDATE subscription_periods SET first_day = '2026-03-01' WHERE subscription_id = 1 AND number = 1",
            "subscription sub_first, period 1",
        ),
        (
            "UPDATE subscription_periods SET first_day = '2026-03-30' WHERE subscription_id = 1 AND number = 2",
            "subscription sub_first, period 2",
        ),
        (
            "DELETE FROM subscription_periods WHERE subscription_id = 1 AND number = 0",
            "subscription sub_first, period 1",
        ),
    ],
    "Each subscription is in its last period, and looked at again when that ends": [
        ("UPDATE subscriptions SET period_number = 1 WHERE id = 1", "subscription sub_first"),
        ("UPDATE subscriptions SET next_at = '2026-05-01 10:00:00.000000' WHERE id = 1", "subscription sub_first"),
        ("UPDATE subscriptions SET next_at = NULL WHERE id = 5", "subscription sub_free"),
        ("UPDATE subscriptions SET next_at = '2026-02-15 10:00:00.000000' WHERE id = 3", "subscription sub_trial"),
        ("DELETE FROM subscription_periods WHERE subscription_id = 5", "subscription sub_free"),
    ],
    "A subscription is past due or unpaid where a charge for one of its open invoices failed, and only there": [
        ("UPDATE subscriptions SET state = 'active' WHERE id = 2", "subscription sub_owing"),
        ("UPDATE subscription_invoices SET failed_at = NULL", "subscription sub_owing"),
        ("UPDATE subscriptions SET state = 'unpaid' WHERE id = 1", "subscription sub_first"),
    ],
    "A move to another version of a plan begins with the first period on its day or later": [
        (
            "UPDATE subscription_changes SET state = 'scheduled'",
            "subscription sub_moved, move 1: period 2 began without it",
        ),
        (
            "UPDATE subscription_changes SET period_number = 1",
            "subscription sub_moved, move 1: it began with another period or version",
        ),
        (
            "UPDATE subscription_changes SET period_number = 9",
            "subscription sub_moved, move 1: period 2 began without it",
            "subscription sub_moved, move 1: it began with another period or version",
        ),
        (
            "UPDATE subscription_periods SET plan_version_id = 1 WHERE subscription_id = 6",
            "subscription sub_moved, move 1: it began with another period or version",
        ),
        (
            "DELETE FROM subscription_changes",
            "subscription sub_moved, move 1: nothing is known of what became of it",
        ),
    ],
}


def test_each_check_holds_and_fails_where_it_is_damaged(session, company, subtests):
    holding = {check.name: check for check in verify.checks(session)}
    assert [holding[name] for name in DAMAGES if holding[name].wrong or not holding[name].proven] == []
    rooms = rooms_of_checks(session)
    for name, damages in DAMAGES.items():
        for statement, *words in damages:
            with subtests.test(check=name, damage=statement):
                undo = session.begin_nested()
                as_if_nothing_refused(session, statement)
                found = found_wrong(session, name, rooms[name])
                undo.rollback()
                assert found == tuple(words)
