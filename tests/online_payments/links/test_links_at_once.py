"""Several people, or one who clicks twice, in the same moment: one link, one payment, one refund."""

from sqlalchemy import select

from billing_core.errors import BillingError
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import LinkState, PaymentLink
from billing_core.online_payments import cases, refunding
from billing_core.online_payments.links import workflow
from billing_core.online_payments.models import PaymentCase, RefundRequest, SandboxCharge
from billing_core.online_payments.sandbox import gateway as sandbox_gateway
from billing_core.online_payments.sandbox.cards import Outcome
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.payments.models import Payment, Refund
from billing_core.settings import Settings
from tests.at_once import at_once
from tests.invoices.company import GRACE, LATER, NOW, a_customer, a_draft, an_invoice
from tests.online_payments.created_links import deliver, pay_by_hand
from tests.online_payments.gateways import ScriptedGateway
from tests.online_payments.linked import LATER as PAID
from tests.online_payments.linked import linked, paying, tell


def rows(sessions, kind):
    with sessions() as session:
        return session.scalars(select(kind).order_by(kind.id)).all()


def test_four_who_ask_for_a_link_get_one(sessions):
    gateway = ScriptedGateway()
    with sessions.begin() as session:
        draft_id = a_draft(session, a_customer(session)).id

    got = at_once(*[lambda: workflow.create(sessions, GRACE, gateway, draft_id, now=NOW)] * 4)

    (link,) = rows(sessions, PaymentLink)
    assert {one for one in got if not isinstance(one, BillingError)} == {link.id}
    assert (link.state, set(gateway.places)) == (LinkState.ACTIVE, {link.public_id})


def test_a_link_and_a_payment_in_the_same_moment_leave_nothing_to_pay_twice(sessions, monkeypatch):
    gateway = ScriptedGateway()
    with sessions.begin() as session:
        invoice_id = an_invoice(session, a_customer(session)).id

    at_once(
        lambda: workflow.create(sessions, GRACE, gateway, invoice_id, now=NOW),
        lambda: pay_by_hand(sessions, invoice_id, 238_00),
    )

    deliver(sessions, gateway, monkeypatch)
    assert gateway.payable == set()
    with sessions() as session:
        invoice = session.get_one(Invoice, invoice_id)
        assert (invoice.state, invoice.payment_url) == (InvoiceState.PAID, None)


def test_a_card_that_is_sent_twice_pays_once_and_never_by_a_link_that_has_ended(sessions):
    gateway = SandboxGateway(sessions, Settings())
    with sessions.begin() as session:
        invoice_id = an_invoice(session, a_customer(session)).id
    link_id = workflow.create(sessions, GRACE, gateway, invoice_id, now=NOW)

    def pay():
        with sessions.begin() as session:
            return sandbox_gateway.pay(session, SYSTEM, link_id, Outcome.SUCCEEDS, now=LATER).intent_id

    def deactivate():
        with sessions.begin() as session:
            workflow.deactivate(session, GRACE, link_id, reason="Old", now=LATER)

    told = at_once(pay, pay, pay, deactivate)

    charges = rows(sessions, SandboxCharge)
    assert len(charges) == sum(isinstance(one, str) for one in told) <= 1


def test_a_refund_that_is_asked_for_twice_is_made_once(sessions):
    gateway = ScriptedGateway()
    with sessions.begin() as session:
        invoice, link = linked(session)
        came = paying(link, invoice)
    tell(sessions, came.succeeded())
    (payment,) = rows(sessions, Payment)

    def refund():
        return refunding.refund(sessions, GRACE, gateway, payment.id, amount_minor=40_00, reason="Less", now=PAID)

    at_once(refund, refund, refund)

    assert list(gateway.refunds.values()) == [one.amount_minor for one in rows(sessions, Refund)] == [40_00]
    assert len(rows(sessions, RefundRequest)) == 1


def test_a_case_is_settled_once_by_a_person_and_by_the_money_that_goes_back(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session)
        payment = paying(link, invoice, amount=4_000)
    tell(sessions, payment.succeeded())
    (case,) = rows(sessions, PaymentCase)

    def settle():
        with sessions.begin() as session:
            cases.settle(session, GRACE, case.id, settlement="Kept as credit", now=PAID)

    at_once(settle, lambda: tell(sessions, payment.refunded(4_000)))

    assert rows(sessions, PaymentCase)[0].settlement in ("Kept as credit", "The money went back to the payer")
    assert [refund.amount_minor for refund in rows(sessions, Refund)] == [4_000]
