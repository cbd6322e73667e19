"""What the pages of invoices say of their mails: what became of them, everywhere alike."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.mailing import service
from billing_core.outbox.models import MessageState, OutboxMessage
from tests.invoices.company import TODAY, a_customer, an_invoice
from tests.pages.invoicing import shown

KEPT, WAITING, SENT, FAILED = (
    MessageState.HELD_BACK,
    MessageState.WAITING,
    MessageState.DELIVERED,
    MessageState.FAILED,
)
RECALLED = MessageState.RECALLED


@pytest.fixture
def invoice(sessions) -> int:
    with sessions.begin() as session:
        return an_invoice(session, a_customer(session)).id


def mailed(sessions, invoice, state) -> None:
    """A mail of an hour ago, of which this became."""
    then = utc_now() - timedelta(hours=1)
    with sessions.begin() as session:
        mail = session.get_one(OutboxMessage, service.send_invoice(session, SYSTEM, invoice, now=then, today=TODAY))
        mail.state, mail.attempts = state, int(state in (SENT, FAILED))
        mail.last_error = "No such mailbox" if state is FAILED else ""
        mail.delivered_at = then if state is SENT else None


@pytest.mark.parametrize(
    ("state", "badge", "timeline", "dialog"),
    [
        (KEPT, "Mail kept", "Mail (invoice) to ap@acme.example kept in the outbox", "and nobody has got it"),
        (WAITING, "Mail waiting", "Mail (invoice) to ap@acme.example waits to be sent", "waits to be sent"),
        (FAILED, "Mail failed", "Mail (invoice) to ap@acme.example failed: No such mailbox", "failed, and nobody has"),
        (SENT, "", "", "It was mailed before"),
        (RECALLED, "", "", "Sending it by mail changes nothing"),
    ],
)
def test_badges_timeline_and_dialog_say_what_became_of_a_mail(
    page_as, sessions, invoice, state, badge, timeline, dialog
):
    mailed(sessions, invoice, state)
    listed = page_as("admin").visit("invoices.py").dataframe[0].value["Status"][0]
    assert [one for one in listed if one.startswith("Mail")] == [badge] * bool(badge)
    page = page_as("admin").visit("invoice_editor.py", invoice=str(invoice))
    assert not page.exception
    said = shown(page)
    assert badge in said
    assert timeline in said
    assert ("Mail (" in said) == bool(timeline)
    page.button(key="do_Send by e-mail").click().run()
    assert not page.exception
    said = shown(page)
    assert dialog in said
    assert ("mailed before" in said) == (state is SENT)


def test_who_belongs_to_the_customer_reads_nothing_of_mails_that_have_not_left(page_as, sessions, invoice):
    mailed(sessions, invoice, KEPT)
    with sessions() as session:
        customer_id = session.scalars(select(OutboxMessage.customer_id)).one()
    page = page_as("finance", customer_id=customer_id).visit("invoice_editor.py", invoice=str(invoice))
    assert not page.exception
    assert "outbox" not in shown(page).lower()
    assert "Mail kept" not in shown(page)
