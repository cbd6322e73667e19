"""The proof that invoices add up: of every kind of content, in any currency, and of what was sent before."""

from decimal import Decimal

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from billing_core.errors import Invalid
from billing_core.invoices.content import verification
from tests.invoices.company import a_customer, a_draft, a_line, an_invoice

D = Decimal


def wrong(session):
    session.flush()
    return list(dict.fromkeys(named for check in verification.checks(session) for named in check.wrong))


_LINES = st.lists(
    st.builds(
        a_line,
        quantity=st.decimals("0.000001", 1_000, places=6),
        unit_price=st.decimals(-100, 1_000, places=6),
        tax_rate=st.sampled_from([D(0), D(7), D("19.6"), D(100)]),
        discount_percent=st.none() | st.decimals(0, 100, places=4),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_LINES, st.sampled_from(["JPY", "USD", "KWD"]), st.none() | st.decimals(0, 100, places=4), st.booleans())
def test_whatever_is_drafted_adds_up_as_it_is_printed(session, lines, currency, discount, with_tax):
    undo = session.begin_nested()
    try:
        facts = {"currency": currency, "discount_percent": discount, "prices_include_tax": with_tax}
        a_draft(session, a_customer(session), *lines, **facts)
    except Invalid:
        # Of what would come to less than 0, or has nothing to be discounted.
        undo.rollback()
        assume(False)
    found = wrong(session)
    undo.rollback()
    assert found == []


def test_the_largest_amounts_add_up_and_are_proven_exactly(session):
    """5 × 10^11 dinars are 5 × 10^14 fils; 99.9999 % of them 499,999,500,000,000."""
    largest = a_line(quantity="1", unit_price="500000000000", tax_rate="99.9999")
    invoice = an_invoice(session, a_customer(session), largest, currency="KWD")
    assert invoice.tax_minor == 499_999_500_000_000
    assert wrong(session) == []
    session.execute(text("UPDATE invoices SET tax_minor = tax_minor - 1, total_minor = total_minor - 1"))
    assert wrong(session) == [f"invoice id {invoice.id}, INV-2026-001"]


def test_what_was_sent_before_lines_were_rounded_is_left_as_it_is(session):
    """Three times 0.333 are 1.00 by their exact sum, though 0.33 each."""
    thirds = (a_line(quantity="0.333", unit_price="1"),) * 3
    invoice = an_invoice(session, a_customer(session), *thirds, lines_rounded=False)
    assert invoice.subtotal_minor == 100
    assert wrong(session) == []
    invoice.lines_rounded = True
    assert wrong(session) == [f"invoice id {invoice.id}, INV-2026-001"]


def test_prices_that_include_tax_are_proven_with_a_discount_and_without(session):
    """121.00 and 107.00 are 100.00 and 100.00 without tax; 24.20 less 10 % is 21.78, without tax 18.00."""
    customer = a_customer(session)
    chair, book, lamp = (
        a_line(quantity="1", unit_price=p, tax_rate=r) for p, r in (("121", "21"), ("107", "7"), ("24.2", "21"))
    )
    of_two = an_invoice(session, customer, chair, book, prices_include_tax=True)
    discounted = an_invoice(session, customer, lamp, discount_percent=D(10), prices_include_tax=True)
    assert [(one.subtotal_minor, one.tax_minor) for one in (of_two, discounted)] == [(200_00, 28_00), (18_00, 3_78)]
    assert wrong(session) == []
    for invoice in (of_two, discounted):
        invoice.subtotal_minor, invoice.tax_minor = invoice.subtotal_minor + 1, invoice.tax_minor - 1
    assert set(wrong(session)) == {f"invoice id {of_two.id}, INV-2026-001", f"invoice id {discounted.id}, INV-2026-002"}


def test_what_a_rate_takes_back_is_proven(session):
    """2 × 100.00 at 19 % are 38.00 of tax; a voucher of 0.05 at 10 % takes half a cent back, rounded to 0.01."""
    voucher = a_line("Voucher", "-1", "0.05", "10")
    invoice = an_invoice(session, a_customer(session), a_line(), voucher)
    assert (invoice.subtotal_minor, invoice.tax_minor) == (199_95, 37_99)
    assert wrong(session) == []
    invoice.tax_minor, invoice.total_minor = 38_00, invoice.total_minor + 1
    assert wrong(session) == [f"invoice id {invoice.id}, INV-2026-001"]


def test_an_invoice_that_has_lost_its_lines_is_named_however_little_it_comes_to(session):
    invoice = an_invoice(session, a_customer(session), a_line(quantity="1", unit_price="0.01", tax_rate="0"))
    session.execute(text("DELETE FROM invoice_line_items"))
    assert wrong(session) == [f"invoice id {invoice.id}, INV-2026-001"]


def test_a_draft_is_proven_too(session):
    draft = a_draft(session, a_customer(session))
    draft.tax_minor, draft.total_minor = 37_99, 237_99
    assert wrong(session) == [f"invoice id {draft.id}, a draft"]


def test_the_tax_of_several_rates_and_that_of_a_discounted_one_are_proven(session):
    """2 × 100.00 at 19 % and at 7 % are 38.00 and 14.00; 10 % off leaves 34.20 of the first."""
    customer = a_customer(session)
    of_two = an_invoice(session, customer, a_line(), a_line(tax_rate="7"))
    discounted = an_invoice(session, customer, a_line(), discount_percent=D(10))
    assert (of_two.tax_minor, discounted.tax_minor) == (52_00, 34_20)
    for invoice in (of_two, discounted):
        invoice.tax_minor, invoice.total_minor = invoice.tax_minor - 1, invoice.total_minor - 1
    assert wrong(session) == [f"invoice id {of_two.id}, INV-2026-001", f"invoice id {discounted.id}, INV-2026-002"]


def test_of_a_discount_shared_by_several_rates_the_subtotal_is_proven(session):
    """10 % of 3.00 is 0.30."""
    lines = (a_line(quantity="1", unit_price="1", tax_rate="7"), a_line(quantity="1", unit_price="2", tax_rate="19"))
    invoice = an_invoice(session, a_customer(session), *lines, discount_percent=D(10))
    assert invoice.subtotal_minor == 270
    assert wrong(session) == []
    invoice.subtotal_minor, invoice.total_minor = 271, invoice.total_minor + 1
    assert wrong(session) == [f"invoice id {invoice.id}, INV-2026-001"]
