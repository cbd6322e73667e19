"""The whole circle with Stripe's stand-in: create, pay, be told in any order and more than once, refund, reconcile."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import select

from billing_core.businesses.queries import default_business
from billing_core.database import Sessions, connect
from billing_core.dates import utc_now
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, lifecycle
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import CollectionWay, LinkState, Mode, PaymentLink
from billing_core.online_payments import delivery, refunding
from billing_core.online_payments.gateway import BalanceTransaction
from billing_core.online_payments.links import workflow
from billing_core.online_payments.models import Dispute, PaymentCase, RefundRequest, WebhookEvent, WebhookState
from billing_core.online_payments.stripe import signature as stripe_signature
from billing_core.online_payments.webhooks import inbox
from billing_core.outbox import delivery as outbox
from billing_core.payments import received
from billing_core.payments.models import Payment, Refund
from billing_core.receivables import verification
from billing_core.settings import Settings
from tests.payments.books import NOW, TODAY, a_customer, an_open_invoice, bank_transfer

WAYS = list(CollectionWay)
PAID_AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 10, 18, tzinfo=UTC)


@pytest.fixture
def sessions(sqlite_url):
    """How events are applied is proved on both databases elsewhere."""
    opened = Sessions(connect(sqlite_url))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def circle(sessions, stripe_stand_in, tmp_path):
    """In the end the ledger proves every amount."""
    yield Circle(sessions, stripe_stand_in, Settings(data_dir=tmp_path, **stripe_stand_in.settings()))
    with sessions() as session:
        assert [check for check in verification.checks(session, today=utc_now().date()) if check.wrong] == []


class Circle:
    """An open invoice of 119.00 EUR with a link, and Stripe."""

    def __init__(self, sessions, stand_in, settings) -> None:
        self.sessions, self.stand_in, self.settings = sessions, stand_in, settings
        self.invoice_id = 0

    def create(self, way: CollectionWay) -> str:
        """What Stripe calls the place to pay."""
        with self.sessions.begin() as session:
            default_business(session).collects_by = way.value
            self.invoice_id = an_open_invoice(session, a_customer(session), "100", tax_rate="19").id
        return self.again()

    def again(self) -> str:
        link_id = workflow.create(self.sessions, SYSTEM, self.stand_in.gateway(), self.invoice_id, now=NOW)
        with self.sessions() as session:
            return session.get_one(PaymentLink, link_id).gateway_id

    def tell(self, *told, order: int | None = None, repeat: int = 1) -> None:
        """As the address for webhooks does it, and the job after it; ``order`` seeds a shuffling."""
        events = list(told) * repeat
        if order is not None:
            Random(order).shuffle(events)
        for event in events:
            payload, signature = self.stand_in.signed(event)
            checked = stripe_signature.verify(payload, signature, self.stand_in.WEBHOOK_SECRET)
            with self.sessions.begin() as session:
                inbox.store(session, checked, payload, now=utc_now())
            inbox.apply_due(self.sessions, Mode.TEST, now_of=utc_now)
        # Whatever waited for another event has had its time.
        for days in range(1, 4):
            inbox.apply_due(self.sessions, Mode.TEST, now_of=lambda days=days: utc_now() + timedelta(days=days))

    def deliver(self) -> None:
        adapters = delivery.adapters(self.sessions, self.settings)
        outbox.deliver_due(self.sessions, adapters, now_of=utc_now)

    def refund(self, minor: int) -> None:
        (payment,) = self.all(Payment)
        refunding.refund(
            self.sessions, SYSTEM, self.stand_in.gateway(), payment.id, amount_minor=minor, reason="Less", now=utc_now()
        )

    def all(self, kind):
        with self.sessions() as session:
            return session.scalars(select(kind).order_by(kind.id)).all()

    @property
    def invoice(self) -> Invoice:
        with self.sessions() as session:
            return session.get_one(Invoice, self.invoice_id)


@pytest.mark.parametrize("way", WAYS)
def test_a_payment_told_in_any_order_and_thrice_is_one_payment(circle, way):
    place = circle.create(way)
    stripe_events = circle.stand_in.decline(place, at=PAID_AT - timedelta(minutes=5))
    stripe_events += circle.stand_in.pay(place, at=PAID_AT)
    circle.tell(*stripe_events, order=4, repeat=3)
    (payment,) = circle.all(Payment)
    (link,) = circle.all(PaymentLink)
    assert (payment.amount_minor, payment.currency) == (11_900, "EUR")
    assert (circle.invoice.state, circle.invoice.paid_minor) == (InvoiceState.PAID, 11_900)
    assert link.state is LinkState.PAID
    assert circle.all(PaymentCase) == []
    circle.deliver()
    (payment,) = circle.all(Payment)
    (intent, *_) = circle.stand_in.all("payment_intent")
    assert (payment.fee_minor, payment.intent_id, payment.charge_id) == (59, intent["id"], intent["latest_charge"])
    # Nobody deactivates what was paid.
    assert not [one for one in circle.stand_in.requests if one.form.get("active") == "false"]
    assert circle.stand_in.requests[-1].method == "GET"


@pytest.mark.parametrize("way", WAYS)
def test_refunds_of_ours_and_of_stripes_dashboard_are_each_recorded_once(circle, way):
    place = circle.create(way)
    circle.tell(*circle.stand_in.pay(place, at=PAID_AT))
    paid = len(circle.stand_in.events)
    circle.refund(1_900)
    (intent,) = circle.stand_in.all("payment_intent")
    circle.stand_in.refund(intent["id"], 2_000, {})
    circle.stand_in.refund(intent["id"], 8_000, {})
    circle.tell(*circle.stand_in.events[paid:], order=2, repeat=2)
    assert sum(one.amount_minor for one in circle.all(Refund)) == 11_900
    assert [one.state.value for one in circle.all(RefundRequest)] == ["done"]
    assert circle.invoice.refunded_minor == 11_900
    with circle.sessions() as session:
        assert lifecycle.status(circle.invoice, today=TODAY) == "refunded"
        waiting = WebhookEvent.state.in_([WebhookState.WAITING, WebhookState.FAILED])
        assert session.scalars(select(WebhookEvent.last_error).where(waiting)).all() == []
    assert circle.all(PaymentCase) == []


def test_a_link_of_a_cancelled_invoice_is_deactivated_at_stripe_and_a_late_payment_becomes_a_case(circle):
    place = circle.create(CollectionWay.PAYMENT_LINK)
    opened = circle.stand_in.open_session(place)
    late = circle.stand_in.pay(place, at=PAID_AT)
    circle.stand_in.one("payment_link", place)["active"] = True
    with circle.sessions.begin() as session:
        after_sending.cancel(session, SYSTEM, circle.invoice_id, now=NOW, today=TODAY)
    circle.deliver()
    assert circle.stand_in.one("payment_link", place)["active"] is False
    assert circle.stand_in.one("checkout.session", opened["id"])["status"] == "expired"
    circle.tell(*late, order=1)
    assert [one.amount_minor for one in circle.all(Payment)] == [11_900]
    assert [one.kind.value for one in circle.all(PaymentCase)] == ["nothing_due"]
    assert circle.invoice.state is InvoiceState.CANCELLED


@pytest.mark.parametrize("way", WAYS)
def test_a_place_whose_address_was_lost_is_found_and_closed_when_another_takes_its_place(circle, way):
    circle.stand_in.drop_next(path="/finalize" if way is CollectionWay.HOSTED_INVOICE else "/payment_links", times=3)
    with pytest.raises(UpstreamFailed, match="cannot be reached"):
        circle.create(way)
    assert (circle.invoice.payment_url, circle.invoice.state) == (None, InvoiceState.OPEN)
    with circle.sessions.begin() as session:
        by_bank = bank_transfer(1_900)
        received.record_for(session, SYSTEM, circle.invoice_id, received=by_bank, today=TODAY, now=NOW)
    place = circle.again()
    circle.deliver()
    kind = "invoice" if way is CollectionWay.HOSTED_INVOICE else "payment_link"
    ends = {one["id"]: one.get("status", one.get("active")) for one in circle.stand_in.all(kind)}
    assert len(ends) == 2
    assert ends.pop(place) in ("open", True)
    assert next(iter(ends.values())) in ("void", False)
    # What is due now: 119.00 less 19.00.
    circle.tell(*circle.stand_in.pay(place, at=PAID_AT))
    assert [one.amount_minor for one in circle.all(Payment)] == [1_900, 10_000]
    assert circle.invoice.state is InvoiceState.PAID


def test_a_dispute_is_shown_and_closed_whichever_is_told_first(circle):
    circle.tell(*circle.stand_in.pay(circle.create(CollectionWay.PAYMENT_LINK), at=PAID_AT))
    (intent,) = circle.stand_in.all("payment_intent")
    opened = circle.stand_in.dispute(intent["id"], at=PAID_AT + timedelta(days=1))
    dispute_id = opened["data"]["object"]["id"]
    closed = circle.stand_in.close_dispute(dispute_id, won=True, at=PAID_AT + timedelta(days=2))
    circle.tell(closed, opened)
    (dispute,) = circle.all(Dispute)
    assert (dispute.gateway_id, dispute.state.value, dispute.amount_minor) == (dispute_id, "won", 11_900)


def test_money_that_takes_days_pays_the_invoice_when_it_comes(circle):
    place = circle.create(CollectionWay.PAYMENT_LINK)
    (completed,) = circle.stand_in.pay(place, at=PAID_AT, later=True)
    circle.tell(completed)
    assert circle.invoice.state is InvoiceState.OPEN
    session_id = completed["data"]["object"]["id"]
    circle.tell(*circle.stand_in.settle(session_id, at=PAID_AT + timedelta(days=3)))
    assert circle.invoice.state is InvoiceState.PAID
    assert len(circle.all(Payment)) == 1


def test_money_that_does_not_come_after_all_leaves_the_invoice_open(circle):
    (completed,) = circle.stand_in.pay(circle.create(CollectionWay.PAYMENT_LINK), at=PAID_AT, later=True)
    refused_at = PAID_AT + timedelta(days=3)
    circle.tell(completed, *circle.stand_in.bounce(completed["data"]["object"]["id"], at=refused_at))
    assert (circle.invoice.state, circle.invoice.payment_failed_at) == (InvoiceState.OPEN, refused_at)
    assert lifecycle.status(circle.invoice, today=TODAY) == "sent"
    assert circle.all(Payment) == circle.all(PaymentCase) == []


def test_stripes_books_name_our_payments(circle):
    place = circle.create(CollectionWay.HOSTED_INVOICE)
    circle.tell(*circle.stand_in.pay(place, at=PAID_AT))
    circle.deliver()
    (line,) = circle.stand_in.gateway().balance_transactions(PAID_AT - timedelta(hours=1), LATER)
    (payment,) = circle.all(Payment)
    assert isinstance(line, BalanceTransaction)
    assert (line.intent_id, line.source) == (payment.intent_id, payment.charge_id)
    assert (line.currency, line.amount_minor, line.fee_minor) == ("EUR", payment.amount_minor, payment.fee_minor)
