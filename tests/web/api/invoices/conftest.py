"""A program of an administrator that makes invoices of 238.00 USD."""

import pytest

from tests.web.api.invoices.line import LINE


@pytest.fixture
def client(program):
    return program("admin")


@pytest.fixture
def business_id(client) -> str:
    return client.get("/api/businesses").json()["businesses"][0]["business_id"]


@pytest.fixture
def create(client, business_id):
    """``create(notes="…")``: an invoice of 238.00 USD; the answer."""

    def make(**facts):
        known = {"business_id": business_id, "customer_email": "client@example.com", "line_items": [LINE]}
        return client.post("/api/invoices", json=known | facts)

    return make


@pytest.fixture
def address(create) -> str:
    return f"/api/invoices/{create().json()['invoice_id']}"
