"""Credit notes on chosen lines: quantities, what they come to, and what is left."""

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader
from sqlalchemy import select

from billing_core.errors import Conflict, Invalid
from billing_core.invoices import credit_notes
from billing_core.invoices.content import line_credits, verification
from billing_core.invoices.content.line_credits import Creditable
from billing_core.invoices.content.totals import Line, Share, totals
from billing_core.invoices.documents import presentation
from billing_core.invoices.documents.document import of_credit_note
from billing_core.invoices.documents.pdf_credit_note import credit_note_pdf
from billing_core.invoices.models import InvoiceState, LineType
from billing_core.languages.formats import writing
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.payments import received, refunds
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.payments.refunds import MoneyBack
from tests.invoices.company import GRACE, LATER, TODAY, a_customer, a_line, an_invoice

D = Decimal
DAY = {"today": TODAY, "now": LATER}


def credit(session, invoice, *quantities):
    """So much of the first line, of the second and so on."""
    lines = credit_notes.creditable(session, GRACE, invoice.id)
    chosen = {one.line_id: D(quantity) for one, quantity in zip(lines, quantities, strict=False)}
    return credit_notes.issue(session, GRACE, invoice.id, lines=chosen, reason="Returned", issued_on=TODAY, **DAY)


def sums(note):
    return note.subtotal_minor, note.tax_minor, note.total_minor


def printed(session, note):
    return presentation.credited_table(of_credit_note(session, note.id), writing("en"))


def wrong(session):
    session.flush()
    return [named for check in verification.checks(session) for named in check.wrong]


def test_a_line_that_is_credited_in_steps_is_credited_to_the_cent(session):
    """3 × 33.33 are 99.99, with 19 % 118.99: twice 33.33 with 6.33 (6.3327), and the 6.34 that are left of 19.00."""
    invoice = an_invoice(session, a_customer(session), a_line(quantity="3", unit_price="33.33"))
    assert [sums(credit(session, invoice, 1)) for _ in range(3)] == [(3333, 633, 3966)] * 2 + [(3333, 634, 3967)]
    assert (invoice.due_minor, credit_notes.left(session, invoice)) == (0, [Share("service", D(19), 0, 0)])
    assert wrong(session) == []


def test_what_is_credited_of_a_line_is_rounded_together(session):
    """3 × 0.333 are 1.00: 0.33, then 0.67 of two, then the rest."""
    invoice = an_invoice(session, a_customer(session), a_line(quantity="3", unit_price="0.333", tax_rate="0"))
    assert [credit(session, invoice, 1).total_minor for _ in range(3)] == [33, 34, 33]


def test_discounts_of_line_and_invoice_are_taken_off_what_is_credited(session):
    """4 × 25.00 less 10 % and less 10 % are 81.00, of which one is 20.25 with 4.86 of tax (24 %)."""
    line = a_line("Pallets", "4", "25", "24", discount_percent=D(10))
    invoice = an_invoice(session, a_customer(session), line, discount_percent=D(10))
    note = credit(session, invoice, 1)
    assert sums(note) == (2025, 486, 2511)
    assert printed(session, note).titles == ["quantity", "unit_price", "discount", "tax", "amount"]
    assert printed(session, note).rows == [["1", "25.00", "4.75", "24%", "20.25"]]


def test_the_document_says_how_many_at_what_price(session):
    invoice = an_invoice(session, a_customer(session), a_line(), a_line("Travel", "1.5", "50", "7"))
    note = credit(session, invoice, 1, "0.5")
    assert printed(session, note).rows == [["1", "100.00", "19%", "100.00"], ["0.5", "50.00", "7%", "25.00"]]
    assert [line.description for line in of_credit_note(session, note.id).lines] == ["Consulting", "Travel"]
    # 19.00 and 1.75 of tax.
    assert sums(note) == (12500, 2075, 14575)
    assert [(one.credited, one.left) for one in credit_notes.creditable(session, GRACE, invoice.id)] == [
        (1, 1),
        (D("0.5"), 1),
    ]
    by_amount = credit_notes.issue(session, GRACE, invoice.id, amount_minor=100, reason="Late", issued_on=TODAY, **DAY)
    assert printed(session, by_amount).titles == ["tax", "amount"]


