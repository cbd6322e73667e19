"""A statement as PDF, read back by another library."""

import io
from datetime import date

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from billing_core.businesses.models import Business
from billing_core.businesses.queries import default_business
from billing_core.dates import Period
from billing_core.errors import NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending
from billing_core.invoices.models import CreditNote
from billing_core.languages.formats import writing
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.receivables import pdf
from billing_core.receivables.pdf import statement_pdf
from billing_core.receivables.statement import StatementRequest, statement
from tests.payments.books import NOW, TODAY, a_customer, an_open_invoice, pay

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))


def pages(session, customer, period=MARCH, business_id=None) -> list[str]:
    content = statement_pdf(session, SYSTEM, StatementRequest(customer.id, "EUR", period, business_id))
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(content)).pages]


def test_it_leads_from_what_was_owed_to_what_is_owed(session):
    default_business(session).bank_details = "IBAN GB29"
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "100", tax_rate="19")
    pay(session, customer, 4_000, **{str(invoice.id): 4_000})

    (page,) = pages(session, customer)

    assert f"Mar 1, 2026 Invoice {invoice.number} Mar 31, 2026 119.00 119.00" in page
    assert "Mar 10, 2026 Payment · RF18 40.00 79.00" in page
    assert "Opening balance 0.00 Charged 119.00 Credited -40.00 Closing balance €79.00" in page
    assert "Amount due €79.00" in page
    assert "Not yet due 79.00 1–30 days late 0.00" in page
    assert "IBAN GB29" in page


def test_discounts_that_still_run_are_named_with_day_and_amount(session):
    """3 % of 200.00 are 6.00: until 21 March for the invoice of 1 March, and until 11 March for another. One is part
    paid.
    """
    customer = a_customer(session)
    longer, shorter, part_paid = (an_open_invoice(session, customer, "200") for _ in range(3))
    longer.payment_terms, shorter.payment_terms = "3% 20 days, net 30", "3% 10 days, net 30"
    part_paid.payment_terms = longer.payment_terms
    pay(session, customer, 10_00, **{str(part_paid.id): 10_00})

    (page,) = pages(session, customer, Period(date(2026, 3, 1), date(2026, 3, 11)))
    assert (
        f"Early payment {shorter.number} · If paid by Mar 11, 2026: €194.00 (3% discount, €6.00) "
        f"{longer.number} · If paid by Mar 21, 2026: €194.00 (3% discount, €6.00)"
    ) in page
    assert f"{part_paid.number} · If" not in page
    (later,) = pages(session, customer, Period(date(2026, 3, 1), date(2026, 3, 12)))
    assert f"{longer.number} · If paid by" in later
    assert f"{shorter.number} · If" not in later
    assert "If paid by" not in pages(session, customer, MARCH)[0]


def test_kept_credit_stands_beside_the_ageing_so_that_both_come_to_the_amount_due(session):
    """100.00 are owed to the customer's own business and 20.00 to another, which is not written of here. Of 55.00 that
    came in, 30.00 paid a part of the 100.00; 25.00 are kept."""
    second = Business(name="Second Ltd", currency="EUR", time_zone="UTC")
    session.add(second)
    session.flush()
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "100")
    an_open_invoice(session, customer, "20", business_id=second.id)
    pay(session, customer, 55_00, **{str(invoice.id): 30_00})

    (page,) = pages(session, customer)

    # 70.00 − 25.00 = 45.00
    assert "Amount due €45.00" in page
    assert "Not yet due 70.00 1–30 days late 0.00" in page
    assert "Your credit -25.00" in page


def test_a_business_writes_of_what_is_owed_to_itself(session):
    default_business(session).bank_details = "IBAN GB29"
    second = Business(name="Second Ltd", currency="EUR", time_zone="UTC", bank_details="IBAN DE02")
    session.add(second)
    session.flush()
    customer = a_customer(session)
    an_open_invoice(session, customer, "100")
    an_open_invoice(session, customer, "20", business_id=second.id)

    (page,) = pages(session, customer, business_id=second.id)

    assert "Second Ltd" in page
    assert "Amount due €20.00" in page
    assert "Not yet due 20.00 1–30 days late 0.00" in page
    assert "IBAN DE02" in page
    assert "GB29" not in page
    (own,) = pages(session, customer)
    assert "IBAN GB29" in own
    assert "Amount due €100.00" in own
    assert "Not yet due 100.00 1–30 days late 0.00" in own


def test_no_day_is_cut_because_another_is_as_long_and_narrower(session):
    customer = a_customer(session)
    pay(session, customer, 4_000)
    (page,) = pages(session, customer, Period(date(2026, 1, 10), MARCH.end))
    assert "Jan 10, 2026 Opening balance" in page
    assert "Mar 10, 2026 Payment" in page


def test_what_was_undone_is_said(session):
    customer = a_customer(session)
    payment = pay(session, customer, 4_000)
    received.undo(session, SYSTEM, payment.id, reason="not ours", today=TODAY, now=NOW)
    (page,) = pages(session, customer)
    assert "Payment · RF18 40.00 -40.00" in page
    assert "Payment, undone · RF18 40.00 0.00" in page


