"""Characters that a PDF cannot show are told by the field that has them."""

from dataclasses import fields, replace

from billing_core.businesses.queries import default_business
from billing_core.identity import SYSTEM
from billing_core.invoices import queries
from billing_core.invoices.documents import legibility
from billing_core.invoices.documents.document import Recipient
from billing_core.invoices.issuers import Issuer
from tests.invoices import company
from tests.invoices.documents import a_document, a_line

# Of the Yuan dynasty: no font here has it.
KA = "\ua840"


def test_a_document_whose_texts_can_all_be_shown_has_nothing_to_tell():
    document = a_document(a_line("শ্রীমতী"), customer=Recipient("株式会社", "ភ្នំពេញ"), notes="ኢትዮጵያ")
    assert legibility.of_invoice(document) == {}


def test_every_text_of_a_document_is_looked_at():
    texts = {field.name: f"a{KA}" for field in fields(Issuer) if field.name != "logo"}
    document = a_document(
        a_line("Work"),
        a_line(f"Work {KA}{KA}"),
        issuer=Issuer(**texts),
        customer=Recipient(f"a{KA}", f"a\n{KA}", tax_id=KA),
        number=f"INV-{KA}",
        reference=KA,
        payment_terms=KA,
        notes=KA,
        zero_tax_reason=KA,
    )
    found = legibility.of_invoice(document)
    assert set(found) == {
        *(
            "Our name",
            "Our address",
            "Our e-mail",
            "Our phone",
            "Our tax number",
            "Our register number",
            "Bank details",
            "Footer",
        ),
        *("Bill to", "Address", "Customer's tax number", "Number", "Reference", "Payment terms"),
        *("Reason for 0 % tax", "Notes", "Line 2"),
    }
    assert all(characters == [KA] for characters in found.values())


def test_a_customer_without_a_name_is_looked_at_by_its_address_for_mail():
    document = replace(a_document(), customer=Recipient("", email=f"{KA}@example.com"))
    assert legibility.of_invoice(document) == {"Bill to": [KA]}


def test_many_drafts_are_looked_at_together(session):
    customer = company.a_customer(session)
    plain = company.a_draft(session, customer, company.a_line())
    odd = company.a_draft(session, customer, company.a_line(), company.a_line(f"Travel {KA}"), notes=f"a{KA}")
    assert legibility.of_drafts(session, SYSTEM, [plain.id, odd.id]) == {odd.id: {"Notes": [KA], "Line 2": [KA]}}
    # What our business is called is on all of them.
    default_business(session).name = f"Acme {KA}"
    found = legibility.of_drafts(session, SYSTEM, [plain.id])
    assert found == {plain.id: {"Our name": [KA]}}


def test_what_is_sent_by_whomever_says_on_its_timeline_what_its_pdf_cannot_show(session):
    """Programs, runs and subscriptions send what nobody has looked at."""
    customer = company.a_customer(session)
    plain = company.an_invoice(session, customer, customer_address="1 Main Street\nTown")
    odd = company.an_invoice(session, customer, company.a_line(f"Travel {KA}"), customer_name=f"A{KA}")
    told = [queries.events(session, one.id)[0].data.get("unprintable") for one in (plain, odd)]
    assert told == [None, {"Bill to": KA, "Line 1": KA}]
