"""Several processes in the same moment: one attempt, one charge, one payment, and never a link beside a charge."""

from sqlalchemy import select

from billing_core.errors import BillingError, Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.online_payments.links import workflow
from billing_core.online_payments.models import AttemptState, ChargeAttempt, SandboxCharge
from billing_core.online_payments.off_session import attempts, methods
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.settings import Settings
from tests.at_once import at_once
from tests.online_payments.linked import tell
from tests.online_payments.off_session.cards import LATER, begin, charge, put_on_file, seen, told
from tests.online_payments.seen import books, open_cases, the_payment
from tests.payments.books import NOW


def rows(sessions, kind):
    with sessions() as session:
        return session.scalars(select(kind).order_by(kind.id)).all()


def test_of_four_who_begin_to_charge_one_does(sessions, place):
    got = at_once(*[lambda: begin(sessions, place.invoice_id, place.method_id)] * 4)
    (attempt,) = rows(sessions, ChargeAttempt)
    assert [one for one in got if not isinstance(one, BillingError)] == [attempt.id]
    assert {type(one) for one in got if isinstance(one, BillingError)} == {Conflict}


def test_a_link_and_a_charge_are_never_there_together(sessions, gateway, place):
    at_once(
        lambda: begin(sessions, place.invoice_id, place.method_id),
        lambda: workflow.create(sessions, SYSTEM, gateway, place.invoice_id, now=NOW),
        lambda: begin(sessions, place.invoice_id, place.method_id),
    )
    (attempt,) = rows(sessions, ChargeAttempt)
    assert attempt.state is AttemptState.STARTED
    assert not {link.state for link in rows(sessions, PaymentLink)} & {LinkState.ACTIVE, LinkState.CREATING}


def test_a_card_is_not_taken_off_file_while_it_begins_to_be_charged(sessions, place):
    def detach():
        with sessions.begin() as session:
            methods.detach(session, SYSTEM, place.method_id, now=NOW)

    at_once(detach, lambda: begin(sessions, place.invoice_id, place.method_id))
    with sessions() as session:
        on_file = bool(methods.of_customer(session, SYSTEM, place.customer_id))
    assert on_file is bool(rows(sessions, ChargeAttempt))


def test_one_attempt_charged_and_recorded_by_several_with_its_event_is_one_payment(sessions, gateway, place):
    attempt_id = begin(sessions, place.invoice_id, place.method_id)
    attempts.charge(sessions, gateway, attempt_id)
    event = told(seen(sessions, attempt_id))
    at_once(
        lambda: charge(sessions, gateway, attempt_id),
        lambda: tell(sessions, event),
        lambda: charge(sessions, gateway, attempt_id),
    )
    assert seen(sessions, attempt_id).payment_id == the_payment(sessions).id
    assert books(sessions) == {"cash": 9_941, "fees": 59, "revenue": -10_000}
    assert open_cases(sessions) == []


def test_the_sandbox_charges_once_for_all_who_ask_at_once(sessions, place):
    gateway = SandboxGateway(sessions, Settings(secret_key="x" * 32, stripe_secret_key=None), now_of=lambda: LATER)
    card = put_on_file(sessions, gateway, place.customer_id)
    attempt_id = begin(sessions, place.invoice_id, card)
    answers = at_once(*[lambda: attempts.charge(sessions, gateway, attempt_id)] * 4)
    assert len(set(answers)) == len(rows(sessions, SandboxCharge)) == 1
    assert gateway.mode is Mode.SANDBOX
