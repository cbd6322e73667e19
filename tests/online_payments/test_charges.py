"""What a gateway is asked to collect: always exactly what is due, as the invoice's own lines where that can be."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core.invoices.documents.document import InvoiceDocument
from billing_core.invoices.models import InvoiceState
from billing_core.online_payments.charges import charge_of, says_the_same
from billing_core.online_payments.gateway import Charge, ChargeLine
from tests.invoices.documents import a_document, a_line

TODAY = date(2026, 3, 2)


def charged(said: InvoiceDocument, **facts) -> Charge:
    known = {"invoice_id": "inv_1", "link_id": "lnk_1", "return_url": "https://b.example/pay/x/done", "today": TODAY}
    return charge_of(said, **known | facts)


def test_the_invoices_lines_are_shown_again_with_the_tax_of_each_rate():
    """3 × 20.00 and 1 × 100.00 at 19 %, 2 × 5.00 at 7 %: 170.00 and 30.40 and 0.70."""
    said = a_document(
        a_line("Boxes", "3", "20", "19"), a_line("Set-up", "1", "100", "19"), a_line("Tape", "2", "5", "7")
    )

    charge = charged(said)

    assert charge.lines == (
        ChargeLine("Boxes", 20_00, 3),
        ChargeLine("Set-up", 100_00),
        ChargeLine("Tape", 5_00, 2),
        ChargeLine("Tax 7%", 70),
        ChargeLine("Tax 19%", 30_40),
    )
    assert (charge.amount_minor, charge.currency, charge.invoice_number) == (201_10, "EUR", "INV-2026-007")
    assert charge.description == "Invoice INV-2026-007 · Acme Fulfilment Ltd"


def test_lines_whose_prices_include_tax_are_shown_without_a_line_of_tax():
    charge = charged(a_document(a_line("Chair", "2", "379", "21"), prices_include_tax=True))
    assert (charge.lines, charge.amount_minor) == ((ChargeLine("Chair", 379_00, 2),), 758_00)


def test_a_lines_name_is_one_line_in_which_numbers_stay_whole():
    charge = charged(a_document(a_line(" 1\u202f450  articles,\n46\u00a0kg ", "1", "9.5")))
    assert [line.name for line in charge.lines] == ["1\u202f450 articles, 46\u00a0kg"]


@pytest.mark.parametrize(
    ("quantity", "price", "minor", "name"),
    [("2.5", "10", 25_00, "Hours (× 2.5)"), ("1000", "0.0123", 12_30, "Hours (× 1,000)"), ("1", "9.5", 9_50, "Hours")],
    ids=["parts of a piece", "parts of a cent", "one"],
)
def test_a_line_that_is_no_whole_pieces_at_whole_cents_is_one_piece(quantity, price, minor, name):
    assert charged(a_document(a_line("Hours", quantity, price))).lines == (ChargeLine(name, minor),)


@pytest.mark.parametrize(
    "said",
    [
        a_document(a_line("A", "1", "100"), discount_percent=Decimal(10)),
        a_document(*[a_line(f"Line {place}") for place in range(21)]),
        a_document(a_line("A"), a_line("Free", "1", "0")),
        a_document(a_line("A"), a_line("Returned", "-2", "10")),
        a_document(a_line("A"), a_line("Voucher", "1", "-10")),
        a_document(a_line("A"), a_line("Nothing", "-1", "-0")),
        a_document(*[a_line("Third", "0.333", "1")] * 3, lines_rounded=False),
        replace(a_document(a_line("A", "1", "100")), paid_minor=40_00, due_minor=60_00),
    ],
    ids=[
        "a discount on the whole",
        "too many lines",
        "a line of nothing",
        "a return",
        "a voucher",
        "a return of nothing",
        "a remainder of before",
        "paid in part",
    ],
)
def test_what_cannot_be_shown_line_by_line_is_one_line(said):
    (line,) = charged(said).lines

    assert line == ChargeLine("Invoice INV-2026-007, amount due", said.due_minor)


def test_a_draft_has_no_number_and_is_due_in_full():
    said = a_document(a_line("A", "1", "0.005"), a_line("B", "1", "0.005"), number=None, state=InvoiceState.DRAFT)

    # Shown as 0.01 each, and so 0.02 together.
    assert charged(said).lines == (ChargeLine("A", 1), ChargeLine("B", 1))


def test_the_customer_reads_it_in_their_own_language():
    said = a_document(a_line("Arbeit", "1.5", "10", "19"), language="de")

    assert [line.name for line in charged(said).lines] == ["Arbeit (× 1,5)", "MwSt. 19\u00a0%"]


def test_what_is_late_already_is_payable_by_tomorrow():
    late, early = a_document(due_on=date(2026, 2, 1)), a_document(due_on=date(2026, 4, 1))

    assert (charged(late).due_on, charged(early).due_on) == (date(2026, 3, 3), date(2026, 4, 1))


def test_a_charge_is_stored_and_read_again_whole():
    charge = charged(a_document(a_line("A", "3", "7", "19")))

    assert Charge.of(charge.stored()) == charge


def test_the_same_charge_by_another_link_says_the_same():
    said = a_document()
    first = charged(said)

    assert says_the_same(first, charged(said, link_id="lnk_2", return_url="https://b.example/pay/y/done"))
    assert not says_the_same(first, charged(replace(said, due_minor=said.due_minor - 1)))
    assert not says_the_same(first, charged(a_document(a_line("Other work"))))


@pytest.mark.parametrize(("length", "cut"), [(250, False), (251, True)])
def test_a_name_has_as_many_characters_as_a_gateway_takes(length, cut):
    (whole,) = charged(a_document(a_line("x" * length))).lines
    assert whole.name == (f"{'x' * 249}…" if cut else "x" * 250)
    counted = " (× 1.5)"
    (parts,) = charged(a_document(a_line("x" * (length - len(counted)), "1.5", "10"))).lines
    assert parts.name == (f"{'x' * 241}…{counted}" if cut else "x" * 242 + counted)
    long = replace(a_document(), issuer=replace(a_document().issuer, name="y" * 300))
    assert len(charged(long).description) == 250


@pytest.mark.parametrize(
    ("quantity", "line"),
    [("999999", ChargeLine("Pin", 1, 999_999)), ("1000000", ChargeLine("Pin (× 1,000,000)", 1_000_000))],
)
def test_pieces_are_counted_up_to_a_million(quantity, line):
    assert charged(a_document(a_line("Pin", quantity, "0.01"))).lines == (line,)


def test_a_line_with_a_discount_of_its_own_is_one_piece():
    assert charged(a_document(a_line("Pin", "2", "10", percent="50"))).lines == (ChargeLine("Pin (× 2)", 10_00),)
    assert charged(a_document(a_line("Pin", "1", "10", minor=1))).lines == (ChargeLine("Pin", 9_99),)


@pytest.mark.parametrize(("taxed", "shown"), [("19", 20), ("0", 20)])
def test_twenty_lines_are_shown_the_taxs_own_among_them(taxed, shown):
    most = shown - (taxed != "0")
    assert len(charged(a_document(*[a_line("A", "1", "1", taxed)] * most)).lines) == shown
    assert len(charged(a_document(*[a_line("A", "1", "1", taxed)] * (most + 1))).lines) == 1


@pytest.mark.parametrize("settled", ["paid_minor", "credited_minor", "written_off_minor"])
def test_what_was_settled_in_part_is_asked_for_in_one_line(settled):
    said = replace(a_document(), **{settled: 40_00, "due_minor": 60_00})
    assert charged(said).lines == (ChargeLine("Invoice INV-2026-007, amount due", 60_00),)
    # Settled and refunded again: the lines add up, but were paid for once.
    assert len(charged(replace(a_document(a_line("A"), a_line("B")), **{settled: 1})).lines) == 1


def test_who_is_asked_and_for_what_is_said():
    charge = charged(a_document(a_line("A")))
    assert (charge.link_id, charge.invoice_id, charge.return_url) == ("lnk_1", "inv_1", "https://b.example/pay/x/done")
    assert (charge.customer_email, charge.customer_name) == ("", "Globex GmbH")
    assert charged(a_document(number=None)).invoice_number == ""


prices = st.decimals(min_value=0, max_value=100_000, places=6)
quantities = st.decimals(min_value=Decimal("0.000001"), max_value=10_000, places=6)
shares = st.sampled_from([None, None, "5", "12.5", "100"])
rates = st.sampled_from(["0", "7", "8.875", "19"])
lines = st.builds(a_line, st.text(max_size=300), quantities, prices, rates, shares)


@settings(max_examples=60)
@given(
    st.lists(lines, min_size=1, max_size=23),
    st.sampled_from([None, None, Decimal("3.3")]),
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.integers(min_value=0, max_value=5),
)
def test_the_lines_always_add_up_to_what_is_due(listed, off, currency, paid):
    said = a_document(*listed, discount_percent=off, currency=currency)
    paid = min(paid, said.totals.total_minor)
    said = replace(said, paid_minor=paid, due_minor=said.totals.total_minor - paid)

    charge = charged(said)

    assert sum(line.unit_minor * line.quantity for line in charge.lines) == charge.amount_minor == said.due_minor
    assert len(charge.lines) <= 20
    assert all(len(line.name) <= 250 and line.quantity >= 1 for line in charge.lines)
    if said.due_minor:
        assert all(line.unit_minor > 0 for line in charge.lines)
