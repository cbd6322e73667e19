"""Refunding a payment through its gateway: once, whatever is lost on the way, and told by whom and why."""

from contextlib import nullcontext
from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.errors import Conflict, Forbidden, Invalid, NotFound, UpstreamFailed
from billing_core.identity import Role, actor_with
from billing_core.invoices import lifecycle
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.invoices.payment_links import Mode
from billing_core.money import Money
from billing_core.online_payments import refunding
from billing_core.online_payments.gateway import Declined
from billing_core.online_payments.models import Dispute, RefundRequest, WebhookState
from billing_core.payments.models import Payment, PaymentMethod, Refund
from tests.invoices.company import GRACE, READER
from tests.online_payments.gateways import ScriptedGateway
from tests.online_payments.linked import BY_LINK, HOSTED, LATER, became, linked, paying, tell, wait
from tests.payments.books import TODAY, a_customer, accounts, an_open_invoice, pay


@pytest.fixture
def told(sessions):
    """100.00 EUR that came in by a link, and the payment as its events tell of it."""
    with sessions.begin() as session:
        invoice, link = linked(session)
        came = paying(link, invoice)
    tell(sessions, came.succeeded())
    return came


@pytest.fixture
def payment_id(sessions, told) -> int:
    (payment,) = rows(sessions, Payment)
    return payment.id


def rows(sessions, kind):
    with sessions() as session:
        return session.scalars(select(kind).order_by(kind.id)).all()


def refund(sessions, gateway, payment_id, minor, reason="Goodwill", now=LATER, actor=GRACE):
    return refunding.refund(sessions, actor, gateway, payment_id, amount_minor=minor, reason=reason, now=now)


def left(sessions, payment_id) -> refunding.Refundable:
    with sessions() as session:
        return refunding.refundable(session, GRACE, payment_id)


def status(sessions) -> str:
    (invoice,) = rows(sessions, Invoice)
    return lifecycle.status(invoice, TODAY).value


def test_a_part_and_then_the_rest_go_back_the_way_they_came(sessions, gateway, told, payment_id):
    assert left(sessions, payment_id).left == Money(100_00, "EUR")

    refund(sessions, gateway, payment_id, 30_00)

    assert (status(sessions), left(sessions, payment_id).left) == ("paid", Money(70_00, "EUR"))
    (made,) = rows(sessions, Refund)
    assert (made.amount_minor, made.method, made.reason, made.created_by) == (
        *(30_00, PaymentMethod.STRIPE),
        *("Goodwill", "Grace Hopper"),
    )
    assert made.payment_id == payment_id
    assert [note.total_minor for note in rows(sessions, CreditNote)] == [30_00]
    refund(sessions, gateway, payment_id, 70_00, reason="The rest")
    assert status(sessions) == "refunded"
    with sessions() as session:
        # All that came in has left again.
        assert accounts(session) == {}
    assert left(sessions, payment_id).problem == "All of this payment was refunded already"
    assert len(gateway.refunds) == 2


def test_the_gateways_own_event_changes_nothing_whether_it_comes_before_or_after(sessions, gateway, told, payment_id):
    gateway.meanwhile = lambda: tell(sessions, told.refunded(30_00))
    refund(sessions, gateway, payment_id, 30_00)
    gateway.meanwhile = lambda: None
    tell(sessions, told.refunded(30_00))

    (made,) = rows(sessions, Refund)
    assert (made.amount_minor, made.reason, made.created_by) == (30_00, "Goodwill", "Grace Hopper")
    (request,) = rows(sessions, RefundRequest)
    assert (request.state, request.refund_id) == ("done", made.id)


def test_a_lost_answer_is_asked_for_again_under_the_same_key(sessions, gateway, payment_id):
    gateway.fails = ["lost"]
    with pytest.raises(UpstreamFailed):
        refund(sessions, gateway, payment_id, 30_00)
    assert rows(sessions, Refund) == []
    assert left(sessions, payment_id).unanswered == Money(30_00, "EUR")

    with pytest.raises(Conflict, match=r"30\.00 EUR was asked for"):
        refund(sessions, gateway, payment_id, 20_00)
    refund(sessions, gateway, payment_id, 30_00, reason="In other words")

    assert len(gateway.refunds) == len(rows(sessions, Refund)) == len(rows(sessions, RefundRequest)) == 1
    assert left(sessions, payment_id) == refunding.Refundable(payment_id, Money(70_00, "EUR"))


