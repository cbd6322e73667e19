"""Where a customer pays: the way on to the gateway, the sandbox's page with its test cards, and what is said after."""

import json
import re
from datetime import date

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from billing_core.businesses.queries import default_business
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import CollectionWay, LinkState, PaymentLink
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.links import workflow
from billing_core.online_payments.models import SandboxCharge
from billing_core.online_payments.sandbox import gateway as sandbox_gateway
from billing_core.online_payments.sandbox.cards import Outcome
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.outbox.models import OutboxMessage
from billing_core.settings import Settings, settings
from billing_core.web import throttle
from tests.invoices.company import GRACE, a_customer, a_line, an_invoice
from tests.online_payments.gateways import ScriptedGateway
from tests.web.forms import submit

CHROME = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36", "Accept": "text/html"}
GOOD = {"number": "4242 4242 4242 4242", "expiry": "12 / 40", "cvc": "123"}


@pytest.fixture
def database_url(sqlite_url) -> str:
    """These pages do the same on either database."""
    return sqlite_url


@pytest.fixture
def invoice_id(product, sessions):
    """238.00 USD, due in the far future."""
    with sessions.begin() as session:
        line = a_line("Consulting <script>")
        return an_invoice(session, a_customer(session), line, due_on=date(2099, 4, 1)).id


@pytest.fixture
def link(sessions, invoice_id):
    """A link of the sandbox."""
    gateway = SandboxGateway(sessions, Settings(public_url="https://b.example"))
    return created(sessions, gateway, invoice_id)


def created(sessions, gateway, invoice_id):
    link_id = workflow.create(sessions, GRACE, gateway, invoice_id, now=utc_now())
    return seen(sessions, link_id)


def seen(sessions, link_id) -> links.LinkRow:
    with sessions() as session:
        return links.one(session, GRACE, link_id)


def told(sessions):
    """The events that wait to be told, by type."""
    with sessions() as session:
        waiting = session.scalars(select(OutboxMessage).where(OutboxMessage.channel == "sandbox"))
        return {event["type"]: event["data"]["object"] for event in (json.loads(m.content["event"]) for m in waiting)}


def words(answer) -> str:
    return re.sub(r"\s+", " ", answer.text)


def test_a_link_of_stripe_leads_on_to_it_and_counts_who_has_opened_it(sessions, invoice_id, visitor, signed_in):
    """Cards are typed in at Stripe only."""
    link = created(sessions, ScriptedGateway(), invoice_id)

    answer = visitor.get(f"/pay/{link.token}", headers=CHROME)

    assert (answer.status_code, answer.headers["location"]) == (303, link.url)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert visitor.get(f"/pay/{link.token}", headers={"User-Agent": "curl/8"}).status_code == 303
    assert signed_in("admin").get(f"/pay/{link.token}", headers=CHROME).status_code == 303
    assert seen(sessions, link.id).clicks == 1
    assert submit(visitor, "/auth/sign-in", f"/pay/{link.token}", **GOOD).status_code == 404


def submit_card(visitor, link, **changed):
    return submit(visitor, f"/pay/{link.token}", f"/pay/{link.token}", **GOOD | changed)


def opened(visitor, link):
    """Open the card form now, and send it by calling what is returned, whatever has happened since."""
    form = visitor.get(f"/pay/{link.token}", headers=CHROME)
    token = re.search(r'name="form_token" value="([^"]+)"', form.text)[1]
    headers = {"Accept": "text/html", "Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    return lambda: visitor.post(f"/pay/{link.token}", data={"form_token": token, **GOOD}, headers=headers)


def test_the_sandbox_says_that_no_money_moves_and_what_is_asked_for(link, visitor):
    answer = visitor.get(f"/pay/{link.token}", headers=CHROME)

    assert answer.status_code == 200
    text = words(answer)
    for said in ("no money moves", "$238.00", "INV-2026-001", "Consulting &lt;script&gt; × 2", "Tax 19%", "$38.00"):
        assert said in text
    for card in ("4242 4242 4242 4242", "4000 0000 0000 0002", "4000 0000 0000 0069", "4000 0025 0000 3155"):
        assert card in text
    headers = answer.headers
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "same-origin")
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "noindex" in headers["x-robots-tag"]


