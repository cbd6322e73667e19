"""Which payment an event is about, whichever of its ids the event names and whichever of them we know."""

import pytest
from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import PaymentDetails
from billing_core.online_payments.models import CaseKind, Dispute, PaymentCase, WebhookState
from billing_core.online_payments.webhooks import fees, matching
from billing_core.payments import received
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import GatewayNames, Received
from tests.online_payments.linked import LATER, became, paying, tell, wait
from tests.online_payments.seen import books, open_cases, status, the_payment
from tests.payments.books import NOW, TODAY, a_customer, an_open_invoice, pay


def collected(session, invoice, *names: str | None) -> int:
    """The id of a payment of 1.00 EUR with these names: key, intent, charge."""
    money = Received("EUR", 100, PaymentMethod.STRIPE, TODAY)
    of_it = GatewayNames(Mode.TEST, *names)
    facts = {"received": money, "names": of_it, "pays": False, "today": TODAY, "now": NOW}
    return received.record_collected(session, SYSTEM, invoice, **facts).id


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({"key": "in_1"}, "hosted"),
        ({"key": "pi_1"}, "hosted"),
        ({"key": "", "charge_id": "ch_1"}, "hosted"),
        ({"key": "pi_of_nobody", "charge_id": "ch_1"}, "hosted"),
        ({"key": "pi_1", "charge_id": "ch_of_nobody"}, "hosted"),
        ({"key": "pi_2"}, "by link"),
        ({"key": "", "charge_id": "ch_3"}, "charge alone"),
        ({"key": "", "charge_id": "pi_1"}, None),
        ({"key": "ch_1"}, None),
        ({"key": "pi_of_nobody", "charge_id": "ch_of_nobody"}, None),
        ({"key": ""}, None),
    ],
)
def test_a_payment_is_found_by_each_of_its_ids_and_by_no_other(session, named, found):
    """Some of its ids are not known yet, and an id that is not there matches nothing."""
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer)
    pay(session, customer, 100)
    payments = {
        collected(session, invoice, "in_1", "pi_1", "ch_1"): "hosted",
        collected(session, invoice, "pi_2", "pi_2", None): "by link",
        collected(session, invoice, "ch_3", None, None): "charge alone",
    }

    payment = matching.payment_named(session, **named)

    assert (payments[payment.id] if payment else None) == found


DISPUTED = select(Dispute.payment_id)
NOT_ARRIVED = select(PaymentCase.payment_id).where(PaymentCase.kind == CaseKind.REFUND_FAILED)


@pytest.mark.parametrize("missing", ["charge", "payment_intent"])
@pytest.mark.parametrize(("what", "recorded"), [("dispute", DISPUTED), ("failed refund", NOT_ARRIVED)])
def test_an_event_that_names_one_of_the_ids_alone_is_about_that_payment(sessions, place, what, recorded, missing):
    """The invoice was paid twice: it is the second payment, and not whichever comes first."""
    invoice, link = place
    payment = paying(link, invoice)
    told = payment.disputed() if what == "dispute" else payment.refund_failed(3_000)
    told["data"]["object"][missing] = None
    tell(sessions, paying(link, invoice).succeeded(), payment.succeeded(), told)

    assert became(sessions, told).state is WebhookState.HANDLED
    with sessions() as session:
        meant = session.scalars(select(Payment.id).where(Payment.gateway_key == payment.intent_id)).one()
        assert session.scalars(recorded).all() == [meant]


@pytest.mark.parametrize("order", [("charge", "intent"), ("intent", "charge")])
def test_money_told_by_its_charge_and_by_its_intent_came_once(sessions, place, order):
    """The charge does not name its intent."""
    invoice, link = place
    payment = paying(link, invoice)
    nameless = payment.charged()
    nameless["data"]["object"]["payment_intent"] = None
    told = {"charge": nameless, "intent": payment.succeeded()}

    tell(sessions, *(told[which] for which in order))

    recorded = the_payment(sessions)
    assert (recorded.intent_id, recorded.charge_id) == (payment.intent_id, payment.charge_id)
    assert (status(sessions, invoice), books(sessions)) == ("paid", {"cash": 10_000, "revenue": -10_000})
    assert open_cases(sessions) == []


def refunded_without_our_ids(payment):
    told = payment.refunded(1)
    told["data"]["object"]["metadata"] = {}
    return told


@pytest.mark.parametrize("how", ["charge", "fee", "refund"])
def test_what_waited_for_a_charge_is_applied_once_anything_names_it(sessions, place, how):
    """Of the payment only its intent is known, and the dispute, which names the charge alone, was given up."""
    invoice, link = place
    payment = paying(link, invoice)
    dispute = payment.disputed()
    dispute["data"]["object"]["payment_intent"] = None
    tell(sessions, payment.completed(), dispute)
    assert the_payment(sessions).charge_id is None
    assert became(sessions, dispute).state is WebhookState.IGNORED

    if how == "fee":
        details = PaymentDetails(payment.intent_id, payment.charge_id, 59)
        with sessions.begin() as session:
            fees.note(session, SYSTEM, the_payment(sessions).id, details, now=LATER)
        wait(sessions)
    else:
        tell(sessions, payment.charged() if how == "charge" else refunded_without_our_ids(payment))

    assert became(sessions, dispute).state is WebhookState.HANDLED
    with sessions() as session:
        assert session.scalars(DISPUTED).all() == [the_payment(sessions).id]
