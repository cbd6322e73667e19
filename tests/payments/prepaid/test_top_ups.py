"""Credit that tops itself up: the whole gap, by one invoice, and once until something happens."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from billing_core import runtime
from billing_core.audit.models import AuditEntry
from billing_core.errors import Forbidden, Invalid
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.invoices import service as invoices
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.jobs import prepaid_credit
from billing_core.outbox.models import OutboxMessage
from billing_core.payments.prepaid import top_ups
from billing_core.payments.prepaid.models import PrepaidPurchase
from billing_core.payments.prepaid.top_ups import Wanted
from tests.at_once import at_once
from tests.payments.books import NOW, TODAY, a_customer, pay
from tests.payments.prepaid.ahead import give, keep_up, left, use, wrong_in

LATER = NOW + timedelta(hours=1)


def want(session, customer, below=20_00, up_to=100_00, *, now=NOW, **facts):
    top_ups.change(session, SYSTEM, customer.id, Wanted(below, up_to, **facts), now=now)


def ask(session, *, now=LATER) -> list[int]:
    """The totals of the invoices that are made."""
    known = select(func.coalesce(func.max(Invoice.id), 0))
    before = session.scalar(known)
    top_ups.ask(session, SYSTEM, now=now, limit=10)
    return list(session.scalars(select(Invoice.total_minor).where(Invoice.id > before).order_by(Invoice.id)))


def newest(session) -> Invoice:
    return session.scalars(select(Invoice).order_by(Invoice.id.desc()).limit(1)).one()


@pytest.mark.parametrize(("there", "asked"), [(20_00, []), (19_99, [80_01]), (0, [100_00])])
def test_below_the_threshold_the_whole_gap_is_asked_for(session, there, asked):
    customer = a_customer(session)
    want(session, customer)
    if there:
        give(session, customer, there)
    assert (top_ups.due(session, now=LATER), top_ups.count_due(session, now=LATER)) == (bool(asked), len(asked))
    assert ask(session) == asked
    assert ask(session) == []


def test_while_it_is_to_be_paid_there_is_no_other_whatever_is_used(session):
    customer = a_customer(session)
    want(session, customer, valid_days=30)
    give(session, customer, 10_00)
    assert ask(session) == [90_00]
    use(session, customer, "10", now=LATER)
    assert ask(session) == []
    invoice = invoices.send(session, SYSTEM, session.scalars(select(PrepaidPurchase.invoice_id)).one(), now=LATER)
    assert ask(session) == []
    pay(session, customer, 90_00, **{str(invoice.id): 90_00})
    # It is paid, and not credited yet.
    assert ask(session) == []
    keep_up(session, now=LATER)
    assert left(session) == [0, 90_00]
    assert ask(session) == []
    use(session, customer, "75", now=LATER + timedelta(hours=1))
    assert ask(session, now=LATER + timedelta(hours=2)) == [85_00]
    assert wrong_in(session) == []


def test_who_was_not_sold_it_is_asked_again_once_something_happens(session):
    customer = a_customer(session)
    want(session, customer)
    give(session, customer, 10_00)
    assert ask(session) == [90_00]
    invoices.discard(session, SYSTEM, newest(session).id, now=LATER)
    assert ask(session, now=LATER + timedelta(days=9)) == []
    use(session, customer, "4", now=LATER + timedelta(days=9))
    assert ask(session, now=LATER + timedelta(days=10)) == [94_00]


def test_other_amounts_are_asked_for_at_once(session):
    customer = a_customer(session)
    want(session, customer)
    ask(session)
    invoices.discard(session, SYSTEM, newest(session).id, now=LATER)
    want(session, customer, up_to=50_00, now=LATER + timedelta(minutes=1))
    assert ask(session, now=LATER + timedelta(minutes=2)) == [50_00]


def test_only_the_customer_s_own_is_counted_and_others_are_left_alone(session):
    customer, other = a_customer(session), a_customer(session, "C2")
    give(session, other, 500_00)
    want(session, customer)
    assert ask(session) == [100_00]
    top_ups.change(session, SYSTEM, customer.id, None, now=LATER)
    assert top_ups.of_customer(session, SYSTEM, customer.id) is None
    invoices.discard(session, SYSTEM, newest(session).id, now=LATER)
    assert ask(session) == []


@pytest.mark.parametrize(
    "wanted", [Wanted(0, 5), Wanted(-1, 5), Wanted(6, 5), Wanted(1, 10**15 + 1), Wanted(1, 5, 0), Wanted(1, 5, 3_661)]
)
def test_what_cannot_be_wanted_is_refused(session, wanted):
    with pytest.raises(Invalid):
        top_ups.change(session, SYSTEM, a_customer(session).id, wanted, now=NOW)


def test_changes_are_traced_and_of_who_may_alone(session):
    customer = a_customer(session)
    want(session, customer, 1, 1)
    with pytest.raises(Invalid, match="Nothing would change"):
        want(session, customer, 1, 1)
    want(session, customer, 1, 2)
    traces = session.scalars(select(AuditEntry).where(AuditEntry.action == "prepaid.top_up").order_by(AuditEntry.id))
    assert [(one.before and one.before["up_to_minor"], one.after["up_to_minor"]) for one in traces] == [
        (None, 1),
        (1, 2),
    ]
    clerk = actor_with(Role.FINANCE, user_id=None, name="Rita Reader")
    assert top_ups.of_customer(session, clerk, customer.id) == Wanted(1, 2)
    bound = actor_with(Role.MANAGER, user_id=None, name="Olga", customer_id=a_customer(session, "C2").id)
    assert top_ups.of_customer(session, bound, customer.id) is None
    for missing in (Permission.INVOICE_WRITE, Permission.PAYMENT_WRITE):
        actor = Actor(None, "Ada", frozenset(Permission) - {missing})
        with pytest.raises(Forbidden):
            top_ups.change(session, actor, customer.id, None, now=NOW)
        with pytest.raises(Forbidden):
            top_ups.ask(session, actor, now=NOW, limit=1)
    with pytest.raises(Forbidden):
        top_ups.of_customer(session, Actor(None, "Ada", frozenset()), customer.id)


def test_the_job_mails_the_invoice_where_it_is_to(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr(prepaid_credit, "utc_now", lambda: LATER)
    with sessions.begin() as session:
        mailed, drafted, silent = (a_customer(session, ref) for ref in ("C1", "C2", "C3"))
        mailed.email = drafted.email = "carla@example.com"
        want(session, mailed, sends=True)
        want(session, drafted)
        # Without an address it stays a draft.
        want(session, silent, sends=True)
        give(session, mailed, 50_00, TODAY)
    monkeypatch.setattr(prepaid_credit, "utc_now", lambda: NOW + timedelta(days=1))
    assert prepaid_credit.keep_up() == 1
    with sessions() as session:
        states = session.execute(select(Invoice.customer_id, Invoice.state, Invoice.total_minor).order_by(Invoice.id))
        assert [tuple(row) for row in states] == [
            (mailed.id, InvoiceState.OPEN, 100_00),
            (drafted.id, InvoiceState.DRAFT, 100_00),
            (silent.id, InvoiceState.DRAFT, 100_00),
        ]
        assert session.scalars(select(OutboxMessage.customer_id)).all() == [mailed.id]
    assert prepaid_credit.keep_up() == 0


@pytest.mark.slow
def test_by_several_at_once_it_is_asked_for_once(sessions):
    with sessions.begin() as session:
        want(session, a_customer(session))

    def work() -> None:
        with sessions.begin() as session:
            top_ups.ask(session, SYSTEM, now=LATER, limit=5)

    at_once(*(partial(work) for _ in range(4)))
    with sessions() as session:
        assert session.scalars(select(PrepaidPurchase.automatic)).all() == [True]


def test_one_who_cannot_be_invoiced_keeps_no_other_waiting_and_is_tried_again_in_an_hour(session):
    odd, fine = a_customer(session, "C1"), a_customer(session, "C2")
    odd.payment_terms = "30 days from delivery"
    for one in (odd, fine):
        want(session, one)
    assert ask(session) == [100_00]
    assert newest(session).customer_id == fine.id
    assert "30 days from delivery" in top_ups.refusal_of(session, SYSTEM, odd.id)
    assert not top_ups.due(session, now=LATER + timedelta(minutes=59))
    odd.payment_terms = "Net 30"
    assert ask(session, now=LATER + timedelta(hours=1)) == [100_00]
    assert top_ups.refusal_of(session, SYSTEM, odd.id) == ""


def test_a_top_up_that_is_set_anew_is_tried_at_once(session):
    odd = a_customer(session)
    odd.payment_terms = "as agreed"
    want(session, odd)
    assert ask(session) == []
    want(session, odd, up_to=50_00)
    odd.payment_terms = ""
    assert ask(session) == [50_00]
