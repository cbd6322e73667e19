"""Whatever the order and the repetition in which the gateway tells its events, the state in the end is the same."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices import lifecycle
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import PaymentLink
from billing_core.ledger.models import LedgerPosting
from billing_core.online_payments.models import CaseKind, Dispute, PaymentCase, WebhookEvent, WebhookState
from billing_core.online_payments.queries import EventFilter, event_count
from billing_core.payments.models import Payment, Refund
from billing_core.receivables import verification
from tests.online_payments.linked import linked, paying, tell
from tests.online_payments.stripe.events import NOON, Object, Paying
from tests.payments.books import TODAY, pay

pytestmark = pytest.mark.slow


def by_card(payment: Paying) -> list[Object]:
    """Declined twice, then paid; refunds of 30.00, which does not arrive, and of the rest; a lost dispute."""
    return [
        payment.failed(at=NOON - 120),
        payment.failed("Your card has expired.", at=NOON - 60),
        payment.charged(),
        payment.succeeded(),
        payment.completed(),
        payment.invoice_paid(),
        payment.refunded(3_000, at=NOON + 600),
        payment.refund_failed(3_000),
        payment.refunded(payment.amount, at=NOON + 1200),
        payment.disputed(),
        payment.dispute_closed("lost"),
    ]


def by_debit(payment: Paying) -> list[Object]:
    """On its way for days, refused, tried again, and paid; the customer has failed once more. A won dispute."""
    return [
        payment.completed(payment_status="unpaid"),
        payment.async_failed(at=NOON - 60),
        payment.async_succeeded(),
        payment.succeeded(),
        payment.failed("Your card was declined.", at=NOON + 60),
        payment.disputed(),
        payment.dispute_closed("won"),
    ]


LOST, DIFFERS, NOTHING_DUE = CaseKind.DISPUTE_LOST, CaseKind.AMOUNT_DIFFERS, CaseKind.NOTHING_DUE
NOT_ARRIVED = (CaseKind.REFUND_FAILED, 3_000, True)


@dataclass(frozen=True)
class Story:
    """What happened to an invoice of 100.00 EUR, and by hand, how it ends: ``cases`` are (kind, amount, still open)."""

    told: Callable[[Paying], list[Object]]
    amount: int
    status: str
    ledger: dict[str, int]
    cases: list[tuple[CaseKind, int, bool]]
    paid_before: int = 0


STORIES = (
    Story(by_card, 10_000, "refunded", {}, [NOT_ARRIVED, (LOST, 10_000, True)]),
    Story(by_debit, 10_000, "paid", {"cash": 10_000, "revenue": -10_000}, []),
    # 40.00 came for 100.00, and went back again.
    Story(
        by_card,
        4_000,
        "sent",
        {"receivable": 10_000, "revenue": -10_000},
        [(DIFFERS, 4_000, False), NOT_ARRIVED, (LOST, 4_000, True)],
    ),
    # 40.00 came and is kept, and the last that is known of the link is a failure.
    Story(
        by_debit,
        4_000,
        "sent",
        {"cash": 4_000, "customer_credit": -4_000, "receivable": 10_000, "revenue": -10_000},
        [(DIFFERS, 4_000, True)],
    ),
    # The customer's bank had paid it already; what came by the link went back.
    Story(
        by_card,
        10_000,
        "paid",
        {"cash": 10_000, "revenue": -10_000},
        [(NOTHING_DUE, 10_000, False), NOT_ARRIVED, (LOST, 10_000, True)],
        paid_before=10_000,
    ),
)


def staged(session: Session, story: Story, ref: str) -> tuple[int, int, list[Object]]:
    """(invoice, link, events) of a new customer to whom the story happens."""
    invoice, link = linked(session, ref=ref)
    if story.paid_before:
        customer = session.get_one(Customer, invoice.customer_id)
        pay(session, customer, story.paid_before, **{str(invoice.id): story.paid_before})
    return invoice.id, link.id, story.told(paying(link, invoice, amount=story.amount))


def ending(session: Session, invoice_id: int, link_id: int) -> dict[str, object]:
    """Everything that must not depend on the order; ids by whether they are there."""
    invoice, link = session.get_one(Invoice, invoice_id), session.get_one(PaymentLink, link_id)
    payments = session.scalars(select(Payment).where(Payment.customer_id == invoice.customer_id)).all()
    cases = session.scalars(select(PaymentCase).where(PaymentCase.customer_id == invoice.customer_id)).all()
    disputes = session.scalars(select(Dispute).where(Dispute.payment_id.in_([one.id for one in payments]))).all()
    refunded = select(func.sum(Refund.amount_minor)).where(Refund.customer_id == invoice.customer_id)
    return {
        "status": lifecycle.status(invoice, TODAY).value,
        "failure": (invoice.payment_failed_at, invoice.payment_failure),
        "amounts": (invoice.paid_minor, invoice.refunded_minor, invoice.due_minor, invoice.payment_url),
        "named": invoice.stripe_invoice_id is not None,
        "link": (link.state, link.last_paid_at, link.last_failed_at, link.last_failure),
        "payments": Counter((one.amount_minor, bool(one.intent_id), bool(one.charge_id)) for one in payments),
        "refunded": session.scalar(refunded),
        "cases": Counter((one.kind, one.amount_minor, one.settled_at is None) for one in cases),
        "disputes": Counter((one.state, one.opened_at, one.closed_at) for one in disputes),
        "ledger": ledger_of(session, invoice.customer_id),
    }


def ledger_of(session: Session, customer_id: int) -> dict[str, int]:
    total = func.sum(LedgerPosting.amount_minor)
    of_customer = select(LedgerPosting.account, total).where(LedgerPosting.customer_id == customer_id)
    sums = session.execute(of_customer.group_by(LedgerPosting.account))
    return {account.value: int(minor) for account, minor in sums if minor}


@pytest.mark.drawn
def test_any_order_and_repetition_ends_in_the_same_state(sessions):
    in_order: dict[int, dict[str, object]] = {}
    refs = (f"C{number}" for number in range(10_000))

    def play(story: Story, arranged: Callable[[list[Object]], list[Object]]) -> dict[str, object]:
        with sessions.begin() as session:
            invoice_id, link_id, events = staged(session, story, next(refs))
        tell(sessions, *arranged(events))
        with sessions() as session:
            return ending(session, invoice_id, link_id)

    for story in STORIES:
        found = in_order[id(story)] = play(story, list)
        by_hand = (story.status, story.ledger, Counter(story.cases))
        assert (found["status"], found["ledger"], found["cases"]) == by_hand

    @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(story=st.sampled_from(STORIES), data=st.data())
    def any_order(story, data):
        def shuffled(events: list[Object]) -> list[Object]:
            order = data.draw(st.permutations(range(len(events))))
            again = data.draw(st.lists(st.sampled_from(range(len(events))), max_size=4))
            # The same once more under another id, as when two addresses are registered at the gateway.
            others = [{**events[place], "id": f"{events[place]['id']}_again"} for place in dict.fromkeys(again)]
            return [*(events[place] for place in (*order, *again)), *others]

        assert play(story, shuffled) == in_order[id(story)]

    any_order()
    with sessions() as session:
        assert [check for check in verification.checks(session, today=TODAY) if check.wrong] == []
        for state in (WebhookState.FAILED, WebhookState.IGNORED, WebhookState.WAITING):
            assert event_count(session, SYSTEM, EventFilter(state=(state,))) == 0
        assert session.scalar(select(func.count()).select_from(WebhookEvent)) > 100