def test_a_good_card_pays_once(link, visitor, sessions):
    in_another_window = opened(visitor, link)
    answer = submit_card(visitor, link)

    assert (answer.status_code, answer.headers["location"]) == (303, f"/pay/{link.token}/done")
    done = visitor.get(f"/pay/{link.token}/done", headers=CHROME)
    assert "is being confirmed" in words(done)
    assert done.headers["refresh"] == f"2; url=/pay/{link.token}/done?looks=1"
    assert "refresh" not in visitor.get(f"/pay/{link.token}/done?looks=30", headers=CHROME).headers
    events = told(sessions)
    assert list(events) == ["payment_intent.succeeded", "checkout.session.completed"]
    intent, session = events.values()
    assert (intent["amount_received"], intent["currency"], session["amount_total"]) == (238_00, "usd", 238_00)
    assert intent["metadata"]["link_id"] == link.public_id
    assert "being confirmed" in words(visitor.get(f"/pay/{link.token}", headers=CHROME))
    assert in_another_window().status_code == 303
    with sessions() as session:
        assert len(session.scalars(select(SandboxCharge)).all()) == 1


@pytest.mark.parametrize(
    ("number", "said", "code", "reason"),
    [
        ("4000 0000 0000 0002", "The card was declined", "card_declined", "Your card was declined."),
        ("4000-0000-0000-0069", "The card has expired", "expired_card", "Your card has expired."),
    ],
)
def test_a_bad_card_pays_nothing_and_another_may_be_tried(link, visitor, sessions, number, said, code, reason):
    answer = submit_card(visitor, link, number=number)

    assert answer.status_code == 402
    assert said in words(answer)
    error = told(sessions)["payment_intent.payment_failed"]["last_payment_error"]
    assert (error["code"], error["message"]) == (code, reason)
    assert submit_card(visitor, link).status_code == 303


@pytest.mark.parametrize("answer", ["confirm", "refuse"])
def test_the_bank_may_ask_the_cardholder(link, visitor, sessions, answer):
    asked = submit_card(visitor, link, number="4000 0025 0000 3155")

    assert asked.status_code == 200
    assert "Do you confirm this payment of $238.00" in words(asked)
    assert told(sessions) == {}
    then = submit(visitor, f"/pay/{link.token}", f"/pay/{link.token}/bank", answer=answer)
    if answer == "confirm":
        assert then.status_code == 303
        assert "payment_intent.succeeded" in told(sessions)
    else:
        assert then.status_code == 402
        assert "payment_intent.payment_failed" in told(sessions)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"number": "4242 4242 4242 4241"}, "Card number has a wrong digit"),
        ({"number": "5555 5555 5555 4444"}, "Card number is not one of the test cards"),
        ({"number": "4242"}, "Card number is not complete"),
        ({"number": "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"}, "Card number is not complete"),
        ({"expiry": "13 / 40"}, "Expiry date is not complete"),
        ({"expiry": "01/20"}, "Expiry date lies in the past"),
        ({"cvc": "12"}, "Security code is not complete"),
    ],
)
def test_a_card_that_cannot_be_is_refused_at_its_field_and_never_shown_again(link, visitor, sessions, changed, said):
    answer = submit_card(visitor, link, **changed)

    assert answer.status_code == 400
    assert said in words(answer)
    assert f'id="{next(iter(changed))}"' in answer.text.partition("autofocus")[0].rpartition("<input")[2]
    if changed.get("number", "").startswith("5"):
        assert "5555" not in answer.text
    with sessions() as session:
        assert session.scalars(select(SandboxCharge)).all() == []


def test_other_sites_forms_are_refused(link, visitor):
    visitor.get(f"/pay/{link.token}", headers=CHROME)

    assert visitor.post(f"/pay/{link.token}", data=GOOD).status_code == 403
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert visitor.post(f"/pay/{link.token}", data=GOOD, headers=elsewhere).status_code == 403


def test_a_link_that_has_ended_says_so_and_leads_to_the_invoice(link, visitor, sessions):
    in_another_window = opened(visitor, link)
    with sessions.begin() as session:
        workflow.deactivate(session, GRACE, link.id, reason="Replaced", now=utc_now())
        token = session.get_one(Invoice, link.invoice_id).token

    answer = visitor.get(f"/pay/{link.token}", headers=CHROME)

    assert answer.status_code == 410
    assert "cannot be used any more" in words(answer)
    assert f'href="/i/{token}"' in answer.text
    assert "Replaced" not in answer.text
    assert in_another_window().headers["location"] == f"/pay/{link.token}"
    assert told(sessions) == {}


