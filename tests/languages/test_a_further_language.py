"""One more file among the catalogues is a further language, wherever customers are written to.

Its public pages and its place in the choices are tried where those are tested.
"""

import io
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from pypdf import PdfReader

from billing_core.businesses.queries import default_business
from billing_core.customers import service as customers
from billing_core.customers.countries import country_code
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import report_wording
from billing_core.invoices.content.content import blank, checked
from billing_core.invoices.documents.pdf import invoice_pdf
from billing_core.languages import available
from billing_core.languages.available import languages, nearest, own_name
from billing_core.languages.formats import writing
from billing_core.mailing import default_texts, letters, wording
from billing_core.mailing.models import MailKind
from billing_core.rating.models import CostType
from billing_core.web.public.invoice_sheet import spoken
from tests.invoices.company import GRACE, NOW, TODAY, a_customer
from tests.invoices.company import a_line as a_draft_line
from tests.invoices.documents import a_document, a_line

pytestmark = pytest.mark.usefixtures("dutch")
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))


def test_it_is_listed_under_its_own_name():
    assert languages() == ("en", "de", "es", "fr", "nl")
    assert own_name("nl") == "Nederlands"
    assert (nearest("nl"), nearest("nl-BE"), nearest("pl")) == ("nl", "nl", "en")


def test_a_country_may_have_a_catalogue_of_its_own():
    brazilian = available.CATALOGUES / "pt_BR.po"
    brazilian.write_text(
        'msgid ""\nmsgstr "Language: pt_BR\\n"\n\nmsgid "Invoice"\nmsgstr "Fatura"\n', encoding="utf-8"
    )
    assert languages() == ("en", "de", "es", "fr", "nl", "pt-BR")
    assert own_name("pt-BR") == "Português (Brasil)"
    assert (nearest("pt-BR"), nearest("pt-PT")) == ("pt-BR", "en")
    assert (writing("pt-BR").gettext("Invoice"), writing("pt-BR").language) == ("Fatura", "pt-BR")
    assert spoken("pt-BR,en;q=0.5") == "pt-BR"


def test_customers_may_have_it_and_their_invoices_begin_in_it(session):
    customer_id = a_customer(session, country="DE")
    customer = session.get_one(Customer, customer_id)
    facts = {"language": "nl"}
    customers.change(session, SYSTEM, customer_id, version=customer.version, facts=facts, now=NOW)
    content = replace(blank(session, SYSTEM, customer_id, today=TODAY), lines=(a_draft_line(),))
    assert checked(content).language == "nl"
    assert content.customer_address.endswith("Duitsland")
    assert country_code("Duitsland") == "DE"


def test_documents_are_written_in_it():
    document = a_document(a_line(unit_price="1000", tax_rate="19"), language="nl")
    reader = PdfReader(io.BytesIO(invoice_pdf(document)))
    page = reader.pages[0].extract_text()
    assert reader.trailer["/Root"]["/Lang"] == "nl"
    for written in ("Factuur INV-2026-007", "2 mrt 2026", "Te betalen", "1.190,00"):
        assert written in page
    # What nobody has translated yet stays in English.
    assert "Due date" in page


def test_lines_of_reports_are_written_in_it():
    assert report_wording.total_words(1, MARCH, "nl") == "Diensten, 1–31 mrt 2026: 1 bestelling"
    counted = report_wording.service_words("Picking", CostType.PER_ORDER, Decimal(1234), 1234, MARCH, "nl")
    assert counted == "Picking, 1–31 mrt 2026: 1.234 bestellingen"


def test_mails_are_written_in_it(session):
    business = default_business(session)
    current = wording.current(session, GRACE, business.id, MailKind.REMINDER_DUE, "nl").wording
    assert current == default_texts.of(MailKind.REMINDER_DUE, "nl")
    values = wording.sample(business, MailKind.REMINDER_DUE, "nl")
    letter = letters.letter(current, values, "nl")
    assert letter.subject == "Factuur INV-2026-042 vervalt vandaag"
    assert "van 2 maart 2026 vervalt vandaag" in letter.text
    assert '<html lang="nl">' in letter.html


def test_a_language_without_a_catalogue_is_refused(session):
    with pytest.raises(Invalid) as refusal:
        wording.current(session, GRACE, default_business(session).id, MailKind.INVOICE, "pl")
    assert refusal.value.fields == {"language": "one of en, de, es, fr, nl"}
