"""Every row of the invoices document's tables of errors, and what each of its addresses refuses."""

import pytest

from billing_core.errors import UpstreamFailed
from billing_core.online_payments import configured
from billing_core.online_payments.gateway import Declined
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from tests.web.api import curl
from tests.web.api.invoices.documented.document import CREATE, CREATE_LINK, DELETE, GET, GET_LINK, LIST, PATCH, create


@pytest.mark.parametrize(
    ("facts", "status", "error"),
    [
        ({"customer_email": None}, 400, "Missing required fields"),
        ({"customer_email": "client"}, 400, "Invalid email format"),
        ({"line_items": []}, 400, "Line items required"),
        ({"line_items": [{"description": "A", "quantity": 0, "unit_price": 1}]}, 400, "Invalid quantity"),
        ({"business_id": "biz_nobody"}, 404, "Not found"),
    ],
)
def test_common_errors_of_creating(client, business_id, facts, status, error):
    refused = create(client, business_id, **facts)

    assert (refused.status_code, refused.json()["error"]) == (status, error)


@pytest.mark.parametrize("command", [CREATE, LIST, GET, PATCH, DELETE, CREATE_LINK, GET_LINK])
def test_no_address_answers_without_credentials(browser, api, command):
    for credentials in ("", "Bearer pk_xxx:sk_xxx", "Bearer nonsense", "Basic YTpi"):
        refused = curl.run(browser(), command, {"Bearer pk_xxx:sk_xxx": credentials, "http://localhost:3000": ""})

        assert (refused.status_code, refused.json()["error"]) == (401, "Invalid authentication")


@pytest.mark.parametrize("command", [GET, PATCH, DELETE, CREATE_LINK, GET_LINK])
def test_unknown_invoices_are_not_found(browser, client, replaced, example, command):
    for invoice_id in ("inv_xyz789", "1", "9223372036854775808", "inv_%27%20OR%201=1--", "inv_%00", "%F0%9F%92%B8"):
        refused = curl.run(browser(), command, replaced | {"inv_xyz789": invoice_id})

        assert (refused.status_code, refused.json()["error"]) == (404, "Not found")


def test_an_invoice_without_a_payment_link_has_none(browser, replaced, example):
    assert curl.run(browser(), GET_LINK, replaced).status_code == 404


def test_a_second_payment_link_is_a_conflict(browser, replaced, example):
    curl.run(browser(), CREATE_LINK, replaced)

    refused = curl.run(browser(), CREATE_LINK, replaced)

    assert (refused.status_code, refused.json()["error"]) == (409, "Conflict")


@pytest.mark.parametrize("status", ["paid", "cancelled"])
def test_what_is_settled_gets_no_payment_link(browser, client, replaced, example, status):
    client.patch(f"/api/invoices/{example}", json={"status": status})

    assert curl.run(browser(), CREATE_LINK, replaced).status_code == 409


@pytest.mark.parametrize("failure", [UpstreamFailed("Stripe does not answer"), Declined("Stripe refused: no account")])
def test_a_gateway_that_fails_is_a_stripe_integration_error(browser, client, replaced, example, failure, monkeypatch):
    class Failing(SandboxGateway):
        def create_link(self, charge, way, *, key):
            raise failure

    monkeypatch.setattr(configured, "gateway", lambda sessions, settings: Failing(sessions, settings))

    refused = curl.run(browser(), CREATE_LINK, replaced)

    assert (refused.status_code, refused.json()["error"]) == (500, "Stripe integration error")
    assert refused.json()["reference"]
    assert client.get(f"/api/invoices/{example}").json()["status"] == "draft"