@pytest.mark.parametrize(
    ("quantities", "named"),
    [
        ((2, 2), "lines.2.quantity"),
        ((-1, 1), "lines.1.quantity"),
        ((D("0.0000001"),), "lines.1.quantity"),
        ((0, 0), "lines"),
        ((), "lines"),
    ],
)
def test_no_more_than_is_left_of_a_line_is_credited(session, quantities, named):
    invoice = an_invoice(session, a_customer(session), a_line(), a_line())
    credit(session, invoice, 0, 1)
    with pytest.raises(Invalid) as refused:
        credit(session, invoice, *quantities)
    assert list(refused.value.fields) == [named]


def test_lines_of_another_invoice_are_refused(session):
    mine, other = (an_invoice(session, a_customer(session, ref)) for ref in ("A", "B"))
    (line,) = credit_notes.creditable(session, GRACE, other.id)
    with pytest.raises(Invalid, match="do not belong"):
        credit_notes.issue(session, GRACE, mine.id, lines={line.line_id: D(1)}, reason="x", issued_on=TODAY, **DAY)


def test_what_was_credited_as_an_amount_is_not_credited_by_lines_again(session):
    """Of 200.00 are 150.00 left: one of two is, the other is not."""
    invoice = an_invoice(session, a_customer(session), a_line(tax_rate="0"))
    credit_notes.issue(session, GRACE, invoice.id, amount_minor=5000, reason="Late", issued_on=TODAY, **DAY)
    assert credit(session, invoice, 1).total_minor == 10000
    with pytest.raises(Conflict, match=r"50\.00 USD are left"):
        credit(session, invoice, 1)
    assert invoice.due_minor == 5000


def test_a_voucher_is_credited_with_what_it_was_for_and_not_alone(session):
    """2 × 100.00 at 19 % less a voucher of 50.00 at 10 %: 238.00 − 55.00. One of two comes to 119.00."""
    voucher = a_line("Voucher", "-1", "50", "10", type=LineType.OTHER)
    invoice = an_invoice(session, a_customer(session), a_line(), voucher)
    with pytest.raises(Invalid, match=r"come to -55\.00 USD"):
        credit(session, invoice, 0, -1)
    assert sums(credit(session, invoice, 1, -1)) == (5000, 1400, 6400)
    assert invoice.due_minor == 11900
    assert sums(credit(session, invoice, 1)) == (10000, 1900, 11900)
    taxes = select(LedgerPosting.detail, LedgerPosting.amount_minor).where(LedgerPosting.account == Account.TAX_PAYABLE)
    assert [tuple(row) for row in session.execute(taxes.order_by(LedgerPosting.id))] == [
        ("19", -3800),
        ("10", 500),
        ("19", 1900),
        ("10", -500),
        ("19", 1900),
    ]
    assert wrong(session) == []


def test_of_prices_that_include_tax_exactly_the_price_is_credited(session):
    """2 × 379.00 with 21 % are 626.45 and 131.55: 379.00 is 313.22 (313.223) with 65.78, then what is left."""
    line = a_line("Chair", "2", "379", "21")
    invoice = an_invoice(session, a_customer(session), line, prices_include_tax=True)
    first = credit(session, invoice, 1)
    assert sums(first) == (31322, 6578, 37900)
    assert printed(session, first).rows == [["1", "379.00", "21%", "379.00"]]
    assert sums(credit(session, invoice, 1)) == (31323, 6577, 37900)
    assert invoice.due_minor == 0
    assert wrong(session) == []


def test_of_an_amount_that_is_credited_the_lines_are_with_tax_too(session):
    invoice = an_invoice(session, a_customer(session), a_line("Chair", "1", "121", "21"), prices_include_tax=True)
    note = credit_notes.issue(session, GRACE, invoice.id, amount_minor=6050, reason="Late", issued_on=TODAY, **DAY)
    assert (sums(note), printed(session, note).rows) == ((5000, 1050, 6050), [["21%", "60.50"]])
    text = " ".join(
        PdfReader(io.BytesIO(credit_note_pdf(of_credit_note(session, note.id)))).pages[0].extract_text().split()
    )
    assert "Sum of lines (prices include tax) 60.50 Subtotal 50.00 Tax 21% on 50.00 10.50 Total $60.50" in text


