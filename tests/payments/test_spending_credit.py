"""Credit that pays what is due by itself: what it covers, what is kept due, and what early payers have to pay.

172.50 are due, or 169.05 until the last day of the discount (``paying_early``).
"""

from datetime import timedelta

import pytest

from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.payments import credit, received
from tests.invoices.company import NOW
from tests.payments.paying_early import LAST, money, two_rates

LATE = LAST + timedelta(days=1)


@pytest.fixture
def invoice(session) -> Invoice:
    return two_rates(session)


def give(session, invoice, amount_minor):
    of_nothing = {"allocations": {}, "today": invoice.issued_on, "now": NOW}
    kept = money(amount_minor, invoice.issued_on)
    received.record(session, SYSTEM, customer_id=invoice.customer_id, received=kept, **of_nothing)


def left(session, invoice) -> int:
    return credit.balance(session, invoice.business_id, invoice.customer_id, invoice.currency).minor


@pytest.mark.parametrize(
    ("given", "on", "used", "due", "credited"),
    [
        (1, LAST, 1, 172_49, 0),
        (169_04, LAST, 169_04, 3_46, 0),
        (169_05, LAST, 169_05, 0, 3_45),
        (169_06, LAST, 169_05, 0, 3_45),
        (172_50, LAST, 169_05, 0, 3_45),
        (200_00, LAST, 169_05, 0, 3_45),
        (172_49, LATE, 172_49, 1, 0),
        (172_50, LATE, 172_50, 0, 0),
        (200_00, LATE, 172_50, 0, 0),
    ],
)
def test_credit_pays_what_it_can_and_no_more_than_early_payers_pay(session, invoice, given, on, used, due, credited):
    give(session, invoice, given)
    assert credit.spend(session, SYSTEM, invoice, today=on, now=NOW) == used
    assert (invoice.paid_minor, invoice.due_minor, invoice.credited_minor) == (used, due, credited)
    assert left(session, invoice) == given - used


def test_without_credit_nothing_is_paid(session, invoice):
    assert credit.spend(session, SYSTEM, invoice, today=LAST, now=NOW) == 0
    assert (invoice.paid_minor, invoice.due_minor) == (0, 172_50)


@pytest.mark.parametrize(("kept", "used"), [(1, 172_49), (50_00, 122_50), (172_49, 1), (172_50, 0), (180_00, 0)])
def test_what_is_kept_due_stays_due_and_takes_no_discount(session, invoice, kept, used):
    give(session, invoice, 200_00)
    assert credit.spend(session, SYSTEM, invoice, today=LAST, now=NOW, kept_minor=kept) == used
    assert (invoice.due_minor, invoice.credited_minor) == (172_50 - used, 0)
