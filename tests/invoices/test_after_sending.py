"""What happens to an invoice once it is sent."""

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, credit_notes, lifecycle, queries, service
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import EventKind, InvoiceState
from billing_core.ledger.models import LedgerPosting
from tests.invoices.company import GRACE, LATER, NOW, READER, TODAY, a_customer, a_draft, an_invoice, content, kinds


def _balances(session):
    """Each account and detail that does not stand at 0."""
    balance = func.sum(LedgerPosting.amount_minor)
    statement = select(LedgerPosting.account, LedgerPosting.detail, balance).group_by(
        LedgerPosting.account, LedgerPosting.detail
    )
    return {(account.value, detail): amount for account, detail, amount in session.execute(statement) if amount}


def _cancel(session, invoice):
    return after_sending.cancel(session, GRACE, invoice.id, now=LATER, today=TODAY, reason="Sent by mistake")


def test_a_cancelled_invoice_keeps_its_number_and_the_ledger_takes_it_back(session):
    sent = an_invoice(session, a_customer(session))

    cancelled = _cancel(session, sent)

    assert (cancelled.state, cancelled.number, cancelled.due_minor) == (InvoiceState.CANCELLED, "INV-2026-001", 0)
    assert cancelled.cancelled_at == LATER
    assert _balances(session) == {}
    assert queries.events(session, sent.id)[0].data == {"reason": "Sent by mistake"}
    with pytest.raises(Conflict):
        _cancel(session, sent)


def test_what_a_credit_note_took_back_is_not_taken_back_again(session):
    sent = an_invoice(session, a_customer(session))
    credit_notes.issue(
        session, GRACE, sent.id, amount_minor=3800, reason="Discount", issued_on=TODAY, today=TODAY, now=NOW
    )

    _cancel(session, sent)

    assert _balances(session) == {}


def test_a_numbered_draft_is_cancelled_without_a_posting(session):
    numbered = service.create(session, GRACE, content(session, a_customer(session)), now=NOW, numbered=True)

    assert _cancel(session, numbered).number == "INV-2026-001"
    assert _balances(session) == {}


@pytest.mark.parametrize(
    ("amounts", "reason"),
    [
        ({"paid": 23800}, "is paid: refund it"),
        ({"paid": 100}, "has received 1.00 USD"),
        ({"written_off": 100}, "written off: undo"),
    ],
)
def test_what_got_money_or_was_given_up_is_not_cancelled(session, amounts, reason):
    sent = an_invoice(session, a_customer(session))
    lifecycle.settle(session, SYSTEM, sent, event=EventKind.PAYMENT, now=NOW, **amounts)

    with pytest.raises(Conflict, match=reason):
        _cancel(session, sent)


def test_the_customers_first_visit_counts_and_no_other(session):
    sent = an_invoice(session, a_customer(session))

    assert after_sending.mark_viewed(session, sent.token, now=NOW)
    assert not after_sending.mark_viewed(session, sent.token, now=LATER)

    session.refresh(sent)
    assert sent.viewed_at == NOW
    assert lifecycle.status(sent, TODAY) is InvoiceStatus.VIEWED
    assert queries.events(session, sent.id)[0].actor_name == "Acme Corp"
    assert kinds(session, sent.id) == ["created", "sent", "viewed"]


def test_the_link_of_a_draft_shows_nothing_and_that_of_a_cancelled_one_counts_no_visit(session):
    acme = a_customer(session)
    cancelled = _cancel(session, an_invoice(session, acme))

    with pytest.raises(NotFound):
        after_sending.mark_viewed(session, a_draft(session, acme).token, now=NOW)
    with pytest.raises(NotFound):
        after_sending.mark_viewed(session, "guess\0ed", now=NOW)
    assert not after_sending.mark_viewed(session, cancelled.token, now=NOW)


def test_an_open_invoice_can_be_marked_late_before_its_day(session):
    sent = an_invoice(session, a_customer(session))

    after_sending.mark_overdue(session, GRACE, sent.id, now=NOW)
    after_sending.mark_overdue(session, GRACE, sent.id, now=LATER)

    assert (lifecycle.status(sent, TODAY), sent.marked_overdue_at) == (InvoiceStatus.OVERDUE, NOW)
    assert kinds(session, sent.id) == ["created", "sent", "marked_overdue"]
    with pytest.raises(Conflict, match="not open, but draft"):
        after_sending.mark_overdue(session, GRACE, a_draft(session, sent.customer_id).id, now=NOW)


def test_an_invoice_is_held_back_until_a_day_and_released(session):
    sent = an_invoice(session, a_customer(session))
    until = date(2026, 4, 1)

    held = after_sending.hold(session, GRACE, sent.id, until=until, reason="Disputed", now=NOW, today=TODAY)
    assert (held.held_until, held.hold_reason) == (until, "Disputed")
    past = TODAY - timedelta(days=1)
    with pytest.raises(Invalid):
        after_sending.hold(session, GRACE, sent.id, until=past, reason="Disputed", now=NOW, today=TODAY)
    with pytest.raises(Forbidden):
        after_sending.hold(session, READER, sent.id, until=until, reason="Disputed", now=NOW, today=TODAY)

    assert after_sending.release(session, GRACE, sent.id, now=LATER).held_until is None
    after_sending.release(session, GRACE, sent.id, now=LATER)
    assert kinds(session, sent.id) == ["created", "sent", "held", "released"]
