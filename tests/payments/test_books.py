"""Files for the books: lines, tax by rate, credit notes, and payments with what they paid. By hand:

The first invoice has 3 × 33.33 less 10 % at 19 %, which is 89.99, and 50.00 at 7 %; 5.00 off both is 3.21 and 1.79.
So 86.78 bear 16.49, and 48.21 bear 3.37: 154.85. The second has three times 0.35 at 10 %: 1.05 and 0.11, or 1.16.
Of 200.00 the first takes 154.85. 1.16 of the 45.15 that were kept pay the second, and 10.00 are paid out. 50.00 of the
first go back, in cash: the same share of both rates. A payment of 5.00 was a mistake.
"""

import csv
import io
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from billing_core import figures
from billing_core.businesses.queries import default_business
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes
from billing_core.invoices.lists import credited, lines, taxes
from billing_core.invoices.lists.credited import CreditNoteFilter
from billing_core.invoices.models import InvoiceLineItem
from billing_core.invoices.queries import InvoiceFilter
from billing_core.money import Money
from billing_core.payments import allocated, credit, received, refunds
from billing_core.payments.models import PaymentMethod
from billing_core.payments.queries import PaymentFilter
from billing_core.payments.received import Received
from billing_core.payments.refunds import MoneyBack
from billing_core.receivables.figures import COLLECTED, CUSTOMER_CREDIT, INVOICED
from tests.invoices.company import GRACE, LATER, TODAY, a_customer, a_line, an_invoice

BY_ID = InvoiceFilter(order_by="id")
D = Decimal
SOON = TODAY + timedelta(days=3)
BANK, CASH = PaymentMethod.BANK_TRANSFER, PaymentMethod.CASH


@pytest.fixture
def company(session):
    acme = a_customer(session, country="DE")
    known = {"customer_tax_id": "DE1"}
    work = a_line("=Work", "3", "33.33", "19", discount_percent=D(10))
    first = an_invoice(session, acme, work, a_line("Book", "1", "50", "7"), discount_minor=5_00, **known)
    second = an_invoice(session, acme, *(a_line(str(at), "1", "0.35", "10") for at in range(3)), **known)
    facts = {"customer_id": acme, "today": SOON, "now": LATER}
    came = Received("USD", 200_00, BANK, TODAY, "RF18")
    received.record(session, SYSTEM, received=came, allocations={first.id: 154_85}, **facts)
    credit.apply(session, SYSTEM, second.id, amount_minor=1_16, today=SOON, now=LATER)
    business = default_business(session).id
    credit.pay_out(
        session, SYSTEM, business_id=business, amount=Money(10_00, "USD"), method=BANK, reason="Asked", **facts
    )
    back = MoneyBack("Broken", CASH, SOON, 50_00)
    refunds.refund(session, SYSTEM, first.id, wanted=back, today=SOON, now=LATER)
    wrong = received.record(session, SYSTEM, received=Received("USD", 5_00, CASH, SOON), allocations={}, **facts)
    received.undo(session, SYSTEM, wrong.id, reason="Twice", today=SOON, now=LATER)
    session.flush()


def read(download):
    return list(csv.DictReader(io.StringIO(b"".join(download.chunks).decode())))


