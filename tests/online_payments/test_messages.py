"""Messages to gateways: to whom they go, what is said when they cannot, how long a fee is asked for."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import UpstreamFailed
from billing_core.invoices.payment_links import GATEWAY, LinkState, Mode, PaymentLink
from billing_core.online_payments import configured, delivery, refunding
from billing_core.online_payments.gateway import Declined, PaymentDetails
from billing_core.online_payments.links import workflow
from billing_core.online_payments.models import RefundRequest
from billing_core.outbox import delivery as outbox
from billing_core.outbox.delivery import Refused, Unwanted
from billing_core.payments.models import Payment
from billing_core.settings import Settings
from tests.invoices.company import GRACE
from tests.online_payments.gateways import ScriptedGateway
from tests.online_payments.linked import LATER, paying, tell

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
STRIPE = {"stripe_secret_key": "sk_test_1", "stripe_webhook_secret": "whsec_1"}


class Asked(ScriptedGateway):
    """Of what it says of a payment, ``details`` are the next; ``refusal`` is its no."""

    refusal = "x" * 501
    answers: tuple[PaymentDetails, ...] = ()

    def details(self, gateway_key):
        answer, *self.answers = self.answers
        return answer

    def refund(self, *_given, **_named):
        raise Declined(self.refusal)

    def create_link(self, *_given, **_named):
        raise Declined(self.refusal)


@pytest.fixture
def asked(monkeypatch) -> Asked:
    found = Asked()
    monkeypatch.setattr(configured, "gateway", lambda *_: found)
    return found


@pytest.fixture
def paid(sessions, place) -> Payment:
    invoice, link = place
    tell(sessions, paying(link, invoice).completed())
    with sessions() as session:
        return session.scalars(select(Payment)).one()


def claimed(sessions, *, attempts=1, recipient="test", topic="fetch_details", **content):
    message = dict.fromkeys(outbox.Claimed.__slots__)
    told = {"attempts": attempts, "recipient": recipient, "topic": topic, "content": content}
    adapter = delivery.adapters(sessions, Settings(secret_key="x" * 32))[GATEWAY]
    adapter(outbox.Claimed(**message | told))


@pytest.mark.parametrize(
    ("attempts", "details", "again"),
    [
        (1, PaymentDetails("pi_1", "ch_1", 59), False),
        (1, PaymentDetails("pi_1", "ch_1", 0), False),
        (1, PaymentDetails("pi_1", "ch_1", None), True),
        (3, PaymentDetails("pi_1", "ch_1", None), True),
        (4, PaymentDetails("pi_1", "ch_1", None), False),
        (4, PaymentDetails(None, None, None), True),
        (4, PaymentDetails(None, None, 59), True),
    ],
)
def test_a_fee_is_asked_for_four_times_and_a_payments_name_until_it_is_known(
    sessions, paid, asked, attempts, details, again
):
    asked.answers = (details,)
    if again:
        with pytest.raises(UpstreamFailed, match="does not report the fee"):
            claimed(sessions, attempts=attempts, payment_id=paid.id)
    else:
        claimed(sessions, attempts=attempts, payment_id=paid.id)
    with sessions() as session:
        kept = session.get_one(Payment, paid.id)
        assert (kept.charge_id, kept.fee_minor) == (details.charge_id, details.fee_minor or 0)


def test_what_another_mode_made_is_settled_where_it_was_made(sessions, asked):
    asked.mode = Mode.LIVE
    with pytest.raises(Refused, match="made in Stripe's test mode, and the product now runs in live mode"):
        claimed(sessions, recipient="test", payment_id=1)


@pytest.mark.parametrize("state", LinkState)
def test_a_link_that_is_in_use_is_not_deactivated(sessions, place, asked, state):
    _, link = place
    asked.places[link.public_id] = (None, link.way)
    with sessions.begin() as session:
        session.get_one(PaymentLink, link.id).state = state
    if state in (LinkState.CREATING, LinkState.ACTIVE):
        with pytest.raises(Unwanted, match="in use"):
            claimed(sessions, topic="deactivate_link", link_id=link.id)
        assert asked.ended == []
    else:
        claimed(sessions, topic="deactivate_link", link_id=link.id)
        assert asked.ended == [link.public_id]


def test_a_gateways_long_no_is_kept_as_far_as_there_is_room(sessions, paid, asked, open_id):
    asked.answers = (PaymentDetails("pi_1", "ch_1", 59),)
    with pytest.raises(Declined):
        refunding.refund(sessions, GRACE, asked, paid.id, amount_minor=1, reason="Less", now=LATER)
    with sessions() as session:
        assert session.scalars(select(RefundRequest.last_error)).one() == "x" * 500
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "payment.refund_answered").order_by(AuditEntry.id)
        ).all()
        assert [entry.after for entry in entries] == [{"state": "refused", "reason": "x" * 500}]
    with pytest.raises(Declined):
        workflow.create(sessions, GRACE, asked, open_id, now=LATER)
    with sessions() as session:
        link = session.scalars(select(PaymentLink).where(PaymentLink.invoice_id == open_id)).one()
        assert (link.state, link.ended_because, link.ended_at) == (LinkState.FAILED, "x" * 500, LATER)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "payment_link.write")).one()
        assert (entry.subject_label, entry.after) == ("INV-2026-002", {"state": "failed", "reason": "x" * 500})


@pytest.mark.parametrize(
    ("given", "secret"),
    [(STRIPE, "whsec_1"), ({**STRIPE, "stripe_secret_key": None}, None), ({}, None)],
)
def test_events_are_signed_with_stripes_secret_where_it_collects_and_with_our_own_otherwise(sessions, given, secret):
    settings = Settings(secret_key="x" * 32, **{name: value for name, value in given.items() if value})
    found = configured.webhook_secret(settings)
    assert found == (secret or f"whsec_{settings.derived('sandbox webhooks').hex()}")
    assert configured.mode(settings) is (Mode.TEST if secret else Mode.SANDBOX)
