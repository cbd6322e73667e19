"""Invoices by programs that know a customer by e-mail address alone."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.invoices import by_email, queries
from billing_core.invoices.by_email import Addressed
from billing_core.invoices.models import Invoice, InvoiceState
from tests.invoices.company import GRACE, NOW, READER, TODAY, a_customer, a_line


@pytest.fixture
def addressed(session) -> Addressed:
    return Addressed(default_business(session).public_id, "ap@acme.example", "USD", (a_line(),))


def create(session, addressed, actor=GRACE, *, now=NOW, **facts) -> Invoice:
    return by_email.create(session, actor, replace(addressed, **facts), now=now)


def counted(session, table) -> int:
    return session.scalar(select(func.count()).select_from(table))


def test_a_numbered_draft_for_a_customer_that_is_added(session, addressed):
    made = create(session, addressed, notes=" Thanks ", payment_terms="Net 14")
    assert (made.state, made.number, made.total_minor) == (InvoiceState.DRAFT, "INV-2026-001", 23_800)
    assert (made.issued_on, made.due_on, made.notes) == (TODAY, date(2026, 3, 16), "Thanks")
    assert (made.customer_email, made.customer_name) == ("ap@acme.example", "ap@acme.example")
    customer = session.get_one(Customer, made.customer_id)
    assert (customer.email, customer.name, customer.currency) == ("ap@acme.example", "ap@acme.example", "USD")
    assert create(session, addressed).customer_id == made.customer_id


def test_what_is_known_of_the_customer_is_filled_in_and_what_the_program_says_is_kept(session, addressed):
    known = {"address": "Hauptstr. 1", "city": "Berlin", "postal_code": "10115", "country": "DE", "tax_id": "DE123"}
    known |= {"zero_tax_reason": "Reverse charge"}
    acme = a_customer(session, language="de", **known)
    made = create(session, addressed)
    assert (made.customer_id, made.customer_name, made.customer_tax_id) == (acme, "Acme Corp", "DE123")
    assert (made.customer_address, made.language) == ("Hauptstr. 1\n10115 Berlin\nDeutschland", "de-DE")
    assert made.zero_tax_reason == "Reverse charge"
    assert create(session, addressed, customer_name="Acme Accounting").customer_name == "Acme Accounting"


def test_days_that_are_not_given_follow_from_the_businesss_own_day_and_the_terms(session, addressed):
    default_business(session).time_zone = "Asia/Tokyo"
    made = create(session, addressed, now=datetime(2026, 3, 2, 15, tzinfo=UTC))
    assert (made.issued_on, made.due_on) == (date(2026, 3, 3), date(2026, 4, 2))
    given = create(session, addressed, issued_on=date(2026, 2, 1), due_on=date(2026, 2, 5))
    assert (given.issued_on, given.due_on) == (date(2026, 2, 1), date(2026, 2, 5))


def test_a_number_of_its_own_is_kept_once(session, addressed):
    assert create(session, addressed, number="ACME-7").number == "ACME-7"
    with pytest.raises(Conflict, match="already used"):
        create(session, addressed, number="ACME-7")


@pytest.mark.parametrize(
    ("facts", "error", "field"),
    [
        ({"customer_email": "  "}, Invalid, "customer_email"),
        ({"customer_email": "nobody"}, Invalid, "customer_email"),
        ({"currency": "QQQ"}, Invalid, "currency"),
        ({"lines": ()}, Invalid, "lines"),
        ({"due_on": date(2026, 1, 1)}, Invalid, "due_on"),
        ({"business_id": "biz_nowhere"}, NotFound, None),
    ],
)
def test_what_is_refused_adds_no_customer(session, addressed, facts, error, field):
    with pytest.raises(error) as refused:
        create(session, addressed, **facts)
    assert field is None or field in refused.value.fields
    assert (counted(session, Customer), counted(session, Invoice)) == (0, 0)


def test_a_business_that_has_closed_issues_none(session, addressed):
    default_business(session).active = False
    with pytest.raises(Invalid, match="issues no documents any more") as refused:
        create(session, addressed)
    assert list(refused.value.fields) == ["business_id"]


def test_who_only_reads_makes_none(session, addressed):
    with pytest.raises(Forbidden):
        create(session, addressed, READER)
    assert queries.page(session, READER, queries.InvoiceFilter(), today=TODAY) == []


def test_the_customers_own_terms_hold_where_a_program_gives_none(session, addressed):
    acme = session.get_one(Customer, a_customer(session, payment_terms="2/10 net 60", language="fr"))
    made = create(session, addressed)
    assert made.customer_id == acme.id
    assert made.due_on == date(2026, 5, 1)
    assert " ".join(made.payment_terms.split()) == "60 jours net, 2 % d’escompte sous 10 jours"
    given = create(session, addressed, payment_terms="EOM")
    assert (given.due_on, given.payment_terms) == (date(2026, 3, 31), "EOM")
    chosen = create(session, addressed, due_on=date(2026, 3, 9))
    assert (chosen.due_on, chosen.payment_terms) == (date(2026, 3, 9), "")


def test_terms_that_are_not_understood_need_a_due_date(session, addressed):
    a_customer(session, payment_terms="as agreed")
    for facts in ({}, {"payment_terms": "5 working days"}):
        with pytest.raises(Invalid) as refused:
            create(session, addressed, **facts)
        assert list(refused.value.fields) == ["due_on"]
    chosen = create(session, addressed, due_on=date(2026, 3, 9))
    assert (chosen.due_on, chosen.payment_terms) == (date(2026, 3, 9), "as agreed")


def test_without_any_terms_it_is_due_in_the_documented_thirty_days(session, addressed):
    default_business(session).payment_terms = ""
    made = create(session, addressed)
    assert (made.due_on, made.payment_terms) == (date(2026, 4, 1), "")
