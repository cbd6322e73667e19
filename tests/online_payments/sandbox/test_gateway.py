"""The embedded sandbox: its books, its cards, and its events on their way to our own address."""

import threading
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import select

from billing_core.businesses.queries import default_business
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices import lifecycle
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import CollectionWay, LinkState, Mode
from billing_core.online_payments import configured, delivery, refunding
from billing_core.online_payments import verification as online_payments
from billing_core.online_payments.gateway import BalanceTransaction, Charge, Declined, OffSessionCharge
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.links import workflow
from billing_core.online_payments.models import PaymentCase
from billing_core.online_payments.sandbox import gateway as sandbox_gateway
from billing_core.online_payments.sandbox.cards import Outcome, outcome
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.stripe import signature as stripe_signature
from billing_core.online_payments.webhooks import inbox
from billing_core.outbox import delivery as outbox
from billing_core.outbox.models import OutboxMessage
from billing_core.payments.models import Payment, Refund
from billing_core.receivables import verification
from billing_core.settings import Settings
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_draft, a_line, an_invoice
from tests.online_payments.gateways import ScriptedGateway

# When whatever was put into the outbox until LATER is delivered and applied.
SOON = LATER + timedelta(minutes=1)
SETTINGS = Settings(secret_key="x" * 32, stripe_secret_key=None)


@pytest.fixture
def gateway(sessions) -> SandboxGateway:
    return SandboxGateway(sessions, SETTINGS, now_of=lambda: LATER)


def created(sessions, gateway, *, way=CollectionWay.PAYMENT_LINK, **facts) -> links.LinkRow:
    """A link for 238.00 USD."""
    with sessions.begin() as session:
        default_business(session).collects_by = way.value
        invoice_id = an_invoice(session, a_customer(session), **facts).id
    link_id = workflow.create(sessions, GRACE, gateway, invoice_id, now=NOW)
    with sessions() as session:
        return links.one(session, GRACE, link_id)


def pay(sessions, link, what=Outcome.SUCCEEDS, *, now=LATER):
    with sessions.begin() as session:
        return sandbox_gateway.pay(session, SYSTEM, link.id, what, now=now)


class OurAddress:
    """What listens at /webhooks/stripe: keeps what comes, and answers with ``status``."""

    def __init__(self) -> None:
        self.status, self.heard = 200, []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:  # noqa: N805 - its name and its self are the library's
                payload = handler.rfile.read(int(handler.headers["Content-Length"]))
                heard.append((handler.path, payload, handler.headers["Stripe-Signature"]))
                handler.send_response(self.status)
                handler.end_headers()

            def log_message(handler, *_) -> None:  # noqa: N805
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


