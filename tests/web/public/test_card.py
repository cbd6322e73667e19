"""Where a customer puts a card on file: the way to the gateway, the sandbox's page with its test cards, and after."""

import json
import re

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.off_session import methods, requests
from billing_core.online_payments.sandbox import cards as sandbox_cards
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.outbox.models import OutboxMessage
from billing_core.settings import Settings, settings
from billing_core.web.public import card as card_page
from tests.invoices.company import a_customer
from tests.online_payments.created_links import deliver
from tests.online_payments.gateways import ScriptedGateway
from tests.online_payments.linked import tell
from tests.web.forms import answered, submit

GOOD = {"number": "4242 4242 4242 4242", "expiry": "12 / 40", "cvc": "123"}


@pytest.fixture
def database_url(sqlite_url) -> str:
    """These pages do the same on either database."""
    return sqlite_url


@pytest.fixture
def customer_id(product, sessions) -> int:
    with sessions.begin() as session:
        known = a_customer(session)
        session.get_one(Customer, known).name = "Contoso <AG>"
        return known


@pytest.fixture
def token(sessions, customer_id) -> str:
    with sessions.begin() as session:
        return requests.ask(session, SYSTEM, customer_id, now=utc_now()).token


def words(answer) -> str:
    return re.sub(r"\s+", " ", answer.text)


def sent(visitor, token, card, *, follow_redirects=True):
    """The sandbox's form, filled in and sent."""
    visitor.follow_redirects = follow_redirects
    return submit(visitor, f"/card/{token}/enter", f"/card/{token}/enter", **card)


def told(sessions) -> list[dict]:
    with sessions() as session:
        waiting = session.scalars(select(OutboxMessage.content).where(OutboxMessage.channel == "sandbox"))
        return [json.loads(content["event"]) for content in waiting]


def test_the_address_says_who_asks_and_leads_to_the_sandboxs_form(visitor, token):
    page = visitor.get(f"/card/{token}")
    assert page.status_code == 200
    assert "Add a card" in page.text
    assert f'href="/card/{token}/go"' in page.text
    assert "Contoso <AG>" not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in page.headers["X-Robots-Tag"]
    on = visitor.get(f"/card/{token}/go", follow_redirects=False)
    assert (on.status_code, on.headers["location"]) == (303, f"{settings().address}/card/{token}/enter")
    form = visitor.get(f"/card/{token}/enter")
    assert "This is a test: no money moves" in form.text
    assert "4000 0000 0000 0341" in form.text
    assert "Contoso &lt;AG&gt;" in form.text


def test_with_stripe_it_leads_there(sessions, visitor, token, monkeypatch):
    monkeypatch.setattr(settings(), "stripe_secret_key", SecretStr("sk_test_x"))
    gateway = ScriptedGateway()
    monkeypatch.setattr("billing_core.online_payments.configured.gateway", lambda *_: gateway)
    on = visitor.get(f"/card/{token}/go", follow_redirects=False)
    assert (on.status_code, on.headers["location"].startswith("https://pay.example/set-up/crq_")) == (303, True)
    assert visitor.get(f"/card/{token}/enter").status_code == 404
    assert "This is a test" not in visitor.get(f"/card/{token}").text
    gateway.fails = ["down"]
    down = visitor.get(f"/card/{token}/go")
    assert (down.status_code, "The payment service does not answer" in down.text) == (502, True)


def test_a_good_card_is_on_file_once_its_event_came(sessions, visitor, token, customer_id, monkeypatch):
    saved = sent(visitor, token, GOOD, follow_redirects=False)
    assert (saved.status_code, saved.headers["location"]) == (303, f"/card/{token}/done")
    waiting = visitor.get(f"/card/{token}/done")
    assert "Your card is being saved" in waiting.text
    assert waiting.headers["Refresh"].endswith(f"/card/{token}/done?looks=1")
    (event,) = told(sessions)
    tell(sessions, event, now=utc_now(), mode=Mode.SANDBOX)
    deliver(sessions, SandboxGateway(sessions, Settings(secret_key="x" * 32)), monkeypatch, now=utc_now())
    there = visitor.get(f"/card/{token}/done")
    assert "Thank you, the card is on file" in there.text
    assert "Visa •••• 4242" in there.text
    assert "Refresh" not in there.headers
    # The address is used up.
    assert "Thank you" in visitor.get(f"/card/{token}").text
    assert visitor.get(f"/card/{token}/enter", follow_redirects=False).status_code == 303
    with sessions() as session:
        assert len(methods.of_customer(session, SYSTEM, customer_id)) == 1


