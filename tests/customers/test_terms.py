"""Whose payment terms are not understood."""

from billing_core.businesses.queries import default_business
from billing_core.customers.terms import not_understood
from billing_core.identity import SYSTEM, Role, actor_with
from tests.payments.books import a_customer


def test_customers_and_businesses_are_listed_whose_terms_say_no_due_date(session):
    for ref, terms in (("C1", "as agreed"), ("C2", "Net 30"), ("C3", ""), ("C4", "on delivery"), ("C5", "as agreed")):
        a_customer(session, ref).payment_terms = terms
    listed = [(one.name, one.terms, one.is_business) for one in not_understood(session, SYSTEM, limit=10)]
    odd = [("Carla C1", "as agreed", False), ("Carla C4", "on delivery", False), ("Carla C5", "as agreed", False)]
    assert listed == odd
    business = default_business(session)
    business.payment_terms = ""
    listed = [(one.name, one.terms, one.is_business) for one in not_understood(session, SYSTEM, limit=2)]
    assert listed == [(business.name, "", True), odd[0]]


def test_businesses_are_for_who_may_change_them(session):
    default_business(session).payment_terms = "as agreed"
    finance = actor_with(Role.FINANCE, user_id=None, name="Rita")
    assert not_understood(session, finance, limit=10) == []
