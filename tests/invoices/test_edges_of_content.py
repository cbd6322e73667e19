"""What may just stand on an invoice, and what may just not."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import EARLIEST_DAY, LATEST_DAY
from billing_core.errors import Invalid
from billing_core.invoices.content import field_checks
from billing_core.invoices.content.content import Content, blank, checked, postal_address
from tests.invoices.company import READER, TODAY, a_customer, a_line

D = Decimal
GOOD = Content(1, 1, "USD", TODAY, payment_terms="Net 30", lines=(a_line(),))
TEXTS = {
    "customer_name": 200,
    "customer_address": 1_000,
    "customer_tax_id": 64,
    "zero_tax_reason": 200,
    "payment_terms": 200,
    "notes": 5_000,
    "reference": 120,
}


def reasons(**facts) -> dict[str, str]:
    try:
        checked(replace(GOOD, **facts))
    except Invalid as refused:
        return refused.fields
    return {}


def of_line(**facts) -> dict[str, str]:
    return reasons(lines=(replace(a_line(), **facts),))


@pytest.mark.parametrize(("field", "longest"), TEXTS.items())
def test_a_text_may_be_as_long_as_said(field, longest):
    due_on = date(2026, 4, 1)
    assert reasons(due_on=due_on, **{field: "x" * longest}) == {}
    told = f"may have at most {longest:,} characters, and has {longest + 1:,}"
    assert reasons(due_on=due_on, **{field: "x" * (longest + 1)}) == {field: told}


@pytest.mark.parametrize("payment_terms", ["as agreed", "10 days after delivery", ""])
def test_a_due_date_is_chosen_where_no_terms_that_are_understood_say_it(payment_terms):
    assert reasons(payment_terms=payment_terms)["due_on"].startswith("is needed")
    assert checked(replace(GOOD, payment_terms=payment_terms, due_on=TODAY)).payment_terms == payment_terms


def test_a_description_may_have_two_thousand_characters():
    assert of_line(description="x" * 2_000) == {}
    assert "lines.1.description" in of_line(description="x" * 2_001)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"quantity": D("0.000001")}, None),
        ({"quantity": D("0.0000001")}, "quantity"),
        ({"quantity": D(10) ** 12, "unit_price": D(1)}, None),
        ({"quantity": D(10) ** 12 + D("0.000001"), "unit_price": D(0)}, "quantity"),
        ({"quantity": D("1E+13"), "unit_price": D(0)}, "quantity"),
        ({"unit_price": D(0)}, None),
        ({"quantity": D("-0.000001")}, None),
        ({"unit_price": D("-0.000001")}, None),
        ({"quantity": D(-1), "unit_price": D(0)}, None),
        ({"unit_price": D(9 * 10**12), "quantity": D(1), "tax_rate": D(0)}, None),
        ({"unit_price": D("9000000000000.000001"), "quantity": D("0.000001")}, "unit_price"),
        # Twice that is half a cent more than 10^15 cents, and a little less than that.
        ({"unit_price": D("5000000000000.0025"), "tax_rate": D(0)}, "unit_price"),
        ({"unit_price": D("5000000000000.002499"), "tax_rate": D(0)}, None),
        ({"tax_rate": D(0)}, None),
        ({"tax_rate": D(100)}, None),
        ({"tax_rate": D("100.0001")}, "tax_rate"),
        ({"tax_rate": D("-0.0001")}, "tax_rate"),
        ({"tax_rate": D("0.0001")}, None),
        ({"tax_rate": D("0.00001")}, "tax_rate"),
        ({"discount_percent": D(100)}, None),
        ({"discount_percent": D("100.0001")}, "discount_percent"),
        ({"discount_minor": 0}, None),
        ({"discount_minor": -1}, "discount_minor"),
        ({"discount_minor": 20_000}, None),
        ({"discount_minor": 20_001}, "discount_minor"),
        ({"discount_minor": 0, "discount_percent": D(5)}, None),
        ({"discount_minor": 5, "discount_percent": D(0)}, None),
        ({"discount_minor": 5, "discount_percent": D(5)}, "discount_percent"),
    ],
)
def test_a_line_may_just_or_just_not(facts, field):
    assert list(of_line(**facts)) == ([f"lines.1.{field}"] if field else [])


def test_the_smallest_and_the_largest_day_may_stand_there():
    assert reasons(issued_on=EARLIEST_DAY) == reasons(issued_on=LATEST_DAY, due_on=LATEST_DAY) == {}
    assert reasons(due_on=TODAY) == {}
    assert list(reasons(due_on=date(2026, 3, 1))) == ["due_on"]
    assert list(reasons(issued_on=date.min)) == ["issued_on"]
    assert "due_on" in reasons(due_on=date.max)


@pytest.mark.parametrize(("currency", "most"), [("USD", 20_000), ("JPY", 200), ("KWD", 200_000)])
def test_a_discount_may_be_all_that_the_lines_come_to(currency, most):
    assert reasons(currency=currency, discount_minor=most) == {}
    assert list(reasons(currency=currency, discount_minor=most + 1)) == ["discount_minor"]
    in_line = {"currency": currency, "lines": (a_line(discount_minor=most + 1),)}
    assert list(reasons(**in_line)) == ["lines.1.discount_minor"]
    assert reasons(currency=currency, lines=(a_line(discount_minor=most),)) == {}


def test_what_is_taken_off_counts_towards_the_most_too():
    half, off = (a_line(quantity="1", unit_price=f"{sign}5000000000000", tax_rate="0") for sign in ("", "-"))
    assert reasons(lines=(half, off)) == {}
    assert list(reasons(lines=(half, off, a_line(quantity="0.01", unit_price="1")))) == ["lines"]


def test_an_invoice_asks_for_nothing_at_least():
    """100.00 at 22 % is 122.00: as much may be taken off at 0 %, though the lines alone then come to −22.00."""
    work = a_line(quantity="1", unit_price="100", tax_rate="22")
    voucher, larger = (a_line(quantity="-1", unit_price=price, tax_rate="0") for price in ("122", "122.01"))
    assert reasons(lines=(work, voucher)) == {}
    assert reasons(lines=(work, larger)) == {
        "lines": "come to -0.01 USD with tax, and an invoice asks for 0 at least: take less off, or give the rest back "
        "by a credit note"
    }
    assert list(reasons(lines=(work, voucher), discount_minor=1)) == ["discount_minor"]
    assert list(reasons(lines=(work, voucher), discount_percent=D(1))) == ["discount_percent"]


def test_the_first_fault_is_told_in_words_and_the_others_counted():
    def told(**facts):
        with pytest.raises(Invalid) as refused:
            checked(replace(GOOD, **facts))
        return str(refused.value)

    assert told(customer_email="x") == (
        "The invoice was not saved: customer email is not an e-mail address such as ana@example.com"
    )
    assert told(due_on=date(2026, 3, 1)).startswith("The invoice was not saved: due date lies before the issue date")
    assert told(issued_on=date.min).startswith("The invoice was not saved: issue date must lie between")
    assert told(discount_minor=-1, language="xx").endswith("discount must not be negative, and 1 more")
    assert told(lines=(a_line(), a_line(quantity="0"))).endswith("line 2: quantity must not be 0")
    assert told(language="xx", currency="QQQ", lines=()).endswith(", and 2 more")


def test_a_block_of_text_keeps_its_lines_and_a_line_becomes_one():
    kept: dict[str, str] = {}
    assert field_checks.text_block(kept, "notes", " a\tb \r\n\r\nc\rd  \n", 20) == "a b\n\nc\nd"
    assert field_checks.line_of_text(kept, "name", " a\r\n b\tc ", 20) == "a b c"
    assert field_checks.email(kept, "email", " a@b.example ") == "a@b.example"
    assert field_checks.email(kept, "email", "") == ""
    assert kept == {}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ""),
        ({"address": "1 Main St", "city": "Springfield", "state": "IL"}, "1 Main St\nSpringfield, IL"),
        ({"postal_code": "10115"}, "10115"),
        ({"state": "IL"}, "IL"),
        ({"city": "Berlin", "postal_code": "10115", "country": "DE"}, "10115 Berlin\nGermany"),
        ({"country": "DE", "language": "fr"}, "Allemagne"),
        (
            {"address": "1 Main St", "city": "Oakland", "state": "CA", "postal_code": "94607", "country": "US"},
            "1 Main St\nOakland, CA 94607\nUnited States",
        ),
        ({"city": "London", "postal_code": "SW1A 2AA", "country": "GB"}, "London\nSW1A 2AA\nUnited Kingdom"),
        ({"country": "QQ"}, "QQ"),
    ],
)
def test_an_address_as_on_a_letter(facts, expected):
    known = dict.fromkeys(("address", "city", "state", "postal_code", "country"), "") | {"language": "en"}
    assert postal_address(Customer(**known | facts)) == expected


def test_a_blank_invoice_has_the_businesss_terms_where_the_customer_has_none(session):
    business = default_business(session)
    business.payment_terms = "Net 7"
    acme = a_customer(session, language="de-AT")
    filled = blank(session, READER, acme, today=TODAY)
    assert (filled.payment_terms, filled.due_on, filled.business_id) == ("7 Tage netto", date(2026, 3, 9), business.id)
    assert (filled.customer_name, filled.customer_email, filled.language) == ("Acme Corp", "ap@acme.example", "de")
    assert blank(session, READER, acme, today=TODAY, business_id=business.id) == filled
    with pytest.raises(Invalid) as refused:
        blank(session, READER, acme, today=TODAY, business_id=99)
    assert list(refused.value.fields) == ["business_id"]