def test_no_number_is_kept_anywhere(sessions, visitor, token):
    sent(visitor, token, GOOD)
    (event,) = told(sessions)
    assert event["data"]["object"]["payment_method"] == "pm_card_visa"
    assert "4242424242424242" not in json.dumps(event)


@pytest.mark.parametrize(
    ("card", "status", "said"),
    [
        (GOOD | {"number": "4000000000000002"}, 402, "The card was declined. It was not saved."),
        (GOOD | {"number": "4111 1111 1111 1111"}, 400, "Card number is not one of the test cards"),
        (GOOD | {"number": "4242 4242 4242 4241"}, 400, "Card number has a wrong digit"),
        (GOOD | {"expiry": "12 / 20"}, 400, "Expiry date lies in the past"),
        (GOOD | {"cvc": ""}, 400, "Security code is not complete"),
    ],
)
def test_what_is_wrong_with_a_card_is_said_at_its_field(sessions, visitor, token, card, status, said):
    refused = sent(visitor, token, card)
    assert refused.status_code == status
    assert said in words(refused)
    assert card["number"] not in refused.text or not card["number"].startswith("4111")
    assert told(sessions) == []


CONFIRMED = {"number": "4000 0025 0000 3155", "expiry": "12 / 40", "cvc": "123"}


def test_a_card_that_has_to_be_confirmed_is_saved_once_it_is(sessions, visitor, token):
    """It is entered, refused at the bank, entered again and confirmed; then it is charged without its holder."""
    asks = sent(visitor, token, CONFIRMED)
    assert (asks.status_code, "Do you confirm that" in asks.text) == (200, True)
    assert "3155" not in asks.text
    refused = answered(visitor, asks, f"/card/{token}/bank", answer="refuse")
    assert (refused.status_code, "The card was not confirmed. It was not saved." in words(refused)) == (402, True)
    assert told(sessions) == []
    asks = sent(visitor, token, CONFIRMED)
    visitor.follow_redirects = False
    saved = answered(visitor, asks, f"/card/{token}/bank", answer="confirm")
    assert (saved.status_code, saved.headers["location"]) == (303, f"/card/{token}/done")
    (event,) = told(sessions)
    method_id = event["data"]["object"]["payment_method"]
    assert sandbox_cards.of_method(method_id) == ("visa", "3155")
    assert sandbox_cards.when_charged(method_id) is sandbox_cards.Outcome.SUCCEEDS


def test_nobody_confirms_from_another_site(sessions, visitor, token):
    assert visitor.post(f"/card/{token}/bank", data={"answer": "confirm"}).status_code == 403
    assert told(sessions) == []


def test_a_form_of_another_site_is_refused(sessions, visitor, token):
    assert visitor.post(f"/card/{token}/enter", data=GOOD).status_code == 403
    assert told(sessions) == []


@pytest.mark.parametrize(
    "path", ["/card/nothing", "/card/nothing/go", "/card/nothing/done", "/card/a/b/c", "/card/%00"]
)
def test_an_address_that_is_none_says_so(visitor, product, path):
    answer = visitor.get(path)
    assert (answer.status_code, "No card is asked for at this address" in answer.text) == (404, True)


def test_an_address_that_has_ended_says_so(sessions, visitor, token, monkeypatch):
    later = utc_now() + requests.VALID_FOR
    monkeypatch.setattr(card_page, "utc_now", lambda: later)
    for path in ("", "/done"):
        ended = visitor.get(f"/card/{token}{path}")
        assert (ended.status_code, "This address cannot be used any more" in ended.text) == (410, True)
    assert visitor.get(f"/card/{token}/go", follow_redirects=False).headers["location"] == f"/card/{token}"


def test_it_speaks_the_customers_language(sessions, visitor, token, customer_id):
    with sessions.begin() as session:
        session.get_one(Customer, customer_id).language = "de"
    assert "Karte hinterlegen" in visitor.get(f"/card/{token}").text
    assert "Karte speichern" in visitor.get(f"/card/{token}/enter").text