def picked(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


EXCEL = {"for_excel": True}


def summed(rows, name):
    return sum(D(row[name]) for row in rows)


def figure(session, which):
    return Money(figures.value(session, SYSTEM, which, Scope(today=SOON)).get("USD", 0), "USD").amount


def test_each_line_has_its_part_of_the_discount_and_of_the_tax(session, company):
    rows = read(lines.as_csv(session, GRACE, BY_ID, today=SOON))
    names = ("description", "quantity", "unit_price", "discount_percent", "line_amount", "net_amount", "tax_rate")
    assert picked(rows[:2], *names) == [
        ("'=Work", "3", "33.33", "10", "89.99", "86.78", "19"),
        ("Book", "1", "50", "", "50.00", "48.21", "7"),
    ]
    assert [row["tax_amount"] for row in rows] == ["16.49", "3.37", "0.04", "0.04", "0.03"]
    assert summed(rows, "total_amount") == figure(session, INVOICED) == D("156.01")


def test_tax_by_rate_is_what_the_invoices_print(session, company):
    rows = read(taxes.as_csv(session, GRACE, BY_ID, today=SOON))
    names = ("invoice_number", "customer_country", "customer_tax_id", "tax_rate", "net_amount", "tax_amount")
    assert picked(rows, *names) == [
        ("INV-2026-001", "DE", "DE1", "7", "48.21", "3.37"),
        ("INV-2026-001", "DE", "DE1", "19", "86.78", "16.49"),
        ("INV-2026-002", "DE", "DE1", "10", "1.05", "0.11"),
    ]
    assert summed(rows, "total_amount") == figure(session, INVOICED)


def test_a_credit_note_has_a_row_for_each_rate_and_names_its_invoice(session, company):
    """103.27 of 154.85 are at 19 %: of 50.00 that is 33.345, and 16.655 is at 7 %. Without tax 28.03 and 15.56."""
    rows = read(credited.as_csv(session, GRACE, CreditNoteFilter(issued_from=SOON, issued_to=SOON)))
    names = ("credit_note_number", "invoice_number", "kind", "tax_rate", "net_amount", "tax_amount", "total_amount")
    assert picked(rows, *names) == [
        ("CN-2026-001", "INV-2026-001", "refund", "19", "28.03", "5.32", "33.35"),
        ("CN-2026-001", "INV-2026-001", "refund", "7", "15.56", "1.09", "16.65"),
    ]
    assert read(credited.as_csv(session, GRACE, CreditNoteFilter(issued_to=TODAY))) == []
    assert len(read(credited.as_csv(session, GRACE, CreditNoteFilter(text="broken", currency="USD")))) == 2


def test_a_credit_note_on_chosen_lines_has_their_quantities_and_prices(session):
    invoice = an_invoice(session, a_customer(session), a_line("Book", "1", "7"), a_line())
    (line,) = session.scalars(select(InvoiceLineItem.id).where(InvoiceLineItem.position == 2))
    facts = {"reason": "Late", "issued_on": TODAY, "today": TODAY, "now": LATER}
    credit_notes.issue(session, SYSTEM, invoice.id, lines={line: D("0.5")}, **facts)
    rows = read(credited.as_csv(session, GRACE, CreditNoteFilter()))
    assert picked(rows, "invoice_line", "quantity", "unit_price", "net_amount", "tax_amount", "kind") == [
        ("2", "0.5", "100", "50.00", "9.50", "correction"),
    ]


def test_the_plain_file_is_without_the_mark_that_excel_wants(session, company):
    plain, excel = (b"".join(allocated.as_csv(session, GRACE, PaymentFilter(), **how).chunks) for how in ({}, EXCEL))
    assert excel == b"\xef\xbb\xbf" + plain


def test_payments_come_with_what_they_paid_and_what_went_back(session, company):
    rows = read(allocated.as_csv(session, GRACE, PaymentFilter()))
    found = {row["kind"]: (row["invoice_number"], row["amount"], row["paid_on_invoice"]) for row in rows}
    assert found == {
        "payment": ("INV-2026-001", "154.85", "154.85"),
        "kept_as_credit": ("", "45.15", "0.00"),
        "credit_used": ("INV-2026-002", "0.00", "1.16"),
        "credit_paid_out": ("", "-10.00", "0.00"),
        "refund": ("INV-2026-001", "-50.00", "0.00"),
        "undone": ("", "0.00", "0.00"),
    }
    assert len(rows) == len(found)
    came = [row for row in rows if row["kind"] in ("payment", "kept_as_credit", "undone")]
    assert summed(came, "amount") == figure(session, COLLECTED) == 200
    assert summed(rows, "amount") == 140
    used = defaultdict(D) | {row["kind"]: D(row["amount"]) for row in rows}
    left = used["kept_as_credit"] - D("1.16") + used["credit_paid_out"]
    assert left == figure(session, CUSTOMER_CREDIT) == D("33.99")
    assert (rows[0]["reference"], rows[0]["method"], rows[0]["payment_id"][:4]) == ("RF18", "bank_transfer", "pay_")


def test_lines_whose_prices_include_tax_say_so_and_come_to_their_amount(session):
    """2 × 379.00 with 21 % are 626.45 and 131.55."""
    an_invoice(session, a_customer(session), a_line("Chair", "2", "379", "21"), prices_include_tax=True)
    (row,) = rows = read(lines.as_csv(session, GRACE, BY_ID, today=SOON))
    assert picked(rows, "line_amount", "net_amount", "tax_amount", "total_amount") == [
        ("758.00", "626.45", "131.55", "758.00")
    ]
    assert row["prices_include_tax"] == "yes"


def test_a_voucher_has_its_part_of_discount_and_tax_too(session):
    """100.00 less a voucher of 30.00 at 19 %, and 10 % off: 63.00, of which the lines are 90.00 and −27.00."""
    voucher = (a_line("Work", "1", "100"), a_line("Voucher", "1", "-30"))
    an_invoice(session, a_customer(session), *voucher, discount_percent=D(10))
    rows = read(lines.as_csv(session, GRACE, BY_ID, today=SOON))
    assert picked(rows, "line_amount", "net_amount", "tax_amount") == [
        ("100.00", "90.00", "17.10"),
        ("-30.00", "-27.00", "-5.13"),
    ]


@pytest.mark.parametrize(
    ("filters", "kinds"),
    [
        ({"received_to": TODAY}, ["kept_as_credit", "payment"]),
        ({"method": "cash"}, ["refund", "undone"]),
        ({"text": "broken"}, ["refund"]),
        ({"currency": "EUR"}, []),
        ({"undone": True}, ["undone"]),
        ({"undone": False}, ["credit_paid_out", "credit_used", "kept_as_credit", "payment", "refund"]),
    ],
)
def test_the_file_of_payments_follows_the_filters_of_the_page(session, company, filters, kinds):
    rows = read(allocated.as_csv(session, GRACE, PaymentFilter(**filters)))
    assert sorted(row["kind"] for row in rows) == kinds


def test_workbooks_have_the_rows_of_the_csv_as_numbers(session, company):
    now = {"now": LATER}
    made = (
        (lines.workbook(session, GRACE, BY_ID, today=SOON, **now), "Lines", "Total", D("156.01"), 5),
        (credited.workbook(session, GRACE, CreditNoteFilter(), **now), "Credit notes", "Total", 50, 2),
        (allocated.workbook(session, GRACE, PaymentFilter(), **now), "Payments", "Money", 140, 6),
    )
    for download, sheet, column, total, count in made:
        head, *rows = load_workbook(io.BytesIO(b"".join(download.chunks)))[sheet].iter_rows(values_only=True)
        assert sum(D(str(row[head.index(column)])) for row in rows) == total
        assert len(rows) == count
