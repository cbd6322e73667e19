"""What is said of links, payments and refunds that are not there, or not any more."""

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from billing_core.errors import Conflict
from billing_core.invoices.payment_links import GATEWAY, CollectionWay, LinkState, Mode, PaymentLink
from billing_core.online_payments import configured, delivery
from billing_core.online_payments.gateway import Connection, Declined, PaymentDetails
from billing_core.online_payments.links import workflow
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.webhooks import handlers, inbox
from billing_core.outbox import delivery as outbox
from billing_core.outbox.delivery import Refused
from billing_core.settings import Settings
from tests.invoices.company import GRACE, LATER, TODAY, a_customer, a_draft, a_line, an_invoice
from tests.online_payments.gateways import ScriptedGateway
from tests.online_payments.linked import became, tell
from tests.online_payments.stripe.events import Paying, event, store

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SETTINGS = Settings(secret_key="x" * 32, stripe_secret_key=None)


def test_the_sandbox_knows_its_own_links_and_payments_alone(sessions, open_id):
    sandbox = SandboxGateway(sessions, SETTINGS)
    assert sandbox.check() == Connection(Mode.SANDBOX, "", "Sandbox")
    assert sandbox.details("pi_of_nobody") == PaymentDetails(None, None, None)
    with sessions() as session:
        charge = workflow.preview(session, GRACE, open_id, today=TODAY)
    with pytest.raises(Declined, match="only knows payment links of this product"):
        sandbox.create_link(charge, CollectionWay.PAYMENT_LINK, key="lnk_x")


def test_nothing_is_asked_for_where_nothing_is_due(sessions):
    with sessions.begin() as session:
        customer = a_customer(session)
        nothing = a_line(unit_price="0")
        draft, paid = a_draft(session, customer, nothing).id, an_invoice(session, customer, nothing).id
    for invoice_id, why in ((draft, "Nothing is due on the draft for Acme Corp"), (paid, "nothing to pay by a link")):
        with pytest.raises(Conflict, match=why), sessions() as session:
            workflow.preview(session, GRACE, invoice_id, today=TODAY)


@pytest.mark.parametrize("state", [state for state in LinkState if state.value not in ("active", "creating")])
def test_a_link_that_has_ended_is_not_ended_again(sessions, place, state):
    invoice, link = place
    with sessions.begin() as session:
        session.execute(update(PaymentLink).values(state=state))
    why = f"The payment link of Invoice {invoice.number} is {state} already"
    with pytest.raises(Conflict, match=why), sessions.begin() as session:
        workflow.deactivate(session, GRACE, link.id, reason="Wrong", now=LATER)


def test_who_is_refused_after_somebody_gave_the_link_up_leaves_it_so(sessions, open_id):
    class Refusing(ScriptedGateway):
        def create_link(self, *_given, **_named):
            with sessions.begin() as session:
                given_up = {"state": LinkState.DEACTIVATED, "ended_because": "By Ada"}
                session.execute(update(PaymentLink).values(given_up))
            raise Declined("no")

    with pytest.raises(Declined):
        workflow.create(sessions, GRACE, Refusing(), open_id, now=LATER)
    with sessions() as session:
        link = session.scalars(select(PaymentLink)).one()
    assert (link.state, link.ended_because) == (LinkState.DEACTIVATED, "By Ada")


def test_a_message_that_the_gateway_declines_is_not_tried_again(sessions, place, monkeypatch):
    _, link = place
    gateway = ScriptedGateway()
    gateway.fails = ["refuse"]
    monkeypatch.setattr(configured, "gateway", lambda *_: gateway)
    with sessions.begin() as session:
        session.execute(update(PaymentLink).values(state=LinkState.EXPIRED))
    told = {"recipient": "test", "topic": "deactivate_link", "content": {"link_id": link.id}}
    message = outbox.Claimed(**dict.fromkeys(outbox.Claimed.__slots__) | told)
    with pytest.raises(Refused, match="cannot take this currency"):
        delivery.adapters(sessions, SETTINGS)[GATEWAY](message)


def test_a_refund_of_an_unknown_payment_that_failed_is_not_ours(sessions):
    told = Paying().refund_failed(5)
    tell(sessions, told)
    row = became(sessions, told)
    assert (row.state, row.outcome) == (WebhookState.IGNORED, "Not ours: no payment with this charge is known")


def test_a_try_that_a_busy_database_prevents_does_not_count(sessions, monkeypatch):
    def busy(*_given, **_named):
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    with sessions.begin() as session:
        store(session, event("price.created", {"id": "price_1"}), now=LATER)
    monkeypatch.setattr(handlers, "apply", busy)
    with pytest.raises(OperationalError):
        inbox.apply_due(sessions, Mode.TEST, now_of=lambda: LATER)
    with sessions() as session:
        row = session.scalars(select(WebhookEvent)).one()
    assert (row.state, row.attempts, row.not_before) == (WebhookState.WAITING, 0, LATER)