@pytest.mark.parametrize(
    ("language", "note", "withdrawn", "invoice", "cancelled"),
    [
        ("en", "Credit note", "withdrawn", "Invoice", "cancelled"),
        ("de", "Gutschrift", "zurückgenommen", "Rechnung", "storniert"),
        ("fr", "Avoir", "retiré", "Facture", "annulée"),
        ("es", "Nota de crédito", "retirada", "Factura", "anulada"),
    ],
)
def test_what_was_withdrawn_or_cancelled_is_said_in_the_words_of_its_document(
    session, language, note, withdrawn, invoice, cancelled
):
    """3 % of 100.00 is 3.00: 97.00 settle the first invoice, until the payment is undone."""
    customer = a_customer(session)
    customer.language = language
    early, ended = an_open_invoice(session, customer, "100"), an_open_invoice(session, customer, "50")
    early.payment_terms = "3% 20 days, net 30"
    payment = pay(session, customer, 97_00, **{str(early.id): 97_00})
    received.undo(session, SYSTEM, payment.id, reason="The cheque bounced", today=TODAY, now=NOW)
    after_sending.cancel(session, SYSTEM, ended.id, now=NOW, today=TODAY)

    (page,) = pages(session, customer)

    number = session.scalars(select(CreditNote.number)).one()
    assert f"{note} {number}, {withdrawn}" in page
    assert f"{invoice} {ended.number}, {cancelled}" in page
    words = writing(language)
    assert words.pgettext("credit note", "Withdrawn").lower() == withdrawn
    assert words.pgettext("invoice", "Cancelled").lower() == cancelled


def test_what_was_paid_online_says_so_instead_of_the_payment_services_key(session):
    customer = a_customer(session)
    customer.language = "fr"
    pay(session, customer, 4_000).method = PaymentMethod.STRIPE
    (page,) = pages(session, customer)
    assert "Paiement · en ligne 40,00 -40,00" in page
    assert "RF18" not in page


def test_a_customer_with_credit_is_not_asked_for_money(session):
    default_business(session).bank_details = "IBAN GB29"
    customer = a_customer(session)
    pay(session, customer, 4_000)
    (page,) = pages(session, customer)
    assert "In your favour €40.00" in page
    assert "Amount due" not in page
    assert "IBAN" not in page


@pytest.mark.parametrize(
    ("paid", "box", "bank"), [(99_99, "Amount due €0.01", True), (100_00, "Amount due €0.00", False)]
)
def test_bank_details_stand_under_what_is_to_be_paid_alone(session, paid, box, bank):
    default_business(session).bank_details = "IBAN GB29"
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "100")
    pay(session, customer, paid, **{str(invoice.id): paid})
    (page,) = pages(session, customer)
    assert box in page
    assert ("IBAN GB29" in page) is bank
    assert ("days late" in page) is bank


def test_how_old_what_is_owed_is_is_said_in_days(session):
    """100.00 were due on March 31st, sixty days before."""
    customer = a_customer(session)
    an_open_invoice(session, customer, "100")
    words = "Not yet due 0.00 1–30 days late 0.00 31–60 days late 100.00 61–90 days late 0.00 Over 90 days 0.00"
    (page,) = pages(session, customer, Period(date(2026, 5, 1), date(2026, 5, 30)))
    assert words in page


def test_what_is_charged_and_what_is_credited_stand_in_their_own_columns(session):
    """One cent of each."""
    customer = a_customer(session)
    customer.tax_id = "FR40"
    invoice = an_open_invoice(session, customer, "0.01")
    pay(session, customer, 1, **{str(invoice.id): 1})
    (page,) = pages(session, customer)
    assert "Opening balance 0.00 Mar 1, 2026 Invoice INV-2026-001 Mar 31, 2026 0.01 0.01 Mar 10, 2026 Payment" in page
    assert "Payment · RF18 0.01 0.00" in page
    assert "Period Mar 1, 2026 – Mar 31, 2026 Your tax ID FR40" in page


def test_a_month_without_changes_says_so_in_the_customers_language(session):
    customer = a_customer(session)
    customer.language = "de"
    (page,) = pages(session, customer)
    assert "Kontoauszug" in page
    assert "In diesem Zeitraum gab es keine Bewegung." in page
    assert "Endsaldo 0,00 €" in page


def test_the_balance_counts_what_no_longer_fits(session, monkeypatch):
    customer = a_customer(session)
    for _ in range(3):
        an_open_invoice(session, customer)

    def short(*args):
        return statement(*args, limit=2)

    monkeypatch.setattr(pdf, "statement", short)
    (page,) = pages(session, customer)
    assert page.count("Invoice INV-") == 2
    assert "Only the first 2 entries are listed" in page
    assert "Charged 200" not in page
    assert "Closing balance €300.00" in page


def test_a_long_statement_goes_on_over_pages(session):
    customer = a_customer(session)
    for _ in range(40):
        an_open_invoice(session, customer)
    found = pages(session, customer)
    assert len(found) > 1
    assert all("Date Description Due date Charged Credited Balance EUR" in page for page in found)
    assert "Closing balance €4,000.00" in found[-1]


def test_nobody_gets_the_statement_of_a_customer_that_does_not_exist(session):
    with pytest.raises(NotFound):
        statement_pdf(session, SYSTEM, StatementRequest(404, "EUR", MARCH))