@contextmanager
def our_address():
    listening = OurAddress()
    thread = threading.Thread(target=listening.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield listening
    finally:
        listening.server.shutdown()
        listening.server.server_close()
        thread.join()


def deliver(sessions, *, port=1, now=SOON) -> outbox.Outcome:
    """Work the outbox off; our own address listens on that port."""
    settings = SETTINGS.model_copy(update={"port": port})
    return outbox.deliver_due(sessions, delivery.adapters(sessions, settings), now_of=lambda: now, chance=lambda: 0.0)


def apply(sessions, heard) -> None:
    """What the webhook's route and job do with what was heard."""
    for _, payload, signature in heard:
        event = stripe_signature.verify(payload, signature, configured.webhook_secret(SETTINGS))
        with sessions.begin() as session:
            inbox.store(session, event, payload, now=SOON)
    inbox.apply_due(sessions, Mode.SANDBOX, now_of=lambda: SOON)


@pytest.mark.parametrize("way", CollectionWay)
def test_the_whole_circle(sessions, gateway, way):
    """Declined, paid, its fee, refunded in two parts; and our books agree with themselves and with the sandbox's."""
    link = created(sessions, gateway, way=way)
    pay(sessions, link, Outcome.DECLINED)
    pay(sessions, link, now=LATER + timedelta(seconds=1))
    with our_address() as listening:
        deliver(sessions, port=listening.port)
        assert {path for path, _, _ in listening.heard} == {"/webhooks/stripe"}
        apply(sessions, listening.heard)
        # Its fee: 2.9 % of 238.00 is 6.902, and 0.30.
        deliver(sessions, port=listening.port)
        with sessions() as session:
            payment = session.scalars(select(Payment)).one()
            invoice = session.get_one(Invoice, link.invoice_id)
        assert (payment.amount_minor, payment.fee_minor, payment.currency) == (238_00, 7_20, "USD")
        assert (lifecycle.status(invoice, TODAY), invoice.payment_url) == ("paid", None)
        for part, reason in ((38_00, "Some"), (200_00, "The rest")):
            refunding.refund(sessions, GRACE, gateway, payment.id, amount_minor=part, reason=reason, now=SOON)
        listening.heard.clear()
        deliver(sessions, port=listening.port)
        apply(sessions, listening.heard)
        assert len(listening.heard) == 2

    with sessions() as session:
        assert lifecycle.status(session.get_one(Invoice, link.invoice_id), TODAY) == "refunded"
        assert [made.amount_minor for made in session.scalars(select(Refund).order_by(Refund.id))] == [38_00, 200_00]
        assert session.scalars(select(PaymentCase)).all() == []
        assert session.scalars(select(OutboxMessage.state).distinct()).all() == ["delivered"]
        proofs = [*verification.checks(session, today=TODAY), *online_payments.checks(session)]
        assert [check.wrong for check in proofs if check.wrong] == []
        # Its link has ended, no card was charged, and nobody disputes it.
        not_there = ("active", "card on file", "dispute")
        checks = online_payments.checks(session)
        assert all(check.proven for check in checks if not any(part in check.name for part in not_there))
    books = list(gateway.balance_transactions(LATER, LATER + timedelta(seconds=2)))
    assert [(line.type, line.amount_minor, line.fee_minor) for line in books if line.type == "charge"] == [
        ("charge", 238_00, 7_20)
    ]
    assert sorted(line.amount_minor for line in books if line.type == "refund") == [-200_00, -38_00]
    assert {line.intent_id for line in books} == {payment.intent_id}
    assert all(isinstance(line, BalanceTransaction) for line in books)
    assert list(gateway.balance_transactions(LATER + timedelta(seconds=2), LATER + timedelta(days=1))) == []


def test_an_event_that_is_not_heard_is_told_again(sessions, gateway):
    pay(sessions, created(sessions, gateway), Outcome.EXPIRED)

    assert deliver(sessions, port=1).postponed == 1
    with our_address() as listening:
        listening.status = 503
        assert deliver(sessions, port=listening.port, now=SOON + timedelta(minutes=1)).postponed == 1
        listening.status = 200
        assert deliver(sessions, port=listening.port, now=SOON + timedelta(minutes=7)).delivered == 1
        first, second = listening.heard
    assert first[1] == second[1]


def test_a_refund_is_made_once_and_never_more_than_was_paid(sessions, gateway):
    link = created(sessions, gateway)
    charge = pay(sessions, link)
    with sessions() as session:
        intent_id = session.merge(charge, load=False).intent_id

    first = gateway.refund(intent_id, 100_00, "USD", reason="Less", key="rfq_1")

    assert gateway.refund(intent_id, 100_00, "USD", reason="Less", key="rfq_1") == first
    assert first.refunded_minor == 100_00
    with pytest.raises(Declined, match="larger than what is left"):
        gateway.refund(intent_id, 138_01, "USD", reason="More", key="rfq_2")
    assert gateway.refund(intent_id, 138_00, "USD", reason="All", key="rfq_3").refunded_minor == 238_00
    for unknown, currency in (("pi_of_stripe", "USD"), (intent_id, "EUR")):
        with pytest.raises(Declined, match="has no such payment"):
            gateway.refund(unknown, 1, currency, reason="?", key="rfq_4")


def test_one_payment_is_all_that_a_link_takes_and_only_while_it_is_active(sessions, gateway):
    link = created(sessions, gateway)
    with pytest.raises(Conflict):
        pay(sessions, link, now=link.expires_at)
    pay(sessions, link)
    with pytest.raises(Conflict):
        pay(sessions, link)
    with pytest.raises(NotFound), sessions.begin() as session:
        sandbox_gateway.pay(session, SYSTEM, link.id + 1, Outcome.SUCCEEDS, now=LATER)


def test_a_link_that_ended_takes_nothing(sessions, gateway):
    link = created(sessions, gateway)
    with sessions.begin() as session:
        workflow.deactivate(session, GRACE, link.id, reason="Wrong", now=NOW)

    with pytest.raises(Conflict):
        pay(sessions, link)
    deliver(sessions)
    with sessions() as session:
        assert links.one(session, GRACE, link.id).state is LinkState.DEACTIVATED


def test_a_link_of_stripe_is_not_paid_in_the_sandbox(sessions):
    link = created(sessions, ScriptedGateway())

    with pytest.raises(NotFound):
        pay(sessions, link)


@pytest.mark.parametrize(
    ("unit_price", "currency", "why"),
    [
        # Kuwait's dinar has thousandths, of which Stripe takes no single one. There are two of each.
        ("0.5005", "KWD", "1.001 KWD cannot be paid through Stripe, which does not accept amounts that fine"),
        ("0.245", "USD", "0.49 USD cannot be paid through Stripe, which takes no less than 0.50 USD at once"),
        (
            "500000",
            "EUR",
            "1,000,000.00 EUR cannot be paid through Stripe, which takes no more than 999,999.99 EUR at once",
        ),
    ],
)
def test_what_stripe_does_not_take_nobody_is_asked_for_and_the_sandbox_refuses(
    sessions, gateway, unit_price, currency, why
):
    with sessions.begin() as session:
        line = a_line(unit_price=unit_price, tax_rate="0")
        draft = a_draft(session, a_customer(session), line, currency=currency)
    for ask in (workflow.create, preview):
        with pytest.raises(Conflict, match=f"^{why}: ask for it by bank transfer$"):
            ask(sessions, GRACE, gateway, draft.id, now=NOW)
    with sessions() as session:
        # It was not sent with a link that it did not get.
        assert session.get_one(Invoice, draft.id).number is None
        assert links.of_invoice(session, GRACE, draft.id) == []
    charge = Charge(
        *("lnk_1", "inv_1", "1", currency, draft.total_minor, ()),
        *("ap@acme.example", "Acme Corp", TODAY, "Invoice", "https://pay.example/done"),
    )
    for way in CollectionWay:
        with pytest.raises(Declined, match=f"^{why}$"):
            gateway.create_link(charge, way, key="lnk_1")
    card = OffSessionCharge("att_1", "inv_1", "cus_1", "pm_card_visa_1", currency, draft.total_minor, "Invoice", NOW)
    with pytest.raises(Declined, match=f"^{why}$"):
        gateway.charge_off_session(card, key="att_1")


def preview(sessions, actor, _gateway, invoice_id, *, now):
    with sessions() as session:
        return workflow.preview(session, actor, invoice_id, today=now.date())


def test_events_of_the_sandbox_do_not_leave_where_stripe_collects(sessions, gateway):
    pay(sessions, created(sessions, gateway))
    stripe = Settings(secret_key="x" * 32, stripe_secret_key="sk_test_1", stripe_webhook_secret="whsec_1", port=1)

    result = outbox.deliver_due(sessions, delivery.adapters(sessions, stripe), now_of=lambda: LATER)

    assert result.unwanted == 2


@pytest.mark.parametrize(
    ("number", "becomes"),
    [
        ("4242 4242 4242 4242", Outcome.SUCCEEDS),
        ("4000000000000002", Outcome.DECLINED),
        ("4000-0000-0000-0069", Outcome.EXPIRED),
        (" 4000 0025 0000 3155 ", Outcome.AUTHENTICATION),
    ],
)
def test_the_documented_cards(number, becomes):
    assert outcome(number, "03/26", "123", today=date(2026, 3, 31)) is becomes


@pytest.mark.parametrize(
    ("card", "problems"),
    [
        (("4242424242424242", "02/26", "123"), {"expiry": "over"}),
        (("4242424242424242", "2/2026", "1234"), {"expiry": "over"}),
        (("4242424242424242", "00/27", "123"), {"expiry": "incomplete"}),
        (("4242424242424242", "", "12a"), {"expiry": "incomplete", "cvc": "incomplete"}),
        (("4242424242424243", "12/30", "123"), {"number": "wrong"}),
        (("5555555555554444", "12/30", "123"), {"number": "real"}),
        (("", "12/30", "123"), {"number": "incomplete"}),
    ],
)
def test_no_other_card_is_taken(card, problems):
    with pytest.raises(Invalid) as refused:
        outcome(*card, today=date(2026, 3, 1))

    assert refused.value.fields == problems
