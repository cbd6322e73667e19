"""What a payment changes: the invoice, the ledger, and what is left to people."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.online_payments import cases, delivery, queries
from billing_core.online_payments.gateway import PaymentDetails
from billing_core.online_payments.models import CaseKind, WebhookState
from billing_core.online_payments.webhooks import fees, handlers, inbox
from billing_core.outbox import delivery as outbox
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.payments import chargebacks
from billing_core.payments.chargebacks import TakenBack
from billing_core.payments.models import PaymentMethod
from billing_core.settings import Settings
from tests.online_payments.gateways import ScriptedGateway
from tests.online_payments.linked import HOSTED, LATER, a_link, became, linked, paying, tell
from tests.online_payments.seen import books, open_cases, state_of, status, the_payment
from tests.online_payments.stripe.events import Paying, event, store
from tests.payments.books import TODAY, pay

# Where the database does not matter.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_what_is_due_pays_the_invoice_once(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)

    tell(sessions, payment.charged(), payment.succeeded(), payment.completed(), payment.invoice_paid())

    assert status(sessions, invoice) == "paid"
    assert state_of(sessions, link) is LinkState.PAID
    assert books(sessions) == {"cash": 10_000, "revenue": -10_000}
    recorded = the_payment(sessions)
    assert (recorded.gateway_key, recorded.intent_id, recorded.charge_id) == (
        payment.intent_id,
        payment.intent_id,
        payment.charge_id,
    )
    assert (recorded.method, recorded.received_on, recorded.created_by) == (
        PaymentMethod.STRIPE,
        date(2026, 3, 10),
        "system",
    )
    with sessions() as session:
        kept = session.get_one(Invoice, invoice.id)
        assert (kept.payment_url, kept.stripe_invoice_id) == (None, f"in_receipt{payment.number:08}")
        topics = session.scalars(select(OutboxMessage.topic)).all()
    # The fee is asked for, and nobody is told to deactivate a link that was paid.
    assert topics == ["fetch_details"]
    assert open_cases(sessions) == []


@on_sqlite
@pytest.mark.parametrize("first", ["charged", "succeeded", "completed", "async_succeeded"])
def test_each_event_alone_is_enough(sessions, first):
    with sessions.begin() as session:
        invoice, link = linked(session)
    tell(sessions, getattr(paying(link, invoice), first)())
    assert status(sessions, invoice) == "paid"


def test_a_hosted_invoice_is_paid_by_its_own_event_alone(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED)
    payment = paying(link, invoice)
    tell(sessions, payment.charged(), payment.succeeded())
    assert status(sessions, invoice) == "sent"
    tell(sessions, payment.invoice_paid())
    assert status(sessions, invoice) == "paid"
    recorded = the_payment(sessions)
    assert (recorded.gateway_key, recorded.intent_id) == (link.gateway_id, None)

    # A refund names the charge alone, which is known once the gateway was asked for the payment's details.
    early = payment.refunded(10_000)
    with sessions.begin() as session:
        store(session, early, now=LATER)
    inbox.apply_due(sessions, Mode.TEST, now_of=lambda: LATER)
    assert became(sessions, early).state is WebhookState.WAITING
    with sessions.begin() as session:
        details = PaymentDetails(payment.intent_id, payment.charge_id, 59)
        fees.note(session, SYSTEM, recorded.id, details, now=LATER)
    # It does not wait any longer for its next try.
    inbox.apply_due(sessions, Mode.TEST, now_of=lambda: LATER)
    assert became(sessions, early).state is WebhookState.HANDLED
    assert status(sessions, invoice) == "refunded"
    assert books(sessions) == {"cash": -59, "fees": 59}


@on_sqlite
def test_money_on_its_way_is_not_there(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.completed(payment_status="unpaid"))
    assert status(sessions, invoice) == "sent"
    tell(sessions, payment.async_succeeded())
    assert status(sessions, invoice) == "paid"


@on_sqlite
@pytest.mark.parametrize(
    ("amount", "currency", "kind", "expected"),
    [
        (9_999, "eur", CaseKind.AMOUNT_DIFFERS, 10_000),
        (10_001, "eur", CaseKind.AMOUNT_DIFFERS, 10_000),
        (10_000, "usd", CaseKind.CURRENCY_DIFFERS, None),
    ],
)
def test_another_amount_or_currency_is_kept_as_credit_and_left_to_people(
    sessions, place, amount, currency, kind, expected
):
    invoice, link = place
    payment = paying(link, invoice, amount=amount, currency=currency)
    tell(sessions, payment.succeeded(), payment.completed())

    assert status(sessions, invoice) == "sent"
    assert books(sessions) == {"cash": amount, "customer_credit": -amount, "receivable": 10_000, "revenue": -10_000}
    assert open_cases(sessions) == [(kind, amount, expected)]
    # Nobody can pay by it again, and another one may be created.
    assert state_of(sessions, link) is LinkState.PAID
    with sessions.begin() as session:
        (row,) = queries.cases(session, SYSTEM)
        cases.settle(session, SYSTEM, row.id, settlement="Told the customer", now=LATER)
        with pytest.raises(Conflict):
            cases.settle(session, SYSTEM, row.id, settlement="Again", now=LATER)
    assert open_cases(sessions) == []


@on_sqlite
def test_money_for_what_was_paid_otherwise_is_kept_as_credit(sessions, place):
    invoice, link = place
    with sessions.begin() as session:
        customer = session.get_one(Customer, invoice.customer_id)
        pay(session, customer, 10_000, **{str(invoice.id): 10_000})
    tell(sessions, paying(link, invoice).succeeded())
    assert status(sessions, invoice) == "paid"
    assert books(sessions) == {"cash": 20_000, "customer_credit": -10_000, "revenue": -10_000}
    assert open_cases(sessions) == [(CaseKind.NOTHING_DUE, 10_000, None)]


@on_sqlite
def test_a_payment_by_a_link_that_was_ended_still_pays_and_ends_the_new_one(sessions, place):
    invoice, link = place
    with sessions.begin() as session:
        session.get_one(PaymentLink, link.id).state = LinkState.DEACTIVATED
        session.flush()
        newer = a_link(session, session.get_one(Invoice, invoice.id))
    tell(sessions, paying(link, invoice).succeeded())
    assert status(sessions, invoice) == "paid"
    assert (state_of(sessions, link), state_of(sessions, newer)) == (LinkState.PAID, LinkState.DEACTIVATED)


def test_the_fee_is_posted_once_and_the_gateway_keeps_it_when_the_payment_is_charged_back(sessions, place):
    invoice, link = place
    tell(sessions, paying(link, invoice).succeeded())
    payment_id = the_payment(sessions).id
    for fee in (None, 320, 320, 500):
        with sessions.begin() as session:
            fees.note(session, SYSTEM, payment_id, PaymentDetails("pi_x", "ch_x", fee), now=LATER)
    assert books(sessions) == {"cash": 9_680, "fees": 320, "revenue": -10_000}
    assert the_payment(sessions).fee_minor == 320
    with sessions.begin() as session:
        taken = TakenBack("dispute:dp_1", 10_000, "The dispute is lost")
        chargebacks.take_back(session, SYSTEM, payment_id, taken, today=TODAY, now=LATER)
    # 100.00 came in and went back; the 3.20 for it did not.
    assert books(sessions) == {"cash": -320, "fees": 320, "receivable": 10_000, "revenue": -10_000}


@on_sqlite
def test_a_fee_that_is_not_known_yet_is_asked_for_again(sessions, place, monkeypatch):
    """Three failed tries, and then once more after the outbox's wait."""
    answers = [None, None, None, 320]

    class SlowBooks(ScriptedGateway):
        def details(self, gateway_key):
            return PaymentDetails(gateway_key, "ch_1", answers.pop(0))

    monkeypatch.setattr("billing_core.online_payments.configured.gateway", lambda *_: SlowBooks())
    invoice, link = place
    tell(sessions, paying(link, invoice).succeeded())
    adapters = delivery.adapters(sessions, Settings(secret_key="x" * 32))
    now = LATER
    while answers:
        outbox.deliver_due(sessions, adapters, now_of=lambda now=now: now)
        now += timedelta(days=1)
    assert the_payment(sessions).fee_minor == 320
    with sessions() as session:
        assert session.scalars(select(OutboxMessage.state)).all() == [MessageState.DELIVERED]


