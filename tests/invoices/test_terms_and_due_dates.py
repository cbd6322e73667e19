"""What becomes of a due date when an invoice gets other payment terms, or is copied."""

from datetime import date, timedelta

import pytest

from billing_core.identity import SYSTEM
from billing_core.invoices import service
from billing_core.invoices.service import Details
from tests.invoices.company import NOW, TODAY, a_customer, an_invoice


@pytest.mark.parametrize(
    ("chosen_days", "details", "days"),
    [
        (None, {"payment_terms": "Net 60"}, 60),
        (45, {"payment_terms": "Net 60"}, 45),
        (None, {"payment_terms": "as agreed"}, 30),
        (None, {"payment_terms": "Net 60", "due_on": TODAY + timedelta(days=20)}, 20),
        (None, {"notes": "Thank you"}, 30),
    ],
)
def test_a_due_date_by_the_terms_follows_other_terms_and_one_that_was_chosen_stays(session, chosen_days, details, days):
    chosen = {} if chosen_days is None else {"due_on": TODAY + timedelta(days=chosen_days)}
    invoice = an_invoice(session, a_customer(session), **chosen)
    changed = service.update_details(session, SYSTEM, invoice.id, Details(**details), now=NOW, today=TODAY)
    assert (changed.due_on - changed.issued_on).days == days


def test_a_copy_is_due_after_as_many_days_as_were_chosen_against_the_terms(session):
    invoice = an_invoice(session, a_customer(session), due_on=TODAY + timedelta(days=45))
    later = TODAY + timedelta(days=10)
    copy = service.duplicate(session, SYSTEM, invoice.id, now=NOW, today=later)
    assert (copy.due_on - later).days == 45


def test_a_copy_of_an_invoice_that_is_due_by_its_terms_is_due_by_them(session):
    terms = {"payment_terms": "EOM", "issued_on": date(2026, 2, 10), "due_on": None}
    invoice = an_invoice(session, a_customer(session), **terms)
    copy = service.duplicate(session, SYSTEM, invoice.id, now=NOW, today=date(2026, 3, 20))
    assert copy.due_on == date(2026, 3, 31)
