"""Our businesses as documents name them, and who sees which."""

from datetime import date

import pytest
from sqlalchemy import update

from billing_core.businesses.models import Business, BusinessLogo
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import Actor, Role, actor_with
from billing_core.invoices import issuers
from billing_core.invoices.issuers import Issuer
from tests.invoices.company import GRACE, a_customer, a_draft, an_invoice


def a_business(session, name) -> Business:
    other = Business(name=name, currency="USD", time_zone="UTC")
    session.add(other)
    session.flush()
    return other


def names(session, actor) -> list[str]:
    return [business.name for business in issuers.visible(session, actor)]


def test_whoever_sees_all_customers_sees_all_businesses(session):
    second = a_business(session, "Second")
    assert names(session, GRACE) == ["My business", "Second"]
    assert issuers.one(session, GRACE, second.public_id).id == second.id


def test_somebody_of_one_customer_sees_those_that_bill_it(session):
    second, third, fourth = (a_business(session, name) for name in ("Second", "Third", "Fourth"))
    acme, other = a_customer(session), a_customer(session, "OTHER")
    an_invoice(session, acme, business_id=third.id)
    an_invoice(session, other, business_id=fourth.id)
    bound = actor_with(Role.FINANCE, user_id=None, name="Bo", customer_id=acme)
    assert names(session, bound) == ["My business", "Third"]
    session.execute(update(Customer).where(Customer.id == acme).values(business_id=second.id))
    assert names(session, bound) == ["Second", "Third"]
    assert issuers.one(session, bound, third.public_id).id == third.id
    for hidden in (default_business(session), fourth):
        with pytest.raises(NotFound):
            issuers.one(session, bound, hidden.public_id)
    with pytest.raises(NotFound):
        issuers.one(session, GRACE, "biz_nowhere")


def test_who_may_not_read_invoices_sees_none(session):
    with pytest.raises(Forbidden):
        issuers.visible(session, Actor(None, "Nobody", frozenset()))


def test_what_is_frozen_is_everything_but_the_logo(session):
    business = default_business(session)
    details = {"address": "1 Main St", "email": "us@ours.example", "phone": "+1", "tax_id": "T", "bank_details": "IBAN"}
    details |= {"register_number": "HRB 1", "country": "DE"}
    for name, value in details.items():
        setattr(business, name, value)
    business.invoice_footer = "Registered"
    kept = issuers.freeze(business)
    assert kept == {"name": "My business", "footer": "Registered", "paper": "a4", **details}
    assert issuers.frozen(kept) == issuers.of_business(business)
    assert issuers.frozen({"name": "Old", "email": None}) == Issuer("Old")


def test_the_logo_is_that_of_the_business(session):
    second = a_business(session, "Second")
    draft = a_draft(session, a_customer(session), issued_on=date(2026, 3, 2))
    session.add(BusinessLogo(business_id=second.id, media_type="image/png", content=b"logo", checksum="c"))
    session.flush()
    issuer = issuers.of_invoice(session, draft)
    assert (issuer.name, issuer.logo) == ("My business", None)
    assert issuers.with_logo(session, issuer, second.id).logo == b"logo"
    assert issuers.with_logo(session, issuer, draft.business_id).logo is None
