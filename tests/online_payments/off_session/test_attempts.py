"""Charging an invoice to a card on file: begun, charged, recorded, and what each outcome changes."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, NotFound, UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices import service
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import LinkState, Mode
from billing_core.online_payments.gateway import Charged, ChargeOutcome
from billing_core.online_payments.links import link_candidates, workflow
from billing_core.online_payments.models import AttemptState, CaseKind, PaymentMethodOnFile
from billing_core.online_payments.off_session import attempts, methods
from billing_core.payments import received
from tests.online_payments.created_links import create
from tests.online_payments.gateways import ScriptedGateway
from tests.online_payments.linked import a_link, tell
from tests.online_payments.off_session.cards import LATER, begin, charge, put_on_file, record, seen, told
from tests.online_payments.seen import books, kinds, open_cases, state_of, status, the_payment
from tests.payments.books import NOW, TODAY, a_customer, a_draft, an_open_invoice, bank_transfer

DECLINED = Charged(ChargeOutcome.DECLINED, decline_code="generic_decline", message="Your card was declined.")
LOST = Charged(ChargeOutcome.DECLINED, decline_code="lost_card", message="Your card was declined.", hard=True)
AUTHENTICATE = Charged(
    ChargeOutcome.AUTHENTICATION, decline_code="authentication_required", message="Authentication is required."
)
STARTED, SUCCEEDED = AttemptState.STARTED, AttemptState.SUCCEEDED


@pytest.fixture
def invoice(sessions, place) -> Invoice:
    with sessions() as session:
        return session.get_one(Invoice, place.invoice_id)


@pytest.fixture
def attempt_id(sessions, place) -> int:
    return begin(sessions, place.invoice_id, place.method_id)


def test_a_charge_pays_the_invoice(sessions, gateway, invoice, attempt_id):
    attempt = charge(sessions, gateway, attempt_id)
    payment = the_payment(sessions)
    assert (attempt.state, attempt.payment_id, attempt.finished_at) == (SUCCEEDED, payment.id, LATER)
    assert (payment.amount_minor, payment.fee_minor, payment.mode) == (10_000, 59, Mode.TEST)
    names = (payment.gateway_key, payment.intent_id, payment.charge_id)
    assert names == (f"pi_{attempt.public_id}", f"pi_{attempt.public_id}", f"ch_{attempt.public_id}")
    assert status(sessions, invoice) == "paid"
    # 100.00 came in, of which the gateway kept 0.59.
    assert books(sessions) == {"cash": 9_941, "fees": 59, "revenue": -10_000}
    assert kinds(sessions, invoice) == ["created", "sent", "payment"]


@pytest.mark.parametrize(("days", "charged", "credited"), [(0, 9_700, 300), (31, 10_000, 0)])
def test_a_card_is_charged_what_the_invoice_costs_early_payers(sessions, gateway, place, days, charged, credited):
    """3 % within 20 days of 1 March, of 100.00."""
    with sessions.begin() as session:
        session.get_one(Invoice, place.invoice_id).payment_terms = "3% 20 days, net 30"
    now = NOW + timedelta(days=days)
    with sessions.begin() as session:
        attempt_id = attempts.begin(session, SYSTEM, place.invoice_id, place.method_id, now=now)
    answer = attempts.charge(sessions, gateway, attempt_id)
    with sessions.begin() as session:
        attempts.record(session, SYSTEM, attempt_id, answer, now=now)
    with sessions() as session:
        invoice = session.get_one(Invoice, place.invoice_id)
        assert (invoice.paid_minor, invoice.credited_minor, invoice.due_minor) == (charged, credited, 0)


def test_what_is_charged_is_what_was_due_when_it_began(sessions, gateway, invoice, attempt_id):
    charge(sessions, gateway, attempt_id)
    ((key, (asked, _)),) = gateway.charged.items()
    attempt = seen(sessions, attempt_id)
    assert key == asked.attempt_id == attempt.public_id
    assert (asked.invoice_id, asked.amount_minor, asked.currency) == (invoice.public_id, 10_000, "EUR")
    assert asked.gateway_method_id == "pm_card_visa"
    assert asked.started_at == attempt.started_at == NOW
    assert asked.description.startswith(f"{invoice.number} · ")


@pytest.mark.parametrize(
    ("answer", "state", "hard"),
    [
        (DECLINED, AttemptState.DECLINED, False),
        (LOST, AttemptState.DECLINED, True),
        (AUTHENTICATE, AttemptState.AUTHENTICATION, False),
    ],
)
def test_a_refusal_leaves_the_invoice_open_and_shows_why(sessions, gateway, invoice, attempt_id, answer, state, hard):
    gateway.answers = [answer]
    attempt = charge(sessions, gateway, attempt_id)
    assert (attempt.state, attempt.hard, attempt.payment_id) == (state, hard, None)
    assert (attempt.decline_code, attempt.failure) == (answer.decline_code, answer.message)
    assert attempt.intent_id == f"pi_{attempt.public_id}"
    assert kinds(sessions, invoice) == ["created", "sent", "payment_failed"]
    with sessions() as session:
        shown = session.get_one(Invoice, invoice.id)
        assert (shown.payment_failed_at, shown.payment_failure) == (LATER, answer.message)
    assert books(sessions) == {"receivable": 10_000, "revenue": -10_000}


def test_after_a_refusal_another_attempt_is_another_charge(sessions, gateway, place, invoice, attempt_id):
    gateway.answers = [DECLINED]
    charge(sessions, gateway, attempt_id)
    second = begin(sessions, place.invoice_id, place.method_id)
    assert charge(sessions, gateway, second).state is SUCCEEDED
    assert len(gateway.charged) == 2
    with sessions() as session:
        listed = [one.id for one in attempts.of_invoice(session, SYSTEM, invoice.id)]
        assert listed == [second, attempt_id]
        assert session.get_one(Invoice, invoice.id).payment_failed_at is None


def test_recording_again_changes_nothing(sessions, gateway, invoice, attempt_id):
    answer = attempts.charge(sessions, gateway, attempt_id)
    for _ in range(3):
        assert record(sessions, attempt_id, answer).state is SUCCEEDED
    assert record(sessions, attempt_id, DECLINED).state is SUCCEEDED
    assert books(sessions) == {"cash": 9_941, "fees": 59, "revenue": -10_000}


def test_charging_again_charges_nothing(sessions, gateway, attempt_id):
    first = attempts.charge(sessions, gateway, attempt_id)
    assert attempts.charge(sessions, gateway, attempt_id) == first
    record(sessions, attempt_id, first)
    # What is recorded is not asked for again.
    gateway.fails = ["down"]
    again = attempts.charge(sessions, gateway, attempt_id)
    assert (again.outcome, again.intent_id, again.charge_id) == (first.outcome, first.intent_id, first.charge_id)
    assert len(gateway.charged) == 1


def test_a_recorded_refusal_is_known_too(sessions, gateway, attempt_id):
    gateway.answers = [LOST]
    charge(sessions, gateway, attempt_id)
    again = attempts.charge(sessions, gateway, attempt_id)
    assert (again.outcome, again.decline_code, again.hard) == (ChargeOutcome.DECLINED, "lost_card", True)


@pytest.mark.parametrize("fails", ["down", "lost"])
def test_an_unknown_outcome_leaves_the_attempt_to_be_finished_later(
    sessions, gateway, place, invoice, attempt_id, fails
):
    gateway.fails = [fails]
    with pytest.raises(UpstreamFailed):
        attempts.charge(sessions, gateway, attempt_id)
    assert seen(sessions, attempt_id).state is STARTED
    with sessions() as session:
        assert attempts.unfinished(session, before=NOW) == []
        assert attempts.unfinished(session, before=NOW + timedelta(seconds=1)) == [attempt_id]
    assert charge(sessions, gateway, attempt_id).state is SUCCEEDED
    assert len(gateway.charged) == 1
    with sessions() as session:
        assert attempts.unfinished(session, before=LATER) == []


def test_a_charge_that_the_gateway_refuses_to_make_is_not_made_again(sessions, gateway, attempt_id):
    gateway.fails = ["refuse"]
    attempt = charge(sessions, gateway, attempt_id)
    assert (attempt.state, attempt.decline_code, attempt.hard) == (AttemptState.DECLINED, "refused", True)
    assert attempt.failure == "The account cannot take this currency"


def test_while_a_charge_runs_no_other_begins(sessions, place, attempt_id):
    with pytest.raises(Conflict, match="being charged already"):
        begin(sessions, place.invoice_id, place.method_id)


def test_a_payment_link_ends_when_a_charge_begins(sessions, gateway, place, invoice):
    with sessions.begin() as session:
        link = a_link(session, session.get_one(Invoice, invoice.id))
    begin(sessions, place.invoice_id, place.method_id)
    assert state_of(sessions, link) is LinkState.DEACTIVATED
    assert kinds(sessions, invoice) == ["created", "sent", "link_ended"]


def test_a_link_that_is_being_created_is_given_up_when_a_charge_begins(sessions, gateway, place, invoice):
    gateway.meanwhile = lambda: begin(sessions, place.invoice_id, place.method_id)
    with pytest.raises(Conflict, match="cannot be used"):
        create(sessions, gateway, invoice.id)
    with sessions() as session:
        assert session.get_one(Invoice, invoice.id).payment_url is None


def test_while_a_charge_runs_no_link_can_be_created(sessions, gateway, invoice, attempt_id):
    with pytest.raises(Conflict, match="being charged to a card on file"):
        create(sessions, gateway, invoice.id)
    with sessions() as session:
        with pytest.raises(Conflict, match="being charged"):
            workflow.preview(session, SYSTEM, invoice.id, today=TODAY)
        assert link_candidates.search(session, SYSTEM, "") == []
    gateway.answers = [DECLINED]
    charge(sessions, gateway, attempt_id)
    with sessions() as session:
        assert [row.id for row in link_candidates.search(session, SYSTEM, "")] == [invoice.id]
    assert create(sessions, gateway, invoice.id).state is LinkState.ACTIVE


def test_a_draft_is_charged_its_total_and_sent_once_it_is_paid(sessions, gateway, place):
    with sessions.begin() as session:
        draft = a_draft(session, session.get_one(Customer, place.customer_id), "50")
    attempt_id = begin(sessions, draft.id, place.method_id)
    attempt = charge(sessions, gateway, attempt_id)
    assert (attempt.amount_minor, attempt.state) == (5_000, SUCCEEDED)
    assert status(sessions, draft) == "paid"
    assert kinds(sessions, draft) == ["created", "sent", "payment"]


def test_a_declined_draft_stays_a_draft(sessions, gateway, place):
    with sessions.begin() as session:
        draft = a_draft(session, session.get_one(Customer, place.customer_id))
    gateway.answers = [DECLINED]
    assert charge(sessions, gateway, begin(sessions, draft.id, place.method_id)).state is AttemptState.DECLINED
    assert status(sessions, draft) == "draft"
    assert kinds(sessions, draft) == ["created"]


def test_a_draft_that_changed_meanwhile_is_not_sent_and_the_money_is_kept(sessions, gateway, place):
    with sessions.begin() as session:
        draft = a_draft(session, session.get_one(Customer, place.customer_id), "50")
    attempt_id = begin(sessions, draft.id, place.method_id)
    with sessions.begin() as session:
        service.discard(session, SYSTEM, draft.id, now=NOW)
    assert charge(sessions, gateway, attempt_id).state is SUCCEEDED
    assert status(sessions, draft) == "cancelled"
    assert open_cases(sessions) == [(CaseKind.NOTHING_DUE, 5_000, None)]
    assert the_payment(sessions).amount_minor == 5_000


def test_money_that_came_another_way_meanwhile_is_kept_as_credit_with_a_case(sessions, gateway, invoice, attempt_id):
    with sessions.begin() as session:
        received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(10_000), today=TODAY, now=NOW)
    assert charge(sessions, gateway, attempt_id).state is SUCCEEDED
    assert open_cases(sessions) == [(CaseKind.NOTHING_DUE, 10_000, None)]
    assert books(sessions) == {"cash": 19_941, "customer_credit": -10_000, "fees": 59, "revenue": -10_000}


def test_a_part_that_came_meanwhile_leaves_the_charge_as_credit_for_a_person(sessions, gateway, invoice, attempt_id):
    with sessions.begin() as session:
        received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(4_000), today=TODAY, now=NOW)
    charge(sessions, gateway, attempt_id)
    assert open_cases(sessions) == [(CaseKind.AMOUNT_DIFFERS, 10_000, 6_000)]


def test_a_part_of_what_is_due_pays_that_and_asks_nobody(sessions, gateway, place, invoice):
    """Credit was to pay the other 60.00, and is gone by now."""
    with sessions.begin() as session:
        attempt_id = attempts.begin(session, SYSTEM, invoice.id, place.method_id, amount_minor=4_000, now=NOW)
    charge(sessions, gateway, attempt_id)
    with sessions() as session:
        assert session.get_one(Invoice, invoice.id).due_minor == 6_000
    assert open_cases(sessions) == []
    assert books(sessions) == {"cash": 3_941, "fees": 59, "receivable": 6_000, "revenue": -10_000}


@pytest.mark.parametrize(
    ("of_card", "answered_in", "waited_for"),
    [
        (Mode.TEST, None, True),
        (Mode.TEST, Mode.TEST, True),
        (Mode.TEST, Mode.SANDBOX, True),
        (Mode.LIVE, None, True),
        (Mode.LIVE, Mode.LIVE, True),
        (Mode.LIVE, Mode.TEST, False),
        (Mode.LIVE, Mode.SANDBOX, False),
    ],
)
def test_a_charge_of_real_money_is_waited_for_where_it_can_be_answered(
    sessions, place, invoice, attempt_id, of_card, answered_in, waited_for
):
    with sessions.begin() as session:
        session.get_one(PaymentMethodOnFile, place.method_id).mode = of_card
    with sessions() as session:
        assert attempts.running(session, invoice.id, answered_in=answered_in) is waited_for
        assert not attempts.running(session, invoice.id + 1, answered_in=answered_in)


def test_what_cannot_be_charged_is_refused(sessions, gateway, place, invoice):
    with sessions.begin() as session:
        other = a_customer(session, "C2")
        theirs = an_open_invoice(session, other).id
        nothing = a_draft(session, session.get_one(Customer, place.customer_id), "0").id
    with pytest.raises(Conflict, match="not the customer's"):
        begin(sessions, theirs, place.method_id)
    with pytest.raises(Conflict, match="Nothing is due"):
        begin(sessions, nothing, place.method_id)
    with pytest.raises(NotFound):
        begin(sessions, 999, place.method_id)
    with pytest.raises(NotFound):
        begin(sessions, invoice.id, 999)
    charge(sessions, gateway, begin(sessions, invoice.id, place.method_id))
    with pytest.raises(Conflict, match="is paid"):
        begin(sessions, invoice.id, place.method_id)


def test_a_card_off_file_is_not_charged(sessions, place):
    with sessions.begin() as session:
        methods.detach(session, SYSTEM, place.method_id, now=NOW)
    with pytest.raises(Conflict, match="off file"):
        begin(sessions, place.invoice_id, place.method_id)


def test_a_card_of_another_mode_is_not_charged(sessions, place, attempt_id):
    attempt = charge(sessions, ScriptedGateway(Mode.LIVE), attempt_id)
    assert (attempt.state, attempt.hard) == (AttemptState.DECLINED, True)
    assert attempt.failure == "The card was put on file in test mode, and the product collects in live mode now"


def test_real_money_is_not_given_up_for_a_test(sessions, place):
    live = ScriptedGateway(Mode.LIVE)
    attempt_id = begin(sessions, place.invoice_id, put_on_file(sessions, live, place.customer_id, "pm_live"))
    with pytest.raises(Conflict, match="live mode"):
        attempts.charge(sessions, ScriptedGateway(Mode.TEST), attempt_id)
    assert seen(sessions, attempt_id).state is STARTED


def test_an_attempt_leaves_a_trace(sessions, gateway, invoice, attempt_id):
    charge(sessions, gateway, attempt_id)
    with sessions() as session:
        of_it = select(AuditEntry).where(AuditEntry.subject_kind == "charge_attempt").order_by(AuditEntry.id)
        begun, finished = session.scalars(of_it)
    assert (begun.action, begun.after["amount_minor"]) == ("charge.begin", 10_000)
    assert begun.after["card"] == "Visa •••• 4242"
    assert (finished.action, finished.before, finished.after["state"]) == (
        "charge.finish",
        {"state": "started"},
        "succeeded",
    )


def test_the_event_alone_settles_an_attempt(sessions, gateway, invoice, attempt_id):
    """We were killed between the charge and its record."""
    attempts.charge(sessions, gateway, attempt_id)
    tell(sessions, told(seen(sessions, attempt_id)))
    attempt = seen(sessions, attempt_id)
    assert (attempt.state, attempt.payment_id) == (SUCCEEDED, the_payment(sessions).id)
    assert status(sessions, invoice) == "paid"


@pytest.mark.parametrize("first", ["event", "record"])
def test_event_and_record_are_one_payment_whichever_comes_first(sessions, gateway, invoice, attempt_id, first):
    answer = attempts.charge(sessions, gateway, attempt_id)
    event = told(seen(sessions, attempt_id))
    steps = [lambda: tell(sessions, event), lambda: record(sessions, attempt_id, answer)]
    for step in steps if first == "event" else steps[::-1]:
        step()
    tell(sessions, event)
    assert books(sessions) == {"cash": 9_941, "fees": 59, "revenue": -10_000}
    assert seen(sessions, attempt_id).state is SUCCEEDED
    assert open_cases(sessions) == []


@pytest.mark.parametrize("first", ["event", "record"])
@pytest.mark.parametrize("answer", [LOST, AUTHENTICATE])
def test_event_and_record_of_a_refusal_say_the_same(sessions, gateway, invoice, attempt_id, first, answer):
    gateway.answers = [answer]
    charged = attempts.charge(sessions, gateway, attempt_id)
    code = "card_declined" if answer is LOST else "authentication_required"
    event = told(seen(sessions, attempt_id), code=code, decline_code=answer.decline_code, message=answer.message)
    steps = [lambda: tell(sessions, event), lambda: record(sessions, attempt_id, charged)]
    for step in steps if first == "event" else steps[::-1]:
        step()
    attempt = seen(sessions, attempt_id)
    assert attempt.state.value == answer.outcome.value
    assert (attempt.decline_code, attempt.hard, attempt.intent_id) == (
        answer.decline_code,
        answer.hard,
        f"pi_{attempt.public_id}",
    )
    assert kinds(sessions, invoice).count("payment_failed") == 1


def test_money_that_came_after_all_counts(sessions, gateway, invoice, attempt_id):
    record(sessions, attempt_id, DECLINED)
    tell(sessions, told(seen(sessions, attempt_id)))
    attempt = seen(sessions, attempt_id)
    assert (attempt.state, attempt.failure, attempt.decline_code) == (SUCCEEDED, "", "")
    assert status(sessions, invoice) == "paid"


def test_an_event_of_another_mode_is_not_ours(sessions, gateway, invoice, attempt_id):
    attempts.charge(sessions, gateway, attempt_id)
    tell(sessions, told(seen(sessions, attempt_id)), mode=Mode.SANDBOX)
    assert seen(sessions, attempt_id).state is STARTED
    assert status(sessions, invoice) == "sent"