def test_who_repeats_what_an_event_has_answered_meanwhile_refunds_nothing_twice(sessions, gateway, told, payment_id):
    gateway.fails = ["lost"]
    with pytest.raises(UpstreamFailed):
        refund(sessions, gateway, payment_id, 30_00)
    tell(sessions, told.refunded(30_00))

    with pytest.raises(Conflict, match="was refunded a moment ago"):
        refund(sessions, gateway, payment_id, 30_00, now=LATER + timedelta(minutes=14))
    assert len(gateway.refunds) == 1
    refund(sessions, gateway, payment_id, 30_00, now=LATER + timedelta(minutes=16))
    assert [made.amount_minor for made in rows(sessions, Refund)] == [30_00, 30_00]


def test_a_refusal_is_kept_and_nothing_is_booked(sessions, gateway, payment_id):
    gateway.fails = ["refuse"]

    with pytest.raises(Declined):
        refund(sessions, gateway, payment_id, 30_00)

    (request,) = rows(sessions, RefundRequest)
    assert (request.state, request.last_error) == ("refused", "The account cannot take this currency")
    assert rows(sessions, Refund) == []
    refund(sessions, gateway, payment_id, 30_00)
    assert len(rows(sessions, Refund)) == 1


def test_a_hosted_invoices_payment_is_named_before_it_is_refunded(sessions, gateway):
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED)
        came = paying(link, invoice)
    tell(sessions, came.invoice_paid())
    (payment,) = rows(sessions, Payment)
    assert payment.intent_id is None

    refund(sessions, gateway, payment.id, 100_00)

    (payment,) = rows(sessions, Payment)
    assert payment.intent_id == f"pi_of_{payment.gateway_key}"
    assert status(sessions) == "refunded"


@pytest.mark.parametrize(("way", "fails"), [(BY_LINK, []), (HOSTED, []), (HOSTED, ["refuse"])])
def test_a_dispute_that_waited_for_the_charge_is_known_once_the_refund_names_it(sessions, gateway, way, fails):
    """Neither an event nor the fee named the charge before, and the dispute names nothing else. Of a hosted invoice the
    charge is asked for before the refund, which may then be refused.
    """
    with sessions.begin() as session:
        invoice, link = linked(session, way=way)
        came = paying(link, invoice)
    charge_id = f"ch_of_{link.gateway_id}" if way is HOSTED else f"ch_{came.intent_id}"
    dispute = came.disputed()
    dispute["data"]["object"] |= {"charge": charge_id, "payment_intent": None}
    tell(sessions, came.invoice_paid() if way is HOSTED else came.completed(), dispute)
    assert became(sessions, dispute).state is WebhookState.IGNORED
    (payment,) = rows(sessions, Payment)

    gateway.fails = fails
    with pytest.raises(Declined) if fails else nullcontext():
        refund(sessions, gateway, payment.id, 30_00)
    wait(sessions)

    assert became(sessions, dispute).state is WebhookState.HANDLED
    assert [one.payment_id for one in rows(sessions, Dispute)] == [payment.id]


def test_money_that_paid_nothing_goes_back_too(sessions, gateway):
    """60.00 came for 100.00: it is kept as credit, and a person decides to send it back."""
    with sessions.begin() as session:
        invoice, link = linked(session)
        came = paying(link, invoice, amount=60_00)
    tell(sessions, came.succeeded())
    (payment,) = rows(sessions, Payment)

    refund(sessions, gateway, payment.id, 60_00)

    assert [(made.source, made.amount_minor) for made in rows(sessions, Refund)] == [("credit", 60_00)]
    with sessions() as session:
        assert accounts(session) == {"receivable": 100_00, "revenue": -100_00}


@pytest.mark.parametrize("minor", [0, -1, 100_01])
def test_no_more_goes_back_than_came(sessions, gateway, payment_id, minor):
    with pytest.raises(Invalid, match=r"100\.00 EUR can be refunded"):
        refund(sessions, gateway, payment_id, minor)
    assert gateway.refunds == {}