NOTHING_MADE_HERE = "Not ours: nothing of what it names was made here"
NO_PAYMENT = "Not ours: no payment with this charge is known"
OTHER_MODE = "Of another mode: the event is a live one, and this is test mode"


@on_sqlite
@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (event("customer.created", {"id": "cus_1", "object": "customer"}), "Nothing is done with events of this type"),
        (Paying().succeeded(), NOTHING_MADE_HERE),
        (Paying(metadata={"link_id": "lnk_0", "invoice_id": "inv_0"}).completed(), NOTHING_MADE_HERE),
        (Paying().refunded(5), NO_PAYMENT),
        (Paying().disputed(), NO_PAYMENT),
        (event("payment_intent.succeeded", Paying().intent(), live=True), OTHER_MODE),
    ],
)
def test_what_is_not_for_us_is_ignored(sessions, told, outcome):
    tell(sessions, told)
    row = became(sessions, told)
    assert (row.state, row.outcome, row.last_error) == (WebhookState.IGNORED, outcome, "")


@on_sqlite
def test_a_link_of_another_mode_is_not_ours(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session)
    told = paying(link, invoice).succeeded()
    tell(sessions, told, mode=Mode.SANDBOX)
    assert became(sessions, told).state is WebhookState.IGNORED
    assert status(sessions, invoice) == "sent"


