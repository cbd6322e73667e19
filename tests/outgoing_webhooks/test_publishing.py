"""Endpoints are sent what happened: once, signed, with the change itself, and nothing that was rolled back."""

import hashlib
import hmac
import json
import socket
import threading
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import select, update

from billing_core import figures
from billing_core.businesses.models import Business
from billing_core.businesses.queries import default_business
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending, outgoing_events
from billing_core.invoices import service as invoices
from billing_core.jobs import outgoing_webhook_delivery
from billing_core.outbox import queries as outbox_queries
from billing_core.outbox import service as outbox
from billing_core.outbox.delivery import deliver_due
from billing_core.outbox.figures import FAILED_MAILS
from billing_core.outbox.models import WEBHOOK, MessageState, OutboxMessage
from billing_core.outbox.queries import MessageFilter
from billing_core.outgoing_webhooks import delivery, queries, service
from billing_core.outgoing_webhooks.figures import FAILED_WEBHOOKS
from billing_core.outgoing_webhooks.service import EndpointDetails
from billing_core.outgoing_webhooks.signing import secret_of, signature
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.web.api import event_payloads, exact_json
from tests.database.counting import statements
from tests.invoices.company import a_customer, an_invoice
from tests.invoices.company import a_draft as draft_for

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TODAY = date(2026, 5, 4)
KEY = "k" * 40
READER = actor_with(Role.MANAGER, user_id=None, name="Rita Reader")


