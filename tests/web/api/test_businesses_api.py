"""Our businesses for programs, which the invoices API names by their ids."""

from dataclasses import replace

import pytest

from billing_core.businesses import service
from billing_core.businesses.queries import default_business
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import service as invoices
from tests.invoices.company import a_customer, content


@pytest.fixture
def database_url(sqlite_url) -> str:
    """What the database does is tested elsewhere."""
    return sqlite_url


@pytest.fixture
def second(sessions) -> int:
    """Another business, which issues in EUR; its id."""
    with sessions.begin() as session:
        details = replace(
            service.details(default_business(session)), name="Second GmbH", currency="EUR", time_zone="Europe/Berlin"
        )
        return service.create(session, SYSTEM, wanted=details, now=utc_now()).id


def test_businesses_are_listed_with_what_their_invoices_say(program, second):
    answer = program("finance").get("/api/businesses")

    assert answer.status_code == 200
    first, other = answer.json()["businesses"]
    assert answer.json()["count"] == 2
    assert {row["business_id"][:4] for row in (first, other)} == {"biz_"}
    assert other | {"business_id": "biz_1"} == {
        "business_id": "biz_1",
        "name": "Second GmbH",
        "email": "",
        "phone": "",
        "address": "",
        "tax_id": "",
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "payment_terms": "Net 30",
        "active": True,
    }


def test_somebody_of_one_customer_sees_those_that_bill_it(program, sessions, second):
    with sessions.begin() as session:
        customer = a_customer(session)
    bound = program("finance", customer_id=customer)
    everybody = program("admin").get("/api/businesses").json()["businesses"]

    assert bound.get("/api/businesses").json()["businesses"] == everybody[:1]
    theirs = f"/api/invoices?business_id={everybody[1]['business_id']}"
    assert bound.get(theirs).status_code == 404

    with sessions.begin() as session:
        invoices.create(session, SYSTEM, content(session, customer, business_id=second), now=utc_now())
    assert bound.get("/api/businesses").json()["count"] == 2
    assert bound.get(theirs).json()["count"] == 1


def test_nobody_sees_them_without_credentials_or_with_parameters(browser, api, program):
    refused = browser().get("/api/businesses")
    assert (refused.status_code, refused.json()["error"]) == (401, "Invalid authentication")
    assert program("admin").get("/api/businesses?limit=1").status_code == 400
    assert program("admin").post("/api/businesses").status_code == 405
