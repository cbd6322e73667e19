"""Downloads by customers: each visit is noted once."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import NotFound
from billing_core.identity import Permission
from billing_core.invoices import after_sending, queries, visits
from tests.invoices.company import NOW, TODAY, a_customer, a_draft, an_invoice, kinds

MINUTE = timedelta(minutes=1)


def test_downloads_within_half_an_hour_are_one_visit(session):
    sent = an_invoice(session, a_customer(session))
    after_sending.mark_viewed(session, sent.token, now=NOW)
    noted = [
        minutes
        for minutes in (0, 29, 30, 31, 59, 60)
        if visits.mark_downloaded(session, sent.token, now=NOW + minutes * MINUTE)
    ]
    assert noted == [0, 30, 60]
    assert kinds(session, sent.id) == ["created", "sent", "viewed", *["downloaded"] * 3]


def test_each_invoice_has_its_own_visits_in_the_customers_name(session):
    customer = a_customer(session)
    first, second = an_invoice(session, customer), an_invoice(session, customer, customer_name="")
    assert visits.mark_downloaded(session, first.token, now=NOW)
    assert visits.mark_downloaded(session, second.token, now=NOW)
    names = [queries.events(session, invoice.id)[0].actor_name for invoice in (first, second)]
    assert names == ["Acme Corp", "The customer"]
    audited = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "invoice.download").order_by(AuditEntry.id)
    ).all()
    assert [(entry.subject_id, entry.subject_label) for entry in audited] == [
        (str(first.id), "INV-2026-001"),
        (str(second.id), "INV-2026-002"),
    ]


def test_whoever_has_the_link_sees_that_customer_and_changes_nothing(session):
    sent = an_invoice(session, a_customer(session))
    actor = visits.customer_of(queries.by_token(session, sent.token))
    assert (actor.user_id, actor.name, actor.customer_id) == (None, "Acme Corp", sent.customer_id)
    assert actor.permissions == {Permission.INVOICE_READ}


def test_nothing_is_downloaded_by_the_link_of_a_draft(session):
    draft = a_draft(session, a_customer(session))
    for token in (draft.token, "x"):
        with pytest.raises(NotFound):
            visits.mark_downloaded(session, token, now=NOW)
    assert queries.events(session, draft.id)[0].kind.value == "created"
    assert queries.page(session, visits.customer_of(draft), queries.InvoiceFilter(), today=TODAY)