def test_the_largest_figures_leave_room_for_what_is_credited(session):
    words = "Pick and pack of everything, Mar 1 – 31, 2026: 56 orders, 1,000 × 0.50 + 234 × 0.125 USD"
    line = a_line(words, "99999.123456", "9999999.123456", "99.9999", discount_minor=50_000_000_000_000)
    invoice = an_invoice(session, a_customer(session), line)
    note = credit(session, invoice, "99999.123456")
    page = PdfReader(io.BytesIO(credit_note_pdf(of_credit_note(session, note.id)))).pages[0].extract_text()
    # A price and what it is multiplied with are not broken apart, as on the invoice.
    assert all(part in page.replace("\u00a0", " ") for part in ("1,000 × 0.50", "234 × 0.125 USD"))


def test_more_than_is_due_is_refunded_instead(session):
    """138.00 of 238.00 are paid: one of two, 119.00, is more than is due; paid in full, it is given back."""
    invoice = an_invoice(session, a_customer(session))

    def pay(minor):
        facts = Received("USD", minor, PaymentMethod.CASH, TODAY)
        received.record_for(session, GRACE, invoice.id, received=facts, **DAY)

    pay(13800)
    with pytest.raises(Invalid, match=r"at most 100\.00 USD"):
        credit(session, invoice, 1)
    pay(10000)
    (line,) = credit_notes.creditable(session, GRACE, invoice.id)
    back = MoneyBack("Returned", PaymentMethod.CASH, TODAY, lines={line.line_id: D(1)})
    refund = refunds.refund(session, GRACE, invoice.id, wanted=back, **DAY)
    assert (refund.amount_minor, invoice.refunded_minor, invoice.state) == (11900, 11900, InvoiceState.PAID)
    assert of_credit_note(session, refund.credit_note_id).lines[0].quantity == 1


_LINES = st.lists(
    st.builds(
        Line,
        quantity=st.sampled_from([D(1), D(3), D("2.5"), D(7), D(-2)]),
        unit_price=st.decimals(0, 50, places=3),
        tax_rate=st.sampled_from([D(0), D(7), D("21")]),
        type=st.sampled_from(["service", "product"]),
        discount_percent=st.none() | st.just(D("12.5")),
    ),
    min_size=1,
    max_size=4,
)


@given(_LINES, st.none() | st.decimals(0, 100, places=2), st.booleans(), st.data())
def test_any_steps_credit_each_line_and_the_invoice_whole_and_no_more(lines, discount, gross, data):
    figures = totals(lines, "EUR", discount_percent=discount, prices_include_tax=gross)
    worth = line_credits.worth(lines, figures)
    assert sum(worth) == (figures.total_minor if gross else figures.subtotal_minor)
    rest = [Creditable(at, f"{at}", line, D(0), net) for at, (line, net) in enumerate(zip(lines, worth, strict=True))]
    left = {(share.type, share.rate): share for share in figures.shares}
    credited = [0] * len(lines)
    while any(one.left for one in rest):
        wanted = {
            one.line_id: data.draw(st.sampled_from([one.left, one.left, one.line.quantity / 5, D(0)])) for one in rest
        }
        for one in rest:
            if abs(wanted[one.line_id]) > abs(one.left):
                wanted[one.line_id] = one.left
        if not any(wanted.values()):
            continue
        for part in line_credits.parts(rest, wanted, list(left.values()), "EUR", prices_include_tax=gross):
            credited[part.line_id] += part.net_minor + (part.tax_minor if gross else 0)
            assert abs(credited[part.line_id]) <= abs(worth[part.line_id])
            share = left[part.type, part.rate]
            left[part.type, part.rate] = replace(
                share, net_minor=share.net_minor - part.net_minor, tax_minor=share.tax_minor - part.tax_minor
            )
        rest = [replace(one, credited=one.credited + wanted[one.line_id]) for one in rest]
    assert credited == worth
    for rate in {line.tax_rate for line in lines}:
        assert sum(share.tax_minor for share in left.values() if share.rate == rate) == 0
        assert sum(share.net_minor for share in left.values() if share.rate == rate) == 0