def test_what_did_not_come_through_a_gateway_does_not_go_back_through_one(sessions, gateway):
    with sessions.begin() as session:
        customer = a_customer(session)
        invoice = an_open_invoice(session, customer)
        payment_id = pay(session, customer, 100_00, **{str(invoice.id): 100_00}).id

    assert "did not come in through a gateway" in left(sessions, payment_id).problem
    with pytest.raises(Conflict):
        refund(sessions, gateway, payment_id, 100_00)


def test_what_another_mode_collected_is_refunded_where_it_was_collected(sessions, payment_id):
    with pytest.raises(Conflict, match="collected in test mode, and refunds go through live mode now"):
        refund(sessions, ScriptedGateway(Mode.LIVE), payment_id, 10_00)
    assert rows(sessions, RefundRequest) == []


def test_after_a_refund_that_did_not_arrive_the_rest_goes_back_in_another_way(sessions, gateway, told, payment_id):
    """The gateway counts it as not refunded, our books as refunded: another one would be taken for a part of it."""
    tell(sessions, told.refunded(30_00), told.refund_failed(30_00))
    assert left(sessions, payment_id).problem.startswith("A refund of this payment did not reach the payer")
    with pytest.raises(Conflict, match="pay the rest back in another way"):
        refund(sessions, gateway, payment_id, 70_00)
    assert rows(sessions, RefundRequest) == []


def test_an_undone_payment_is_not_refunded(sessions, gateway, payment_id):
    with sessions.begin() as session:
        # As a lost dispute did formerly.
        session.get_one(Payment, payment_id).undone_at = LATER

    with pytest.raises(Conflict, match="was undone"):
        refund(sessions, gateway, payment_id, 1)


def test_who_may_refund(sessions, gateway, payment_id):
    with pytest.raises(Forbidden):
        refund(sessions, gateway, payment_id, 1, actor=READER)
    stranger = actor_with(Role.ADMIN, user_id=None, name="Ann", customer_id=999)
    with pytest.raises(NotFound), sessions() as session:
        refunding.refundable(session, stranger, payment_id)
    with pytest.raises(Forbidden):
        refund(sessions, gateway, payment_id, 1, actor=stranger)
    with pytest.raises(NotFound):
        refund(sessions, gateway, payment_id + 1, 1)


@pytest.fixture
def asked_for(sessions, payment_id) -> int:
    with sessions.begin() as session:
        return refunding.ask(session, GRACE, payment_id, amount_minor=30_00, reason="Goodwill", now=LATER).id


def refuses(monkeypatch) -> None:
    def refused(*_given, **_facts):
        raise Declined("The account is closed")

    monkeypatch.setattr(ScriptedGateway, "refund", refused)


def test_what_is_done_instead_of_a_refused_refund_is_done_once_with_it(sessions, gateway, asked_for, monkeypatch):
    refuses(monkeypatch)
    done = []

    def instead(session):
        done.append(session.get_one(RefundRequest, asked_for).state)

    with pytest.raises(Declined):
        refunding.make(sessions, GRACE, gateway, asked_for, refused=instead, now=LATER)
    refunding.make(sessions, GRACE, gateway, asked_for, refused=instead, now=LATER)
    assert done == [refunding.REFUSED]


def test_where_that_fails_the_refund_stays_asked_for(sessions, gateway, asked_for, monkeypatch):
    refuses(monkeypatch)

    def fails(_session):
        raise Conflict("Not now")

    with pytest.raises(Conflict, match="Not now"):
        refunding.make(sessions, GRACE, gateway, asked_for, refused=fails, now=LATER)
    assert [request.state for request in rows(sessions, RefundRequest)] == [refunding.ASKED]


def test_what_is_refunded_is_not_done_otherwise_too(sessions, gateway, asked_for):
    done = []
    refunding.make(sessions, GRACE, gateway, asked_for, refused=done.append, now=LATER)
    assert done == []
    assert [made.amount_minor for made in rows(sessions, Refund)] == [30_00]
