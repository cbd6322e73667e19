"""What the invoices of a run would lack, asked of the database for all customers at once.

The reference asks the rule for each customer.
"""

from decimal import Decimal
from itertools import cycle, product

import pytest
from sqlalchemy import select, update

from billing_core.bill_runs import legal_content
from billing_core.bill_runs.models import RunSource
from billing_core.businesses.models import Business
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices import issuers
from billing_core.invoices.legal_content.missing import Said, missing
from tests.reports.company import MARCH, a_customer

TAX_IDS = ("", " ", "FR12345678901", "fr 123 456 789 01", "FR12", "EL123456789", "US 12-3456789", "HR-7")
ADDRESSES = (("", ""), ("France", ""), ("Weg 2", "Bonn"), ("Am Markt", ""), ("", "75001 Paris"), ("Rue ٣", "France"))
REASONS = ("", "Kleinunternehmer, § 19 UStG", "Reverse charge")
COUNTRIES = ("", "DE", "FR", "GR", "US")


@pytest.fixture
def customer_ids(session) -> list[int]:
    """All countries with all tax ids and reasons, one address after the other."""
    addresses, ids = cycle(ADDRESSES), []
    for number, (country, tax_id, reason) in enumerate(product(COUNTRIES, TAX_IDS, REASONS)):
        ids.append(a_customer(session, f"C{number}", name=f"Customer {number}"))
        address, city = next(addresses)
        facts = {"country": country, "tax_id": tax_id, "zero_tax_reason": reason, "address": address, "city": city}
        session.execute(update(Customer).where(Customer.id == ids[-1]).values(**facts))
    session.expire_all()
    return ids


def expected(session, rate):
    """({customer id: what it lacks}, what our business lacks)."""
    issuer = issuers.of_business(session.scalars(select(Business)).one())
    theirs, ours = {}, set()
    for one in session.scalars(select(Customer)):
        address = f"{one.address}\n{one.city}"
        reason = one.zero_tax_reason or default_business(session).zero_tax_reason
        said = Said(issuer, None, frozenset({rate}), one.name, address, one.tax_id, one.country, reason)
        lacks = missing(said)
        ours |= {lacking for lacking in lacks if lacking.is_ours}
        if of_customer := [lacking for lacking in lacks if not lacking.is_ours]:
            theirs[one.id] = of_customer
    return theirs, ours


@pytest.mark.parametrize("rate", [Decimal(0), Decimal(19)])
@pytest.mark.parametrize("seat", ["DE", "FR", "US", ""])
def test_what_a_run_lacks_is_what_each_of_its_customers_lacks(session, customer_ids, seat, rate):
    session.execute(update(Business).values(country=seat, address="", tax_id=""))
    session.expire_all()
    asked = {"source": RunSource.ORDERS, "customer_ids": customer_ids, "period": MARCH, "tax_rate": rate}
    found = legal_content.of_chosen(session, SYSTEM, **asked)
    theirs, ours = expected(session, rate)
    assert found.of_customers == theirs
    assert set(found.names) == set(theirs)
    assert {lacking for lacks in found.ours.values() for lacking in lacks} == ours
