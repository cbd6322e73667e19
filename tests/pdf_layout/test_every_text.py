"""No PDF leaves out or cuts a text that its fields accept, and none puts one text upon another."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core.businesses.queries import default_business
from billing_core.businesses.service import LONGEST as LONGEST_OF_BUSINESS
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices.content.content import LONGEST, LONGEST_DESCRIPTION
from billing_core.invoices.content.totals import TaxRow
from billing_core.invoices.documents.document import CreditedLine, CreditNoteDocument, Recipient
from billing_core.invoices.documents.pdf import invoice_pdf
from billing_core.invoices.documents.pdf_credit_note import credit_note_pdf
from billing_core.invoices.issuers import Issuer
from billing_core.pdf_layout.paper_size import PaperSize
from billing_core.receivables.pdf import statement_pdf
from billing_core.receivables.statement import StatementRequest
from billing_core.reports.exports import files
from billing_core.text import LONGEST_REASON
from tests.invoices.documents import CUSTOMER, ISSUER, a_document, a_line, reader, text
from tests.payments.books import a_customer, an_open_invoice
from tests.pdf_layout.on_paper import boxes, cut, faults, texts, written
from tests.reports.exported import a_customer as a_customer_to_report
from tests.reports.exported import a_report

_OF_ISSUER = {
    "name": LONGEST_OF_BUSINESS["name"],
    "address": LONGEST_OF_BUSINESS["address"],
    "tax_id": LONGEST_OF_BUSINESS["tax_id"],
    "email": LONGEST_OF_BUSINESS["email"],
    "phone": LONGEST_OF_BUSINESS["phone"],
    "bank_details": LONGEST_OF_BUSINESS["bank_details"],
    "footer": LONGEST_OF_BUSINESS["invoice_footer"],
}
_OF_CUSTOMER = {field: longest for field, longest in LONGEST.items() if field.startswith("customer")}
_OF_INVOICE = {field: longest for field, longest in LONGEST.items() if field not in _OF_CUSTOMER}
_IN_LINES = {"address", "bank_details", "footer", "customer_address", "notes", "description"}
_PAPERS = st.sampled_from(PaperSize)
# In points: the window's first line of text, and where the window of a DIN envelope ends.
_WINDOW_BEGINS, _WINDOW_ENDS = 52 * 72 / 25.4, 90 * 72 / 25.4


def every_text(*groups: dict[str, int]) -> st.SearchStrategy[dict[str, str]]:
    limits = {field: longest for group in groups for field, longest in group.items()}
    return st.fixed_dictionaries(
        {field: texts(field, longest, lines=field in _IN_LINES) for field, longest in limits.items()}
    )


def issuer_of(said: dict[str, str], paper: PaperSize) -> Issuer:
    return Issuer(**{field: said[field] for field in _OF_ISSUER}, paper=paper)


def recipient_of(said: dict[str, str]) -> Recipient:
    return Recipient(said["customer_name"], said["customer_address"], tax_id=said["customer_tax_id"])


@settings(max_examples=8)
@given(every_text(_OF_ISSUER, _OF_CUSTOMER, _OF_INVOICE, {"number": 64, "description": LONGEST_DESCRIPTION}), _PAPERS)
def test_an_invoice_prints_every_text_that_its_fields_accept(said, paper):
    document = a_document(
        a_line(said["description"]),
        issuer=issuer_of(said, paper),
        customer=recipient_of(said),
        number=said["number"],
        **{field: said[field] for field in _OF_INVOICE},
    )
    content = invoice_pdf(document)
    assert cut(content, said) == []
    assert faults(content) == []


@settings(max_examples=4)
@given(every_text(_OF_ISSUER, _OF_CUSTOMER, {"number": 64, "notes": LONGEST_REASON, "zero_tax_reason": 200}), _PAPERS)
def test_a_credit_note_prints_every_text_that_its_fields_accept(said, paper):
    document = CreditNoteDocument(
        number=said["number"],
        invoice_number=said["number"],
        invoice_issued_on=date(2026, 3, 2),
        language="en",
        currency="EUR",
        issued_on=date(2026, 3, 9),
        reason=said["notes"],
        issuer=issuer_of(said, paper),
        customer=recipient_of(said),
        lines=(CreditedLine("Work", Decimal(0), 10_00),),
        by_rate=(TaxRow(Decimal(0), 10_00, 0),),
        subtotal_minor=10_00,
        tax_minor=0,
        total_minor=10_00,
        refund_minor=0,
        made_at=datetime(2026, 3, 9, tzinfo=UTC),
        zero_tax_reason=said["zero_tax_reason"],
    )
    content = credit_note_pdf(document)
    # A credit note asks for no money.
    assert cut(content, {field: said[field] for field in said if field != "bank_details"}) == []
    assert faults(content) == []


@pytest.mark.parametrize(("word", "separator", "paper"), [(2_000, " ", PaperSize.LETTER), (1, "\n", PaperSize.A4)])
def test_a_statement_prints_every_text_that_its_fields_accept(session, word, separator, paper):
    def longest(field, length, *, lines=True):
        return written(field, length, word, separator if lines else " ")

    business = default_business(session)
    said = {field: longest(field, limit, lines=field in _IN_LINES) for field, limit in _OF_ISSUER.items()}
    for field, value in said.items():
        setattr(business, "invoice_footer" if field == "footer" else field, value)
    business.paper = paper
    customer = a_customer(session)
    said |= {
        "customer_name": longest("customer_name", 200, lines=False),
        "customer_address": longest("customer_address", 500),
        "customer_tax_id": longest("customer_tax_id", 64, lines=False),
    }
    customer.name, customer.address = said["customer_name"], said["customer_address"]
    customer.tax_id = said["customer_tax_id"]
    customer.city, customer.postal_code, customer.country = "Rotterdam", "3089 JH", "NL"
    an_open_invoice(session, customer, "100")

    march = Period(date(2026, 3, 1), date(2026, 3, 31))
    content = statement_pdf(session, SYSTEM, StatementRequest(customer.id, "EUR", march))

    assert cut(content, said) == []
    assert faults(content) == []
    together = " ".join(page.extract_text() for page in reader(content).pages)
    assert "3089 JH Rotterdam\nNetherlands" in together


@pytest.mark.parametrize(("word", "paper"), [(2_000, PaperSize.A4), (1, PaperSize.LETTER)])
def test_a_report_prints_every_text_that_its_fields_accept(session, word, paper):
    def longest(field, length):
        return written(field, length, word, " ")

    business = default_business(session)
    business.name, business.address, business.tax_id = longest("name", 200), longest("address", 1_000), "GB1"
    business.paper = paper
    customer = a_customer_to_report(session, name=longest("customer_name", 200))
    ship_to = {"ship_to_name": longest("notes", 200), "ship_to_address": longest("customer_address", 500)}
    report = a_report(
        session, customer, (10**15 - 700, 0), (700, 0), reference_number=longest("reference", 120), **ship_to
    )

    content = b"".join(files.chunks(session, SYSTEM, report.id, "pdf"))

    said = {"name": business.name, "address": business.address, "customer_name": customer.name}
    said |= {"notes": ship_to["ship_to_name"], "customer_address": ship_to["ship_to_address"]}
    assert cut(content, said | {"reference": longest("reference", 120)}) == []
    assert faults(content) == []


def test_an_address_of_eight_lines_ends_with_its_town_and_country_inside_the_envelopes_window():
    address = (
        "Accounts payable\nMs. Anneliese Sommerfeld-Oberhuber\nBuilding 7\nIndustrial Park North\n"
        "12 Example Street\nP.O. Box 4711\n10115 Berlin\nGermany"
    )
    content = invoice_pdf(a_document(customer=Recipient("Globex Corporation", address)))
    page = reader(content).pages[0]
    assert address in page.extract_text()
    found: dict[str, float] = {}
    page.extract_text(visitor_text=lambda said, _cm, tm, *_: found.setdefault(said.strip(), 842 - tm[5]))
    assert _WINDOW_BEGINS < found["Globex Corporation"] < found["Germany"] < _WINDOW_ENDS


def test_a_short_address_stands_where_it_always_stood():
    tops = sorted(height - top for (_, height), found in boxes(invoice_pdf(a_document())) for _, _, _, top in found)
    assert any(_WINDOW_BEGINS < top < _WINDOW_BEGINS + 5 for top in tops)


def test_the_senders_address_is_whole_above_the_recipient_too():
    issuer = Issuer(
        "Acme Fulfilment Nederland B.V.", "Handelsplein 12, Gebouw De Hoop\nPostbus 2231\n3089 JH Rotterdam\nNederland"
    )
    page = text(a_document(issuer=issuer))
    assert page.count("3089 JH Rotterdam") == 2
    assert "…" not in page


def test_a_footer_grows_with_its_lines():
    lines = [f"Footer line {place}" for place in range(1, 8)]
    issuer = Issuer(ISSUER.name, ISSUER.address, footer="\n".join(lines))
    document = a_document(*(a_line(f"Line {place}") for place in range(60)), issuer=issuer, customer=CUSTOMER)
    content = invoice_pdf(document)
    assert faults(content) == []
    for page in reader(content).pages:
        assert all(line in page.extract_text() for line in lines)
