"""Drafts and sending them."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from billing_core.invoices import queries, service
from billing_core.invoices.models import InvoiceState
from billing_core.ledger.models import LedgerPosting
from tests.invoices.company import (
    GRACE,
    LATER,
    NOW,
    TODAY,
    a_customer,
    a_draft,
    a_line,
    content,
    kinds,
)


def test_a_draft_keeps_its_content_and_what_it_comes_to(session):
    acme = a_customer(session)
    wanted = content(session, acme, a_line(), a_line("Hosting", "1", "9.995", "7"), notes="Thank you 🎉")

    draft = service.create(session, GRACE, wanted, now=NOW)

    # 200 + 9.995 -> 210.00 (half up); tax 38.00 + 0.69965 -> 38.70.
    assert (draft.subtotal_minor, draft.tax_minor, draft.total_minor) == (21000, 3870, 24870)
    assert (draft.state, draft.number, draft.due_minor) == (InvoiceState.DRAFT, None, 0)
    assert queries.content(session, draft) == replace(wanted, due_on=TODAY + timedelta(days=30))
    assert [line.amount_minor for line in queries.lines(session, draft.id)] == [20000, 1000]
    assert kinds(session, draft.id) == ["created"]


def test_sending_numbers_freezes_and_posts(session):
    acme = a_customer(session)
    draft = a_draft(session, acme, a_line(), a_line("Setup", "1", "50", "7.5", type="fee"))

    sent = service.open_invoice(session, GRACE, draft.id, now=LATER)

    assert (sent.state, sent.number, sent.sent_at) == (InvoiceState.OPEN, "INV-2026-001", LATER)
    assert sent.issuer["name"]
    # 250.00 net, 38.00 + 3.75 tax.
    assert sent.due_minor == sent.total_minor == 29175
    posted = select(LedgerPosting.account, LedgerPosting.detail, LedgerPosting.amount_minor, LedgerPosting.invoice_id)
    assert sorted(map(tuple, session.execute(posted))) == [
        ("receivable", "", 29175, sent.id),
        ("revenue", "fee", -5000, None),
        ("revenue", "service", -20000, None),
        ("tax_payable", "19", -3800, None),
        ("tax_payable", "7.5", -375, None),
    ]
    assert kinds(session, sent.id) == ["created", "sent"]