def test_a_link_beyond_its_last_day_takes_nothing_before_the_job_ends_it(link, visitor, sessions):
    in_another_window = opened(visitor, link)
    with sessions.begin() as session:
        session.get_one(PaymentLink, link.id).expires_at = utc_now()

    assert visitor.get(f"/pay/{link.token}", headers=CHROME).status_code == 410
    in_another_window()
    assert told(sessions) == {}


def test_nobody_pays_in_the_sandbox_once_the_product_collects_through_stripe(link, visitor, sessions, monkeypatch):
    in_another_window = opened(visitor, link)
    monkeypatch.setattr(settings(), "stripe_secret_key", SecretStr("sk_live_0123456789"))

    assert visitor.get(f"/pay/{link.token}", headers=CHROME).status_code == 410
    assert in_another_window().headers["location"] == f"/pay/{link.token}"
    assert told(sessions) == {}
    # Nor is anybody led there: the invoice's own page does not offer it, and the mail's link leads to that page.
    with sessions() as session:
        invoice = f"/i/{session.get_one(Invoice, link.invoice_id).token}"
    assert "Pay online" not in visitor.get(invoice, headers=CHROME).text
    assert visitor.get(f"{invoice}/pay", headers=CHROME).headers["location"] == invoice


def test_what_is_paid_says_thank_you(link, visitor, sessions):
    with sessions.begin() as session:
        session.get_one(PaymentLink, link.id).state = LinkState.PAID

    for page in ("", "/done"):
        answer = visitor.get(f"/pay/{link.token}{page}", headers=CHROME)
        assert "Thank you, this is paid" in words(answer)
        assert "refresh" not in answer.headers


def test_nothing_tells_a_link_that_never_was_from_one_that_is_being_created(sessions, invoice_id, visitor):
    with sessions.begin() as session:
        asked = workflow._ask(session, GRACE, ScriptedGateway().mode, invoice_id, now=utc_now())
        token = session.get_one(PaymentLink, asked.link_id).token

    for path in (f"/pay/{token}", "/pay/never-was", "/pay/", f"/pay/{token}/done", "/pay/x/y/z", "/pay/%00"):
        answer = visitor.get(path, headers=CHROME)
        assert answer.status_code == 404
        assert "nothing to pay at this address" in words(answer)


def test_customers_are_spoken_to_in_their_language(sessions, visitor, product):
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session), language="de", due_on=date(2099, 4, 1))
    link = created(sessions, SandboxGateway(sessions, Settings()), invoice.id)

    text = words(visitor.get(f"/pay/{link.token}", headers=CHROME))

    assert "Es fließt kein Geld" in text
    assert "238,00\u00a0$ zahlen" in text or "238,00 $ zahlen" in text


def test_the_invoices_own_page_leads_to_the_payment_while_it_can_be_paid(link, visitor, sessions):
    with sessions() as session:
        token = session.get_one(Invoice, link.invoice_id).token
    assert f'/pay/{link.token}"' in visitor.get(f"/i/{token}", headers=CHROME).text
    assert visitor.get(f"/i/{token}/pay", headers=CHROME).headers["location"] == f"/pay/{link.token}"

    with sessions.begin() as session:
        workflow.deactivate(session, GRACE, link.id, reason="Old", now=utc_now())

    assert "/pay/" not in visitor.get(f"/i/{token}", headers=CHROME).text
    assert visitor.get(f"/i/{token}/pay", headers=CHROME).headers["location"] == f"/i/{token}"
    assert visitor.get("/i/never-was/pay", headers=CHROME).status_code == 404


def test_nobody_guesses_links_by_trying(visitor):
    for _ in range(throttle.PUBLIC_PER_ADDRESS.amount):
        assert visitor.get("/pay/guess", headers=CHROME).status_code == 404
    refused = visitor.get("/pay/guess", headers=CHROME)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


def test_a_hosted_invoice_tells_of_itself_by_its_own_events(sessions, invoice_id, product):
    with sessions.begin() as session:
        default_business(session).collects_by = CollectionWay.HOSTED_INVOICE.value
    link = created(sessions, SandboxGateway(sessions, Settings()), invoice_id)
    with sessions.begin() as session:
        sandbox_gateway.pay(session, SYSTEM, link.id, Outcome.DECLINED, now=utc_now())
        sandbox_gateway.pay(session, SYSTEM, link.id, Outcome.SUCCEEDS, now=utc_now())

    events = told(sessions)
    assert list(events) == ["invoice.payment_failed", "invoice.paid"]
    assert {event["id"] for event in events.values()} == {link.stripe_invoice_id}
    assert events["invoice.paid"]["amount_paid"] == 238_00
