"""In whatever order a charge is begun, made, recorded, told and repeated, with processes killed in between and the
customer paying by a link meanwhile: each money that came in is one payment, and the invoice gets no more than is due.
"""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_core.errors import Conflict, UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import PaymentLink
from billing_core.online_payments import verification
from billing_core.online_payments.gateway import Charged, ChargeOutcome
from billing_core.online_payments.links import workflow
from billing_core.online_payments.models import AttemptState, ChargeAttempt, PaymentCase
from billing_core.online_payments.off_session import attempts
from billing_core.payments import received
from billing_core.payments.models import Allocation, Payment
from billing_core.receivables import verification as receivables
from tests.online_payments.gateways import SUCCEEDED, ScriptedGateway
from tests.online_payments.linked import paying, tell
from tests.online_payments.off_session.cards import LATER, put_on_file, record, told
from tests.payments.books import NOW, TODAY, a_customer, a_draft, an_open_invoice, bank_transfer

DECLINED = Charged(ChargeOutcome.DECLINED, decline_code="generic_decline", message="No.")
AUTHENTICATE = Charged(ChargeOutcome.AUTHENTICATION, decline_code="authentication_required", message="Confirm.")
STEPS = ("begin", "charge", "lost", "down", "record", "told", "killed", "finish", "link", "link_paid", "transfer")
_refs = itertools.count()


class World:
    """An invoice of 100.00 EUR whose customer has a card; ``answers``: what the bank says to one charge after another.
    ``remembered``: what the process has heard and not recorded yet. ``came_minor``: all money that has come in.
    """

    def __init__(self, sessions, answers: list[Charged], *, draft: bool) -> None:
        self.sessions, self.gateway = sessions, ScriptedGateway()
        self.gateway.answers = list(answers)
        self.attempt_ids: list[int] = []
        self.remembered: dict[int, Charged] = {}
        self.paid_links: set[int] = set()
        self.transferred_minor = 0
        with sessions.begin() as session:
            customer = a_customer(session, f"C{next(_refs)}")
            self.customer_id = customer.id
            self.invoice_id = (a_draft if draft else an_open_invoice)(session, customer).id
        self.method_id = put_on_file(sessions, self.gateway, self.customer_id, f"pm_{self.customer_id}")

    def take(self, step: str, which: int) -> None:
        getattr(self, step)(which)

    def begin(self, _which: int) -> None:
        try:
            with self.sessions.begin() as session:
                self.attempt_ids.append(attempts.begin(session, SYSTEM, self.invoice_id, self.method_id, now=NOW))
        except Conflict:
            with self.sessions() as session:
                invoice = session.get_one(Invoice, self.invoice_id)
                assert attempts.running(session, invoice.id) or invoice.state is InvoiceState.PAID

    def charge(self, which: int, *fails: str) -> None:
        if self.attempt_ids:
            attempt_id = self.attempt_ids[which % len(self.attempt_ids)]
            self.gateway.fails = list(fails)
            try:
                self.remembered[attempt_id] = attempts.charge(self.sessions, self.gateway, attempt_id)
            except UpstreamFailed:
                assert fails
            self.gateway.fails = []

    def lost(self, which: int) -> None:
        self.charge(which, "lost")

    def down(self, which: int) -> None:
        self.charge(which, "down")

    def record(self, which: int) -> None:
        if self.remembered:
            attempt_id = sorted(self.remembered)[which % len(self.remembered)]
            record(self.sessions, attempt_id, self.remembered[attempt_id])

    def told(self, which: int) -> None:
        if self.gateway.charged:
            key = list(self.gateway.charged)[which % len(self.gateway.charged)]
            self.tell(key)

    def tell(self, key: str) -> None:
        with self.sessions() as session:
            attempt = session.scalars(select(ChargeAttempt).where(ChargeAttempt.public_id == key)).one()
        answer = self.gateway.charged[key][1]
        refusal = {"code": "card_declined", "decline_code": answer.decline_code, "message": answer.message}
        tell(self.sessions, told(attempt, **(refusal if answer.decline_code else {})), now=LATER)

    def killed(self, _which: int) -> None:
        self.remembered.clear()

    def finish(self, _which: int) -> None:
        with self.sessions() as session:
            left = attempts.unfinished(session, before=LATER)
        for attempt_id in left:
            if attempt_id in self.attempt_ids:
                record(self.sessions, attempt_id, attempts.charge(self.sessions, self.gateway, attempt_id))

    def link(self, _which: int) -> None:
        try:
            workflow.create(self.sessions, SYSTEM, self.gateway, self.invoice_id, now=NOW)
        except Conflict:
            pass
        else:
            with self.sessions() as session:
                assert not attempts.running(session, self.invoice_id)

    def link_paid(self, which: int) -> None:
        """Also one that has ended here: the gateway may not have heard of that yet."""
        with self.sessions() as session:
            links = session.scalars(select(PaymentLink).where(PaymentLink.invoice_id == self.invoice_id)).all()
            invoice = session.get_one(Invoice, self.invoice_id)
        if links:
            link = links[which % len(links)]
            tell(self.sessions, paying(link, invoice, number=1_000_000 + link.id).succeeded(), now=LATER)
            self.paid_links.add(link.id)

    def transfer(self, which: int) -> None:
        minor = (10_000, 4_000)[which % 2]
        try:
            with self.sessions.begin() as session:
                money = bank_transfer(minor)
                received.record_for(session, SYSTEM, self.invoice_id, received=money, today=TODAY, now=NOW)
        except Conflict:
            return
        self.transferred_minor += minor


