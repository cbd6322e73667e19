"""The list of invoices: filters, order, pages, counts and sums."""

from datetime import timedelta

import pytest

from billing_core.identity import SYSTEM
from billing_core.invoices import following, lifecycle, queries, service
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import EventKind
from billing_core.invoices.queries import InvoiceFilter
from tests.invoices.company import NOW, TODAY, a_customer, a_draft, a_line, an_invoice


def _ids(session, actor=SYSTEM, *, today=TODAY, limit=50, offset=0, **facts):
    found = queries.page(session, actor, InvoiceFilter(**facts), today=today, limit=limit, offset=offset)
    return [row.id for row in found]


def _some(session):
    """A draft, one sent, one viewed, one paid, one overdue, one cancelled, one refunded, and one discarded."""
    acme = a_customer(session)
    due = TODAY + timedelta(days=30)
    found = {
        status: an_invoice(session, acme, a_line(unit_price=str(100 + at)), due_on=due)
        for at, status in enumerate(list(InvoiceStatus)[1:])
    }
    found[InvoiceStatus.DRAFT] = a_draft(session, acme)
    following.set_viewed(session, SYSTEM, found[InvoiceStatus.VIEWED].id, now=NOW)
    following.mark_overdue(session, SYSTEM, found[InvoiceStatus.OVERDUE].id, now=NOW)
    following.cancel(session, SYSTEM, found[InvoiceStatus.CANCELLED].id, now=NOW, today=TODAY)
    for status in (InvoiceStatus.PAID, InvoiceStatus.REFUNDED):
        invoice = found[status]
        lifecycle.settle(session, SYSTEM, invoice, paid=invoice.due_minor, event=EventKind.PAYMENT, now=NOW)
    refunded = found[InvoiceStatus.REFUNDED]
    lifecycle.settle(session, SYSTEM, refunded, refunded=refunded.paid_minor, event=EventKind.REFUNDED, now=NOW)
    service.discard(session, SYSTEM, a_draft(session, acme).id, now=NOW)
    return found


@pytest.mark.parametrize("status", list(InvoiceStatus))
def test_each_status_finds_its_own(session, status):
    found = _some(session)

    assert _ids(session, status=(status,)) == [found[status].id]
    assert queries.count(session, SYSTEM, InvoiceFilter(status=(status,)), today=TODAY) == 1
    assert queries.one(session, SYSTEM, found[status].id).status(TODAY) is status
