"""What may stand on an invoice: each field at fault is named, with a reason."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.businesses.queries import default_business
from billing_core.errors import Invalid
from billing_core.invoices.content.content import MOST_LINES, Content, DraftLine, blank, checked
from billing_core.invoices.models import LineType
from tests.invoices.company import READER, TODAY, a_customer, a_line, an_invoice

GOOD = Content(1, 1, "USD", TODAY, customer_name="Acme", payment_terms="Net 30", lines=(a_line(),))


def _reasons(content):
    with pytest.raises(Invalid) as refused:
        checked(content)
    return refused.value.fields


@pytest.mark.parametrize(
    ("facts", "field", "reason"),
    [
        ({"customer_email": "ana at example.com"}, "customer_email", "not an e-mail address"),
        ({"customer_email": "a@b.example, c@d.example"}, "customer_email", "not an e-mail address"),
        ({"due_on": date(2026, 3, 1)}, "due_on", "before the issue date"),
        ({"issued_on": date(1, 1, 1)}, "issued_on", "between"),
        ({"currency": "QQQ"}, "currency", "not a currency code"),
        ({"language": "xx"}, "language", "none of en, de, es, fr"),
        ({"lines": ()}, "lines", "at least one line"),
        ({"lines": (a_line(),) * (MOST_LINES + 1)}, "lines", "5,001"),
        ({"notes": "nul \x00"}, "notes", "U+0000"),
        ({"customer_name": "half \ud83d"}, "customer_name", "U+D83D"),
        ({"reference": "x" * 121}, "reference", "at most 120"),
        ({"notes": "x" * 5_001}, "notes", "at most 5,000"),
        ({"discount_percent": Decimal(101)}, "discount_percent", "between 0 and 100"),
        ({"discount_percent": Decimal(5), "discount_minor": 100}, "discount_percent", "not both"),
        ({"discount_minor": -1}, "discount_minor", "negative"),
        ({"discount_minor": 20_001}, "discount_minor", "more than the lines come to"),
    ],
)
def test_a_wrong_header_is_named(facts, field, reason):
    reasons = _reasons(replace(GOOD, **facts))

    assert list(reasons) == [field]
    assert reason in reasons[field]


@pytest.mark.parametrize(
    ("facts", "field", "reason"),
    [
        ({"description": "  "}, "description", "is needed"),
        ({"description": "x" * 5_000}, "description", "at most 2,000 characters, and has 5,000"),
        ({"description": "bell \x07"}, "description", "U+0007"),
        ({"quantity": Decimal(0)}, "quantity", "must not be 0"),
        ({"quantity": Decimal("NaN")}, "quantity", "a number"),
        ({"quantity": Decimal("sNaN")}, "quantity", "a number"),
        ({"quantity": Decimal("Infinity")}, "quantity", "a number"),
        ({"quantity": Decimal("0.0000001")}, "quantity", "at most 6 decimals"),
        ({"quantity": Decimal("1E+999999")}, "quantity", "at most 1,000,000,000,000"),
        ({"quantity": Decimal("1E-999999")}, "quantity", "at most 6 decimals"),
        ({"quantity": Decimal(-1), "unit_price": Decimal("-0.01")}, "unit_price", "must not be negative where"),
        ({"quantity": Decimal(-1), "discount_minor": 1}, "discount_minor", "more than the line comes to"),
        ({"unit_price": Decimal("9000000000000.01")}, "unit_price", "at most 9,000,000,000,000"),
        (
            {"unit_price": Decimal("1E+999999")},
            "unit_price",
            "9,000,000,000,000: bill more as a larger quantity of a part",
        ),
        ({"unit_price": Decimal(-9000000000001)}, "unit_price", "such as 1,000 of its thousandth"),
        ({"unit_price": Decimal("sNaN")}, "unit_price", "must be a number"),
        ({"unit_price": Decimal("5000000000000.01")}, "unit_price", "more than 10,000,000,000,000.00 USD"),
        ({"unit_price": Decimal("-5000000000000.01")}, "unit_price", "more than 10,000,000,000,000.00 USD"),
        ({"tax_rate": Decimal(101)}, "tax_rate", "between 0 and 100"),
        ({"tax_rate": Decimal(-1)}, "tax_rate", "between 0 and 100"),
        ({"tax_rate": Decimal("7.12345")}, "tax_rate", "at most 4 decimals"),
        ({"type": "gift"}, "type", "none of service, product, fee, other"),
        ({"discount_percent": Decimal(5), "discount_minor": 100}, "discount_percent", "not both"),
        ({"discount_minor": 20_001}, "discount_minor", "more than the line comes to"),
    ],
)
def test_a_wrong_line_is_named_with_its_place(facts, field, reason):
    reasons = _reasons(replace(GOOD, lines=(a_line(), replace(a_line(), **facts))))

    assert list(reasons) == [f"lines.2.{field}"]
    assert reason in reasons[f"lines.2.{field}"]


def test_every_fault_is_named_at_once_and_the_first_in_the_message():
    wrong = replace(GOOD, language="xx", lines=(a_line(quantity="0", tax_rate="101"),))

    with pytest.raises(Invalid, match="language is none of en, de, es, fr, and 2 more") as refused:
        checked(wrong)

    assert set(refused.value.fields) == {"language", "lines.1.quantity", "lines.1.tax_rate"}


# A price of which 1,000 units are 10^15 minor units, and the largest amount as a message writes it.
FULL = {
    "USD": ("10000000000", "10,000,000,000,000.00 USD"),
    "VND": ("1000000000000", "1,000,000,000,000,000 VND"),
    "KWD": ("1000000000", "1,000,000,000,000.000 KWD"),
}


@pytest.mark.parametrize("currency", FULL)
def test_an_invoice_comes_to_at_most_the_largest_amount_of_its_currency_with_its_tax(currency):
    """25 % may stand on eight tenths of it."""
    price, words = FULL[currency]

    def billed(*units, tax="0", **facts):
        lines = tuple(a_line(quantity=number, unit_price=price, tax_rate=tax) for number in units)
        return replace(GOOD, currency=currency, lines=lines, **facts)

    assert checked(billed("500", "500")).totals().total_minor == 10**15
    assert checked(billed("799", "1", tax="25")).totals().total_minor == 10**15
    assert checked(billed("900", tax="25", discount_percent=Decimal(50))).totals().total_minor == 5625 * 10**11
    assert _reasons(billed("500", "500.000001")) == {"lines": f"come to more than {words}"}
    assert _reasons(billed("800", "0.000001", tax="25")) == {"lines": f"come with their tax to more than {words}"}
    line = {"lines.1.unit_price": f"makes the line come to more than {words}"}
    assert _reasons(billed("1000.000001")) == line


def test_what_is_kept_is_tidy():
    wanted = replace(
        GOOD,
        customer_name="  Acme   Corp ",
        customer_address=" 1 Main St \r\nSpringfield  ",
        currency=" eur ",
        discount_percent=Decimal(0),
        lines=(replace(a_line("Design 🎨"), type="product", quantity=Decimal("1.5000000"), discount_minor=0),),
    )

    kept = checked(wanted)

    assert (kept.customer_name, kept.customer_address, kept.currency) == ("Acme Corp", "1 Main St\nSpringfield", "EUR")
    assert (kept.due_on, kept.discount_percent) == (date(2026, 4, 1), None)
    assert kept.lines[0] == DraftLine("Design 🎨", Decimal("1.5"), Decimal(100), LineType.PRODUCT, Decimal(19))


def test_an_amount_off_may_be_the_whole_as_it_is_printed_and_no_more():
    """1.5 × 0.33 is 0.495, which is printed as 0.50; 0.333 as 0.33, so that three of them are 0.99."""
    line, less = a_line(quantity="1.5", unit_price="0.33"), a_line(quantity="1", unit_price="0.333")

    assert checked(replace(GOOD, lines=(line,), discount_minor=50)).totals().total_minor == 0
    assert "discount_minor" in _reasons(replace(GOOD, lines=(line,), discount_minor=51))
    assert checked(replace(GOOD, lines=(less,) * 3, discount_minor=99)).totals().total_minor == 0
    assert "discount_minor" in _reasons(replace(GOOD, lines=(less,) * 3, discount_minor=100))


def test_what_was_sent_before_lines_were_rounded_is_checked_against_its_exact_sum():
    """Three times 0.334 are 1.002, though printed as 0.33 each."""
    before = replace(GOOD, lines=(a_line(quantity="1", unit_price="0.334"),) * 3, lines_rounded=False)

    assert checked(replace(before, discount_minor=100)).totals().subtotal_minor == 0
    assert "discount_minor" in _reasons(replace(before, discount_minor=101))


@given(
    st.builds(
        Content,
        business_id=st.just(1),
        customer_id=st.just(1),
        currency=st.sampled_from(["USD", "JPY", "KWD", "EUR", "??"]),
        issued_on=st.dates(),
        due_on=st.none() | st.dates(),
        customer_name=st.text(max_size=250),
        notes=st.text(max_size=50),
        discount_percent=st.none() | st.decimals(),
        discount_minor=st.none() | st.integers(-10, 10**6),
        lines=st.lists(
            st.builds(
                DraftLine,
                description=st.text(max_size=20),
                quantity=st.decimals(),
                unit_price=st.decimals(),
                type=st.sampled_from([*LineType, "odd"]),
                tax_rate=st.decimals(),
                discount_percent=st.none() | st.decimals(),
                discount_minor=st.none() | st.integers(-10, 10**6),
            ),
            max_size=3,
        ).map(tuple),
    )
)
def test_whatever_is_typed_is_kept_or_refused_by_field(content):
    kept, reasons = None, {}
    try:
        kept = checked(content)
    except Invalid as refused:
        reasons = refused.fields

    assert reasons or checked(kept) == kept
    assert reasons or kept.totals().total_minor >= 0


def test_a_blank_invoice_has_prices_with_tax_as_the_customers_last_one_has(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    an_invoice(session, acme, prices_include_tax=True)
    assert blank(session, READER, acme, today=TODAY).prices_include_tax
    assert not blank(session, READER, other, today=TODAY).prices_include_tax
    an_invoice(session, acme)
    assert not blank(session, READER, acme, today=TODAY).prices_include_tax


def test_a_blank_invoice_is_filled_from_customer_and_business(session):
    acme = a_customer(
        session,
        address="Hauptstr. 1",
        city="Berlin",
        postal_code="10115",
        country="DE",
        currency="EUR",
        language="de",
        tax_id="DE123",
        payment_terms="Net 14",
    )

    filled = blank(session, READER, acme, today=TODAY)

    assert filled.customer_address == "Hauptstr. 1\n10115 Berlin\nDeutschland"
    assert (filled.currency, filled.language, filled.customer_tax_id) == ("EUR", "de-DE", "DE123")
    assert (filled.payment_terms, filled.due_on, filled.lines) == ("14 Tage netto", date(2026, 3, 16), ())


def test_the_reason_for_tax_of_0_percent_is_the_customers_or_else_the_businesss(session):
    default_business(session).zero_tax_reason = "Small business"
    abroad, here = a_customer(session, "ABROAD", zero_tax_reason="Export"), a_customer(session, "HERE")

    reasons = [blank(session, READER, customer, today=TODAY).zero_tax_reason for customer in (abroad, here)]

    assert reasons == ["Export", "Small business"]