ANSWERS = st.lists(st.sampled_from([SUCCEEDED, SUCCEEDED, DECLINED, AUTHENTICATE]), max_size=3)
WALKS = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2)), max_size=14)


@pytest.mark.drawn
@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=ANSWERS, walk=WALKS, draft=st.booleans())
def test_money_is_one_payment_each_and_the_invoice_gets_no_more_than_is_due(sessions, answers, walk, draft):
    world = World(sessions, answers, draft=draft)
    for step, which in [("begin", 0), *walk]:
        world.take(step, which)
    world.finish(0)
    for key in world.gateway.charged:
        world.tell(key)
    with sessions() as session:
        _check(session, world)


def _check(session, world: World) -> None:
    of_invoice = select(ChargeAttempt).where(ChargeAttempt.invoice_id == world.invoice_id)
    ended = {one.public_id: one for one in session.scalars(of_invoice)}
    for key, (asked, answer) in world.gateway.charged.items():
        assert ended[key].state.value == answer.outcome.value
        assert ended[key].amount_minor == asked.amount_minor
    assert AttemptState.STARTED not in {one.state for one in ended.values()}
    charged = [asked.amount_minor for asked, answer in world.gateway.charged.values() if answer == SUCCEEDED]
    links = session.scalars(select(PaymentLink.id).where(PaymentLink.id.in_(world.paid_links))).all()
    payments = session.scalars(select(Payment).where(Payment.customer_id == world.customer_id)).all()
    # By link it is always the 100.00 that the customer was asked for first.
    came = sum(charged) + 10_000 * len(links) + world.transferred_minor
    assert sum(payment.amount_minor for payment in payments) == came
    online = [payment for payment in payments if payment.gateway_key is not None]
    assert len(online) == len(charged) + len(links)
    of_it = Allocation.invoice_id == world.invoice_id
    allocated = session.scalar(select(func.coalesce(func.sum(Allocation.amount_minor), 0)).where(of_it))
    invoice = session.get_one(Invoice, world.invoice_id)
    assert allocated == invoice.paid_minor <= 10_000
    for payment in online:
        paid = session.scalar(select(Allocation.id).where(Allocation.payment_id == payment.id))
        asked = session.scalar(select(PaymentCase.id).where(PaymentCase.payment_id == payment.id))
        assert (paid is None) is (asked is not None)
    found = [*verification.checks(session), *receivables.checks(session, today=TODAY)]
    assert [one for check in found for one in check.wrong] == []
