"""What events change at their edges: what comes late, without a link, or names what we did not know."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.invoices import lifecycle
from billing_core.invoices.lifecycle import Change
from billing_core.invoices.models import EventKind, Invoice
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.online_payments import cases
from billing_core.online_payments.cases import Cause
from billing_core.online_payments.models import CaseKind, PaymentCase, WebhookState
from billing_core.online_payments.webhooks import matching
from billing_core.online_payments.webhooks.facts import Refs
from billing_core.payments.models import Payment
from tests.invoices.company import GRACE
from tests.online_payments.linked import HOSTED, LATER, a_link, became, linked, paying, tell
from tests.online_payments.seen import status, the_payment
from tests.online_payments.stripe.events import NOON, Paying, event
from tests.payments.books import NOW, a_customer, an_open_invoice

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def invoice_now(sessions, invoice) -> Invoice:
    with sessions() as session:
        return session.get_one(Invoice, invoice.id)


def link_now(sessions, link) -> PaymentLink:
    with sessions() as session:
        return session.get_one(PaymentLink, link.id)


def test_a_failure_of_what_is_paid_changes_nothing_of_the_invoice(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.succeeded(), payment.failed(at=NOON + 60))
    assert status(sessions, invoice) == "paid"
    assert invoice_now(sessions, invoice).payment_failed_at is None


def test_an_invoice_that_was_named_without_its_link_is_paid_all_the_same(sessions):
    with sessions.begin() as session:
        invoice = an_open_invoice(session, a_customer(session), "100")
    alone = Paying(amount=4_000, metadata={"invoice_id": invoice.public_id})
    told = alone.succeeded()
    tell(sessions, told, alone.failed(at=NOON + 60))
    assert became(sessions, told).state is WebhookState.HANDLED
    assert the_payment(sessions).amount_minor == 4_000
    assert status(sessions, invoice) == "sent"


def test_of_several_failures_the_latest_is_told(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.failed("Second", at=NOON), payment.failed("First", at=NOON - 60))
    assert invoice_now(sessions, invoice).payment_failure == "Second"
    tell(sessions, payment.failed("Aside", at=NOON))
    assert invoice_now(sessions, invoice).payment_failure == "Second"
    tell(sessions, payment.failed("Third", at=NOON + 1))
    assert invoice_now(sessions, invoice).payment_failure == "Third"
    long = payment.failed("x" * 300, at=NOON + 2)
    tell(sessions, long)
    assert became(sessions, long).outcome == f"The payment failed: {'x' * 300}"[:200]


@pytest.mark.parametrize(("after", "counts"), [(-1, False), (0, False), (1, True)])
def test_a_failure_counts_where_no_payment_came_at_the_same_moment_or_later(sessions, place, after, counts):
    invoice, link = place
    payment = paying(link, invoice, amount=4_000)
    tell(sessions, payment.failed(at=NOON + after), payment.succeeded())
    assert (invoice_now(sessions, invoice).payment_failed_at is not None) is counts


def test_a_failure_noted_otherwise_ends_with_a_later_payment_alone(sessions, place):
    invoice, link = place
    with sessions.begin() as session:
        noted = session.get_one(Invoice, invoice.id)
        facts = {"payment_failed_at": LATER + timedelta(hours=1), "payment_failure": "declined"}
        lifecycle.change(session, GRACE, [Change(noted, facts)], event=EventKind.PAYMENT_FAILED, now=LATER)
    tell(sessions, paying(link, invoice, amount=4_000).expired())
    assert invoice_now(sessions, invoice).payment_failure == "declined"


def test_the_receipts_id_is_known_of_invoice_and_link_once_an_event_names_it(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    version = invoice_now(sessions, invoice).version
    tell(sessions, payment.completed(payment_status="unpaid"))
    assert invoice_now(sessions, invoice).stripe_invoice_id is None
    tell(sessions, payment.invoice_paid())
    receipt = f"in_receipt{payment.number:08}"
    assert invoice_now(sessions, invoice).stripe_invoice_id == link_now(sessions, link).stripe_invoice_id == receipt
    assert invoice_now(sessions, invoice).version == version
    tell(sessions, payment.invoice_paid(id="in_other"))
    assert invoice_now(sessions, invoice).stripe_invoice_id == "in_other"
    assert link_now(sessions, link).stripe_invoice_id == receipt


def test_a_hosted_invoices_failure_and_end_are_found_by_its_own_id(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED)
    anonymous = Paying(hosted=link.gateway_id)
    tell(sessions, anonymous.invoice_failed())
    assert status(sessions, invoice) == "overdue"
    told = event("payment_intent.succeeded", anonymous.intent(metadata={"link_id": link.public_id}))
    tell(sessions, told)
    assert became(sessions, told).outcome == "A payment that its invoice's event tells"
    with sessions() as session:
        assert session.scalars(select(Payment)).all() == []
    tell(sessions, anonymous.invoice_paid())
    assert (status(sessions, invoice), link_now(sessions, link).state) == ("paid", LinkState.PAID)


def found(session, mode=Mode.TEST, **refs):
    match = matching.match_for(session, Refs(**refs), mode, NOW)
    return match and (match.link and match.link.id, match.invoice.id)


def test_the_most_reliable_id_decides_and_the_newest_link_of_several(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session)
        other, _ = linked(session, ref="C2")
        link.state = LinkState.EXPIRED
        session.flush()
        newer = a_link(session, invoice)
        newer.gateway_id = link.gateway_id
        session.flush()
        ours, theirs = (link.id, invoice.id), (None, other.id)
        assert found(session, link_id=link.public_id, invoice_id=other.public_id) == ours
        assert found(session, gateway_link_id=link.gateway_id) == (newer.id, invoice.id)
        assert found(session, stripe_invoice_id=link.gateway_id) == (newer.id, invoice.id)
        assert found(session, link_id="lnk_of_nobody", invoice_id=other.public_id) == theirs
        assert found(session, link_id=link.public_id, mode=Mode.LIVE) is None
        assert found(session, invoice_id="inv_of_nobody") is None
        assert found(session) is None
        link.stripe_invoice_id = "in_9"
        session.flush()
        assert found(session, stripe_invoice_id="in_9") == ours


def test_the_day_of_a_payment_is_the_businesss_own_and_never_tomorrow(sessions, place):
    invoice, _ = place
    with sessions.begin() as session:
        match = matching.match_for(session, Refs(invoice_id=invoice.public_id), Mode.TEST, NOW)
        match.zone = "Asia/Tokyo"
        early = NOW.replace(hour=14, minute=59) - timedelta(days=3)
        assert match.day(early) == early.date()
        assert match.day(early + timedelta(minutes=1)) == early.date() + timedelta(days=1)
        assert match.day(NOW + timedelta(days=5)) == match.today


def test_a_payments_invoice_is_the_one_it_paid_or_was_meant_for(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session)
        meant, other = linked(session, ref="C2")
    tell(sessions, paying(link, invoice).succeeded(), paying(other, meant, amount=1).succeeded())
    with sessions.begin() as session:
        payments = {payment.amount_minor: payment for payment in session.scalars(select(Payment))}
        assert matching.invoice_of(session, payments[10_000].id) == invoice.id
        assert matching.invoice_of(session, payments[1].id) == meant.id
        case = session.scalars(select(PaymentCase)).one()
        assert (case.kind, case.expected_minor, case.amount_minor) == (CaseKind.AMOUNT_DIFFERS, 10_000, 1)
        cause = Cause("k", CaseKind.REFUND_FAILED, case.customer_id, "EUR", 1, "x", payment_id=payments[1].id)
        cases.open_case(session, GRACE, cause, now=NOW)
        assert matching.invoice_of(session, payments[1].id) == meant.id
        assert matching.invoice_of(session, 99) is None
