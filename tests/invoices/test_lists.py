"""Lists of invoices for files and for programs: every row, every amount, in the order that was asked for."""

import csv
import io
from datetime import UTC, date, datetime

import pytest
from openpyxl import load_workbook
from sqlalchemy import update

from billing_core.businesses.models import Business
from billing_core.errors import Forbidden, Invalid
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending, lifecycle, service
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.lists import csv as csv_lists
from billing_core.invoices.lists import keyset, xlsx
from billing_core.invoices.models import EventKind, Invoice
from billing_core.invoices.queries import InvoiceFilter
from tests.invoices.company import GRACE, LATER, NOW, READER, TODAY, a_customer, a_draft, a_line, an_invoice

BY_ID = InvoiceFilter(order_by="id")
SETTLED = ["Credited", "Of it for early payment", "Written off", "Not due"]
LATE = date(2026, 4, 11)  # ten days after the due date


@pytest.fixture
def company(session):
    """238.00 USD, of which 100.00 is paid and 38.00 of that is refunded, viewed and late; a draft of 7.000 KWD."""
    acme = a_customer(session)
    sent = an_invoice(session, acme, reference="PO-77")
    after_sending.mark_viewed(session, sent.token, now=LATER)
    lifecycle.settle(session, SYSTEM, sent, paid=100_00, event=EventKind.PAYMENT, now=LATER)
    lifecycle.settle(session, SYSTEM, sent, refunded=38_00, event=EventKind.REFUNDED, now=LATER)
    draft = a_draft(session, acme, a_line("Work", "1", "7", "0"), currency="KWD")
    service.discard(session, SYSTEM, a_draft(session, acme).id, now=NOW)
    return sent, draft


def test_the_csv_has_every_figure_in_its_column(session, company):
    sent, draft = company
    download = csv_lists.as_csv(session, GRACE, BY_ID, today=LATE)
    assert download.file_name == "invoices.csv"
    read = csv.DictReader(io.StringIO(b"".join(download.chunks).decode("utf-8-sig")))
    rows = list(read)
    assert tuple(read.fieldnames) == csv_lists.CSV_COLUMNS
    assert rows[0] == {
        "invoice_id": sent.public_id,
        "invoice_number": "INV-2026-001",
        "status": "overdue",
        "business": "My business",
        "customer_id": str(sent.customer_id),
        "customer_name": "Acme Corp",
        "customer_email": "ap@acme.example",
        "issued_date": "2026-03-02",
        "due_date": "2026-04-01",
        "days_late": "10",
        "currency": "USD",
        "amount": "200.00",
        "tax_amount": "38.00",
        "total_amount": "238.00",
        "amount_paid": "100.00",
        "amount_refunded": "38.00",
        "amount_due": "138.00",
        "reference": "PO-77",
        "sent_at": "2026-03-02T09:00:00Z",
        "viewed_at": "2026-03-02T10:00:00Z",
        "created_at": "2026-03-02T09:00:00Z",
        "amount_credited": "0.00",
        "early_payment_discount": "0.00",
        "amount_written_off": "0.00",
        "amount_not_due": "0.00",
    }
    assert (rows[1]["invoice_id"], rows[1]["status"], rows[1]["amount"]) == (draft.public_id, "draft", "7.000")
    assert (rows[1]["invoice_number"], rows[1]["days_late"], rows[1]["sent_at"]) == ("", "", "")
    assert (rows[1]["amount_due"], rows[1]["amount_not_due"]) == ("0.000", "7.000")
    assert len(rows) == 2