@on_sqlite
def test_currencies_that_stripe_counts_otherwise(sessions):
    """500 ISK are 50,000 of Stripe's hundredths."""
    with sessions.begin() as session:
        invoice, link = linked(session, "500", currency="ISK")
    tell(sessions, paying(link, invoice, amount=50_000, currency="isk").succeeded())
    assert status(sessions, invoice) == "paid"
    assert books(sessions) == {"cash": 500, "revenue": -500}


@pytest.mark.parametrize(
    ("ours", "named"),
    [
        ("", {"account": "acct_other"}),
        ("", {"account": ["x"]}),
        ("acct_ours", {"account": "acct_other"}),
        ("acct_ours", {"context": "acct_other"}),
        ("acct_ours", {"context": "org_1/acct_other", "account": "acct_ours"}),
    ],
)
def test_an_event_of_another_account_pays_nothing_and_says_whose_it_is(sessions, monkeypatch, named, ours):
    """A platform hears of the accounts that are connected to it, and each can write our ids into its own metadata."""
    monkeypatch.setattr(handlers, "settings", lambda: Settings(stripe_account=ours))
    with sessions.begin() as session:
        invoice, link = linked(session)
        page_of, page = linked(session, ref="C2", way=HOSTED)
    by_link, hosted = paying(link, invoice), paying(page, page_of)
    told = [one | named for one in (by_link.succeeded(), by_link.charged(), by_link.completed(), hosted.invoice_paid())]

    tell(sessions, *told)

    assert (status(sessions, invoice), status(sessions, page_of)) == ("sent", "sent")
    assert books(sessions) == {"receivable": 20_000, "revenue": -20_000}
    for one in told:
        event_row = became(sessions, one)
        assert event_row.state is WebhookState.IGNORED
        assert event_row.outcome.startswith("Of another account, ")
    assert "acct_other" in became(sessions, told[0]).outcome or named == {"account": ["x"]}


@pytest.mark.parametrize(
    ("ours", "named"),
    [
        ("acct_ours", {"account": "acct_ours"}),
        ("acct_ours", {"context": "org_1/acct_ours"}),
        ("", {"account": None}),
        # Which account is ours was not said: its own events may name it here.
        ("", {"context": "acct_ours"}),
    ],
)
@on_sqlite
def test_an_event_that_names_our_own_account_counts(sessions, monkeypatch, ours, named):
    monkeypatch.setattr(handlers, "settings", lambda: Settings(stripe_account=ours))
    with sessions.begin() as session:
        invoice, link = linked(session)
    tell(sessions, paying(link, invoice).succeeded() | named)
    assert status(sessions, invoice) == "paid"


def test_an_invoice_marked_as_paid_at_stripe_brings_no_money_and_is_to_be_settled_once(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED)
    told = paying(link, invoice).invoice_paid(paid_out_of_band=True, charge=None, payment_intent=None)

    tell(sessions, told, told | {"id": "evt_again"})

    assert (status(sessions, invoice), books(sessions)) == ("sent", {"receivable": 10_000, "revenue": -10_000})
    assert state_of(sessions, link) is LinkState.DEACTIVATED
    assert became(sessions, told).outcome.startswith("It was marked as paid by hand at Stripe: no money came in")
    with sessions() as session:
        (case,) = queries.cases(session, SYSTEM)
        assert (case.kind, case.amount_minor, case.payment_id) == (CaseKind.MARKED_PAID, 10_000, None)
        assert "marked as paid by hand at Stripe" in case.said
        # It is paid there: nothing is left to deactivate.
        assert session.scalars(select(OutboxMessage).where(OutboxMessage.channel == "gateway")).all() == []


@on_sqlite
def test_who_records_the_transfer_first_and_marks_it_at_stripe_then_has_nothing_to_settle(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED)
        pay(session, session.get_one(Customer, invoice.customer_id), 10_000, **{str(invoice.id): 10_000})
    told = paying(link, invoice).invoice_paid(amount_paid_off_stripe=10_000)

    tell(sessions, told)

    assert (status(sessions, invoice), open_cases(sessions)) == ("paid", [])
    assert became(sessions, told).outcome == "It was marked as paid by hand at Stripe, and nothing is due on it here"
