"""Lists as files add up: total − paid − credited − written off − not due = due, in every row and for each currency.

Each invoice is 200.00 and 19 % tax: 238.00. Those who pay within 14 days take 2 % off: 4.76.
"""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, credit_notes
from billing_core.invoices.lists import csv as csv_lists
from billing_core.invoices.lists import xlsx
from billing_core.invoices.queries import InvoiceFilter
from billing_core.payments import received, refunds, write_offs
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.payments.refunds import MoneyBack
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_draft, a_line, an_invoice

BY_ID = InvoiceFilter(order_by="id")
SOON = TODAY + timedelta(days=3)


@pytest.fixture
def company(session):
    acme = a_customer(session)
    early = an_invoice(session, acme, payment_terms="2 % 14 days, net 30")
    part = an_invoice(session, acme)
    lost = an_invoice(session, acme)
    returned = an_invoice(session, acme)
    wrong = an_invoice(session, acme)
    a_draft(session, acme)
    an_invoice(session, acme, a_line(unit_price="2500", tax_rate="0"), currency="JPY")

    def pay(invoice, amount_minor):
        cash = Received("USD", amount_minor, PaymentMethod.CASH, SOON)
        received.record_for(session, SYSTEM, invoice.id, received=cash, today=SOON, now=LATER)

    def credit(invoice, amount_minor):
        facts = {"reason": "Late", "issued_on": SOON, "today": SOON, "now": LATER}
        credit_notes.issue(session, SYSTEM, invoice.id, amount_minor=amount_minor, **facts)

    pay(early, 233_24)
    pay(part, 100_00)
    credit(part, 38_00)
    credit(lost, 11_90)
    write_offs.write_off(session, SYSTEM, lost.id, reason="Bankrupt", today=SOON, now=LATER)
    pay(returned, 238_00)
    refunds.refund(
        session, SYSTEM, returned.id, wanted=MoneyBack("Broken", PaymentMethod.CASH, SOON), today=SOON, now=LATER
    )
    credit(wrong, 23_80)
    after_sending.cancel(session, SYSTEM, wrong.id, today=SOON, now=LATER, reason="A mistake")


def test_every_row_of_the_csv_adds_up(session, company):
    download = csv_lists.as_csv(session, GRACE, BY_ID, today=SOON)
    rows = list(csv.DictReader(io.StringIO(b"".join(download.chunks).decode())))
    names = (
        *("total_amount", "amount_paid", "amount_credited", "early_payment_discount"),
        *("amount_written_off", "amount_not_due", "amount_due"),
    )
    assert [[row[name] for name in names] for row in rows] == [
        ["238.00", "233.24", "4.76", "4.76", "0.00", "0.00", "0.00"],
        ["238.00", "100.00", "38.00", "0.00", "0.00", "0.00", "100.00"],
        ["238.00", "0.00", "11.90", "0.00", "226.10", "0.00", "0.00"],
        # What was paid and given back: nothing is due again.
        ["238.00", "238.00", "0.00", "0.00", "0.00", "0.00", "0.00"],
        ["238.00", "0.00", "23.80", "0.00", "0.00", "214.20", "0.00"],
        ["238.00", "0.00", "0.00", "0.00", "0.00", "238.00", "0.00"],
        ["5000", "0", "0", "0", "0", "0", "5000"],
    ]
    for row in rows:
        total, paid, credited, _, written_off, not_due, due = (Decimal(row[name]) for name in names)
        assert total - paid - credited - written_off - not_due == due


def test_so_do_the_sums_of_the_workbook(session, company):
    book = load_workbook(io.BytesIO(b"".join(xlsx.workbook(session, GRACE, BY_ID, today=SOON, now=NOW).chunks)))
    titles, jpy, usd = ([cell.value for cell in row] for row in book["Summary"].iter_rows(min_row=5))
    assert dict(zip(titles, usd, strict=True)) == {
        "Currency": "USD",
        "Invoices": 6,
        "Net": 1200,
        "Tax": 228,
        "Total": 1428,
        "Paid": 571.24,
        "Refunded": 238,
        "Credited": 78.46,
        "Of it for early payment": 4.76,
        # 1,428.00 − 571.24 − 78.46 − 226.10 − 452.20
        "Written off": 226.1,
        "Not due": 452.2,
        "Amount due": 100,
    }
    assert (jpy[0], dict(zip(titles, jpy, strict=True))["Amount due"]) == ("JPY", 5000)
    head, *rows = ([cell.value for cell in row] for row in book["Invoices"].iter_rows())
    for title in ("Net", "Tax", "Total", "Paid", "Refunded", "Credited", "Written off", "Not due", "Amount due"):
        of_usd = sum(Decimal(str(row[head.index(title)])) for row in rows if row[head.index("Currency")] == "USD")
        assert of_usd == Decimal(str(usd[titles.index(title)])), title