class Listener:
    """A webhook endpoint: keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.heard.append((dict(self.headers), body))
                self.send_response(listener.answers.pop(0) if listener.answers else 200)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_args):
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?tenant=1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def listener():
    opened = Listener()
    yield opened
    opened.stop()


def a_draft(session, ref="ACME"):
    return draft_for(session, a_customer(session, ref), issued_on=TODAY)


def subscribe(sessions, url="https://hooks.example.com/", *events) -> int:
    with sessions.begin() as session:
        wanted = EndpointDetails(url, tuple(events))
        return service.register(session, SYSTEM, wanted, private_allowed=True, now=NOW).id


def told(sessions) -> list[tuple[str, list]]:
    with sessions() as session:
        rows = session.scalars(select(OutboxMessage).where(OutboxMessage.channel == WEBHOOK).order_by(OutboxMessage.id))
        return [(row.topic, row.content["about"]) for row in rows]


def deliver(sessions, *, private_allowed=True):
    call = delivery.adapter(
        sessions,
        signing_key=KEY,
        render=event_payloads.rendered,
        serialise=exact_json.encode,
        private_allowed=private_allowed,
    )
    queue = outgoing_webhook_delivery.QUEUE
    return deliver_due(sessions, {WEBHOOK: call}, queue=queue, now_of=lambda: NOW, chance=lambda: 0.0)


def test_an_invoice_s_life_is_told_in_order_to_those_who_listen(sessions):
    everything = subscribe(sessions)
    subscribe(sessions, "https://paid.example.com/", "invoice.paid")
    with sessions.begin() as session:
        invoice_id = a_draft(session).id
    with sessions.begin() as session:
        invoices.send(session, SYSTEM, invoice_id, now=NOW)
    with sessions.begin() as session:
        invoice = after_sending.mark_overdue(session, SYSTEM, invoice_id, now=NOW)
        paid = Received(invoice.currency, invoice.due_minor, PaymentMethod.CASH, invoice.issued_on)
        received.record_for(session, SYSTEM, invoice_id, received=paid, today=TODAY, now=NOW)

    about = ["invoice", invoice_id]
    assert told(sessions) == [
        ("invoice.created", about),
        ("invoice.sent", about),
        ("invoice.overdue", about),
        ("invoice.paid", about),
        ("invoice.paid", about),
    ]
    with sessions() as session:
        rows = queries.deliveries(session, SYSTEM, everything)
        assert [row.topic for row in rows] == ["invoice.paid", "invoice.overdue", "invoice.sent", "invoice.created"]
        assert len({row.event_id for row in rows}) == 4


def test_who_begins_or_ceases_to_listen_in_the_same_transaction_is_taken_into_account(session):
    def listen(url: str) -> int:
        wanted = EndpointDetails(url)
        return service.register(session, SYSTEM, wanted, private_allowed=True, now=NOW).id

    refs = iter("ABCDEFGH")

    def heard() -> set[str]:
        created = a_draft(session, next(refs)).id
        rows = session.execute(select(OutboxMessage.recipient, OutboxMessage.content))
        return {host for host, content in rows if content["about"] == ["invoice", created]}

    assert heard() == set()
    listen("https://first.example.com/")
    assert heard() == {"first.example.com"}
    part = session.begin_nested()
    second = listen("https://second.example.com/")
    assert heard() == {"first.example.com", "second.example.com"}
    service.remove(session, SYSTEM, second, now=NOW)
    assert heard() == {"first.example.com"}
    listen("https://third.example.com/")
    assert heard() == {"first.example.com", "third.example.com"}
    part.rollback()
    assert heard() == {"first.example.com"}


def test_an_invoice_s_events_are_told_after_one_look_at_who_listens(sessions):
    subscribe(sessions)
    with sessions.begin() as session, statements(sessions.engine) as sent:
        invoices.send(session, SYSTEM, a_draft(session).id, now=NOW)
    assert [topic for topic, _ in told(sessions)] == ["invoice.created", "invoice.sent"]
    assert len([one for one in sent if "FROM webhook_endpoints" in one]) == 1


def test_an_invoice_is_told_with_the_status_of_its_own_business_s_day(session, monkeypatch):
    """Noon of 5 May in UTC is 6 May on Kiritimati: what was due on the 5th is overdue there, as the API says."""
    far = Business(name="Far", currency="USD", time_zone="Pacific/Kiritimati")
    session.add(far)
    session.flush()
    customer = a_customer(session)
    due = date(2026, 5, 5)
    near_id, far_id = (
        an_invoice(session, customer, issued_on=TODAY, due_on=due, business_id=business_id).id
        for business_id in (default_business(session).id, far.id)
    )
    monkeypatch.setattr(event_payloads, "utc_now", lambda: datetime(2026, 5, 5, 12, tzinfo=UTC))
    told_as = [event_payloads.rendered(session, "invoice", one) for one in (near_id, far_id)]
    assert [one and one["status"] for one in told_as] == ["sent", "overdue"]


def test_what_was_rolled_back_is_not_told_and_nobody_listening_costs_nothing(sessions):
    with sessions.begin() as session:
        a_draft(session)
    assert told(sessions) == []
    subscribe(sessions)
    with sessions.begin() as session:
        a_draft(session, "OTHER")
        session.rollback()
    assert told(sessions) == []


def test_a_due_date_that_passed_is_told_once(sessions):
    with sessions.begin() as session:
        invoice = a_draft(session)
        invoices.send(session, SYSTEM, invoice.id, now=NOW)
        day_after = date.fromordinal(invoice.due_on.toordinal() + 1)
    subscribe(sessions)
    for today in (invoice.due_on, day_after, day_after):
        with sessions.begin() as session:
            outgoing_events.overdue(session, SYSTEM, today=today, now=NOW)
    assert told(sessions) == [("invoice.overdue", ["invoice", invoice.id])]


def test_a_message_is_signed_and_holds_the_invoice_as_the_api_shows_it(sessions, listener):
    endpoint_id = subscribe(sessions, listener.url, "invoice.sent")
    with sessions.begin() as session:
        invoice = a_draft(session)
        invoices.send(session, SYSTEM, invoice.id, now=NOW)
        public_id, number = invoice.public_id, invoice.number
        endpoint = service.one(session, SYSTEM, endpoint_id)
        secret = secret_of(KEY, endpoint.public_id, 1)

    assert deliver(sessions).delivered == 1

    ((headers, body),) = listener.heard
    event = json.loads(body)
    assert (event["type"], event["data"]["object"]["invoice_id"]) == ("invoice.sent", public_id)
    assert event["data"]["object"]["invoice_number"] == number
    # 2 × 100.00 at 19 %.
    assert event["data"]["object"]["total_amount"] == 238
    stamp, made = (part.partition("=")[2] for part in headers["Billing-Signature"].split(","))
    # Computed here as Stripe's manual describes it.
    assert made == hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert signature(body, secret, datetime.fromtimestamp(int(stamp), UTC)) == headers["Billing-Signature"]


def test_an_endpoint_that_refuses_is_tried_again_and_a_redirect_is_not_followed(sessions, listener):
    subscribe(sessions, listener.url)
    with sessions.begin() as session:
        a_draft(session)
    listener.answers = [302]
    assert (deliver(sessions).postponed, len(listener.heard)) == (1, 1)
    with sessions() as session:
        (message,) = session.scalars(select(OutboxMessage))
        assert (message.state, message.attempts) == (MessageState.WAITING, 1)
        assert "answered 302" in message.last_error


def test_an_address_in_our_own_network_is_not_called_even_where_it_was_registered(sessions, listener):
    subscribe(sessions, listener.url)
    with sessions.begin() as session:
        a_draft(session)
    assert deliver(sessions, private_allowed=False).postponed == 1
    assert listener.heard == []


def test_who_does_not_answer_is_waited_for_once_and_keeps_nobody(sessions, listener, monkeypatch):
    monkeypatch.setattr(delivery, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        subscribe(sessions, f"http://127.0.0.1:{mute.getsockname()[1]}/")
        subscribe(sessions, listener.url)
        with sessions.begin() as session:
            a_draft(session)
            a_draft(session, "OTHER")
        outcome = deliver(sessions)
    assert (outcome.delivered, outcome.postponed, len(listener.heard)) == (2, 2, 2)
    with sessions() as session:
        said = select(OutboxMessage.last_error).where(OutboxMessage.last_error != "").order_by(OutboxMessage.id)
        assert [reason.split(" ", 1)[1] for reason in session.scalars(said)] == [
            "did not answer within 0.2 seconds",
            "did not answer a moment ago, so it was not asked",
        ]


def test_who_was_removed_hears_nothing_more(sessions, listener):
    endpoint_id = subscribe(sessions, listener.url)
    with sessions.begin() as session:
        a_draft(session)
        service.remove(session, SYSTEM, endpoint_id, now=NOW)
    assert deliver(sessions).unwanted == 1
    assert listener.heard == []
    with sessions.begin() as session, pytest.raises(NotFound):
        service.rotate(session, SYSTEM, endpoint_id, now=NOW)


def test_what_failed_needs_a_hand_until_it_is_laid_aside_or_its_address_removed(sessions):
    ids = [subscribe(sessions, f"https://{name}.example.com/") for name in ("one", "two")]
    with sessions.begin() as session:
        a_draft(session)
        session.execute(update(OutboxMessage).values(state=MessageState.FAILED))

    def needing_a_hand() -> int:
        with sessions() as session:
            # They have a log of their own: a thousand of them would bury the mails.
            assert outbox_queries.count(session, SYSTEM, MessageFilter()) == 0
            assert outbox_queries.counts(session, SYSTEM) == {}
            assert figures.count(session, SYSTEM, FAILED_MAILS, Scope()) == 0
            return figures.count(session, SYSTEM, FAILED_WEBHOOKS, Scope())

    assert needing_a_hand() == 2
    with sessions() as session:
        assert outbox_queries.counts_of_all(session, SYSTEM) == {(WEBHOOK, MessageState.FAILED): 2}
        assert queries.failed(session, SYSTEM, ids[0], limit=0) == []
        (message_id,) = queries.failed(session, SYSTEM, ids[0])
    with sessions.begin() as session:
        assert outbox.lay_aside(session, SYSTEM, [message_id], now=NOW) == 1
        assert outbox.lay_aside(session, SYSTEM, [message_id], now=NOW) == 0
    assert needing_a_hand() == 1
    with sessions.begin() as session:
        service.remove(session, SYSTEM, ids[1], now=NOW)
    assert needing_a_hand() == 0


def test_only_an_administrator_registers_and_what_is_wrong_is_named(session):
    with pytest.raises(Forbidden):
        service.register(session, READER, EndpointDetails("https://a.example.com/"), private_allowed=False, now=NOW)
    for wanted, field in (
        (EndpointDetails("https://10.0.0.1/"), "url"),
        (EndpointDetails("https://a.example.com/", ("invoice.eaten",)), "events"),
        (EndpointDetails("https://a.example.com/", ("ping",)), "events"),
        (EndpointDetails("https://a.example.com/", (), "x" * 201), "description"),
    ):
        with pytest.raises(Invalid) as refusal:
            service.register(session, SYSTEM, wanted, private_allowed=False, now=NOW)
        assert list(refusal.value.fields) == [field]


def test_a_new_secret_replaces_the_former_and_a_stale_change_is_refused(session):
    made = service.register(session, SYSTEM, EndpointDetails("https://a.example.com/"), private_allowed=False, now=NOW)
    drawn, before = made.version, secret_of(KEY, made.public_id, made.secret_turn)
    service.rotate(session, SYSTEM, made.id, now=NOW)
    assert secret_of(KEY, made.public_id, made.secret_turn) != before
    wanted = EndpointDetails("https://b.example.com/")
    with pytest.raises(Conflict):
        service.change(session, SYSTEM, made.id, wanted, private_allowed=False, drawn_from=drawn, now=NOW)