def test_the_workbook_has_sums_and_rows(session, company):
    download = xlsx.workbook(session, GRACE, BY_ID, today=LATE, now=LATER)
    assert download.file_name == "invoices.xlsx"
    book = load_workbook(io.BytesIO(b"".join(download.chunks)))
    summary = [[cell.value for cell in row] for row in book["Summary"].iter_rows()]
    day = datetime(2026, 4, 11)  # noqa: DTZ001 - as a workbook has it
    assert [[value for value in row if value is not None] for row in summary] == [
        ["Invoices"],
        [],
        ["As of", day],
        [],
        [*("Currency", "Invoices", "Total", "Amount due", "Net", "Tax", "Paid", "Refunded"), *SETTLED],
        ["KWD", 1, 7, 0, 7, 0, 0, 0, 0, 0, 0, 7],
        ["USD", 1, 238, 138, 200, 38, 100, 38, 0, 0, 0, 0],
    ]
    titles, sent, draft = ([cell.value for cell in row] for row in book["Invoices"].iter_rows())
    assert titles[:8] == ["Number", "Status", "Business", "Customer", "E-mail", "Issued", "Due", "Days late"]
    assert titles[8:16] == ["Currency", "Net", "Tax", "Total", "Paid", "Refunded", "Amount due", "Reference"]
    assert titles[16:] == SETTLED
    assert sent == [
        *("INV-2026-001", "overdue", "My business", "Acme Corp", "ap@acme.example"),
        *(datetime(2026, 3, 2), datetime(2026, 4, 1), 10, "USD"),  # noqa: DTZ001
        *(200, 38, 238, 100, 38, 138, "PO-77", 0, 0, 0, 0),
    ]
    assert (draft[1], draft[7], draft[8:11]) == ("draft", None, ["KWD", 7, 0])


def test_lists_need_the_permission_to_export(session, company):
    with pytest.raises(Forbidden):
        csv_lists.as_csv(session, READER, BY_ID, today=TODAY)
    with pytest.raises(Forbidden):
        xlsx.workbook(session, READER, BY_ID, today=TODAY, now=NOW)


def page(session, actor=GRACE, *, business_id=1, limit=10, **facts):
    return keyset.page(session, actor, business_id, today=TODAY, limit=limit, **facts)


def ids(rows):
    return [row.public_id for row in rows]


def test_programs_page_from_the_newest_on(session):
    acme = a_customer(session)
    made = [an_invoice(session, acme).public_id for _ in range(3)]
    assert ids(page(session)) == made[::-1]
    assert ids(page(session, limit=2)) == [made[2], made[1]]
    assert ids(page(session, limit=2, after=made[1])) == [made[0]]
    assert page(session, after=made[0]) == []


def test_a_row_has_the_status_and_the_amounts(session, company):
    draft, sent = page(session)
    assert (sent.number, sent.customer_email, sent.status) == ("INV-2026-001", "ap@acme.example", "viewed")
    assert (sent.subtotal_minor, sent.tax_minor, sent.total_minor, sent.currency) == (20_000, 3_800, 23_800, "USD")
    assert (sent.issued_on, sent.due_on) == (TODAY, date(2026, 4, 1))
    assert sent.created_at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert (draft.number, draft.status, draft.currency) == (None, "draft", "KWD")
    assert ids(page(session, status=InvoiceStatus.VIEWED)) == [sent.public_id]
    assert ids(page(session, status=InvoiceStatus.DRAFT)) == [draft.public_id]
    assert ids(page(session, status=InvoiceStatus.DRAFT, after=draft.public_id)) == []


def test_each_business_and_each_customer_sees_its_own(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    second = Business(name="Second", currency="USD", time_zone="UTC")
    session.add(second)
    session.flush()
    mine, theirs = an_invoice(session, acme).public_id, an_invoice(session, other).public_id
    elsewhere = an_invoice(session, acme, business_id=second.id).public_id
    bound = actor_with(Role.FINANCE, user_id=None, name="Bo", customer_id=acme)
    assert ids(page(session)) == [theirs, mine]
    assert ids(page(session, business_id=second.id)) == [elsewhere]
    assert ids(page(session, bound)) == [mine]
    assert ids(page(session, bound, after=mine)) == []
    for actor, after in ((GRACE, elsewhere), (GRACE, "inv_x"), (GRACE, "inv_\0"), (bound, theirs)):
        with pytest.raises(Invalid, match="starting_after: names nothing in this list"):
            page(session, actor, after=after)


def test_numbered_drafts_that_were_cancelled_stay_and_discarded_ones_do_not(session):
    acme = a_customer(session)
    cancelled = an_invoice(session, acme)
    after_sending.cancel(session, GRACE, cancelled.id, now=LATER, today=TODAY)
    service.discard(session, GRACE, a_draft(session, acme).id, now=NOW)
    assert [(row.public_id, row.status) for row in page(session)] == [(cancelled.public_id, "cancelled")]
    session.execute(update(Invoice).values(marked_overdue_at=NOW))
    assert [row.status for row in page(session)] == ["cancelled"]
