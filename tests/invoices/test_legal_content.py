"""What invoices lack by the law of the seller's country. Expected values are read in the laws; see the documents."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.businesses.queries import default_business
from billing_core.identity import SYSTEM
from billing_core.invoices import queries, service
from billing_core.invoices.issuers import Issuer
from billing_core.invoices.legal_content import of_invoices
from billing_core.invoices.legal_content.missing import Said, is_address, is_vat_id, missing, of_issuer
from billing_core.invoices.legal_content.supply_dates import says_when
from billing_core.money import Money
from tests.invoices.company import NOW, READER, a_customer, a_draft, a_line

NOTHING = Issuer("Seller")
BERLIN = Issuer("Seller GmbH", "Am Markt 1\n10115 Berlin", tax_id="12/345/67890", country="DE")
FULL = Said(
    issuer=BERLIN,
    total=Money(119_000, "EUR"),
    rates=frozenset({Decimal(19)}),
    customer_name="Kunde AG",
    customer_address="Weg 2\n20095 Hamburg",
    customer_tax_id="",
    customer_country="DE",
    zero_tax_reason="",
)


def lacks(said: Said, **facts) -> list[str]:
    return [one.particular.value for one in missing(replace(said, **facts))]


def of_country(country: str, currency: str, total: str, **facts) -> list[str]:
    """What an invoice lacks that says nothing of either party."""
    money = Money.rounded(Decimal(total), currency)
    bare = {"customer_name": "", "customer_address": "", "customer_country": country, "total": money}
    return lacks(FULL, issuer=replace(NOTHING, country=country), **bare | facts)


def test_a_complete_invoice_lacks_nothing():
    assert missing(FULL) == []


OURS, THEIRS = ["seller_address", "seller_tax_number"], ["customer_name", "customer_address"]


@pytest.mark.parametrize(
    ("country", "currency", "total", "wanted"),
    [
        # § 33 UStDV: up to 250 € with tax neither a tax number nor the customer.
        ("DE", "EUR", "250.00", ["seller_address"]),
        ("DE", "EUR", "250.01", OURS + THEIRS),
        # What 250 in another currency are in euros is not known.
        ("DE", "USD", "100", OURS + THEIRS),
        # § 11 Abs. 6 UStG; above 10,000 € the customer's number too (Abs. 1 Z 2).
        ("AT", "EUR", "400", ["seller_address"]),
        ("AT", "EUR", "10000", OURS + THEIRS),
        ("AT", "EUR", "10000.01", [*OURS, *THEIRS, "customer_tax_number"]),
        # Art. 220a, 226b of the directive.
        ("BE", "EUR", "100", ["seller_address"]),
        ("BE", "EUR", "100.01", OURS + THEIRS),
        # No small ones; the SIREN always.
        ("FR", "EUR", "5", [*OURS, "seller_register_number", *THEIRS]),
        ("NL", "EUR", "5000", [*OURS, "seller_register_number", *THEIRS]),
        ("IT", "EUR", "400.01", [*OURS, *THEIRS, "customer_tax_number"]),
        ("ES", "EUR", "400", ["seller_tax_number"]),
        ("ES", "EUR", "400.01", [*OURS, *THEIRS, "customer_tax_number"]),
        ("GB", "GBP", "250", OURS),
        ("GB", "GBP", "250.01", OURS + THEIRS),
        ("CH", "CHF", "400", OURS),
        # s 29-80: no tax invoice up to $75 without tax; s 29-70: the buyer from $1,000.
        ("AU", "AUD", "82.50", []),
        ("AU", "AUD", "999.99", ["seller_tax_number"]),
        ("AU", "AUD", "1000", [*OURS, "customer_name"]),
        ("CA", "CAD", "99.99", []),
        ("CA", "CAD", "100", ["seller_tax_number"]),
        ("CA", "CAD", "500", [*OURS, "customer_name"]),
        ("NZ", "NZD", "1000", ["seller_tax_number"]),
        ("NZ", "NZD", "1000.01", [*OURS, "customer_name"]),
        ("IN", "INR", "49999.99", OURS),
        ("IN", "INR", "50000", OURS + THEIRS),
        ("JP", "JPY", "1", [*OURS, "customer_name"]),
        ("SG", "SGD", "1000", OURS),
        ("SG", "SGD", "1000.01", OURS + THEIRS),
        # No law; what is usual.
        ("US", "USD", "1", ["seller_address", *THEIRS]),
        ("BR", "BRL", "1", OURS + THEIRS),
        ("", "USD", "1", OURS + THEIRS),
    ],
)
def test_each_country_wants_what_its_law_says(country, currency, total, wanted):
    assert of_country(country, currency, total) == wanted


def test_what_only_usage_wants_is_not_said_to_be_law():
    found = missing(replace(FULL, issuer=replace(NOTHING, country="AU"), total=Money(100_000, "AUD")))
    laws = {one.particular.value: one.law for one in found}
    assert laws["seller_address"] == ""
    assert "s 29-70" in laws["seller_tax_number"]


@pytest.mark.parametrize(
    ("country", "right", "wrong"),
    [
        ("AT", "UID: ATU 1234 5678", "12/345/6789"),
        ("FR", "FR 40 303 265 045", "303 265 045"),
        ("NL", "NL001234567B01", "001234567"),
        ("AU", "ABN 51 824 753 556", "ACN 004 085 616"),
        ("IN", "GSTIN 22AAAAA0000A1Z5", "AAAAA0000A"),
        ("JP", "T1-2345-6789-0123", "1234567890123"),
        ("CH", "CHE-123.456.789 MWST", "123 456"),
        ("GB", "GB 123 4567 89", "12345"),
        ("ES", "B-12345678", "1234"),
        ("IT", "IT 12345678901", "RSSMRA"),
        ("CA", "123456789 RT0001", "12345"),
        ("DE", "12/345/67890", " "),
    ],
)
def test_a_number_of_another_kind_is_no_tax_number(country, right, wrong):
    for number, wanted in ((right, False), (wrong, True)):
        found = lacks(FULL, issuer=replace(BERLIN, country=country, tax_id=number, register_number="1"), total=None)
        assert ("seller_tax_number" in found) is wanted


ZERO = frozenset({Decimal(0)})


def test_tax_of_0_needs_its_reason_in_the_european_union():
    assert lacks(FULL, rates=ZERO) == ["zero_tax_reason"]
    assert lacks(FULL, rates=ZERO | {Decimal(19)}) == ["zero_tax_reason"]
    assert lacks(FULL, rates=ZERO, zero_tax_reason="§ 4 Nr. 11 UStG") == []
    assert lacks(FULL, rates=ZERO, issuer=replace(BERLIN, country="US")) == []


def test_reverse_charge_needs_both_vat_numbers_whatever_the_amount():
    across = {"rates": ZERO, "customer_country": "FR", "zero_tax_reason": "Reverse charge", "total": Money(100, "EUR")}
    assert lacks(FULL, **across) == ["seller_vat_id", "customer_vat_id"]
    assert lacks(FULL, **across | {"zero_tax_reason": ""}) == ["seller_vat_id", "customer_vat_id", "zero_tax_reason"]
    both = across | {"issuer": replace(BERLIN, tax_id="DE 123 456 789"), "customer_tax_id": "FR40303265045"}
    assert lacks(FULL, **both) == []
    # To a country outside of the Union no VAT number of it is wanted.
    assert lacks(FULL, **across | {"customer_country": "US", "total": None}) == []


def test_a_small_business_names_no_vat_number():
    small = {"rates": ZERO, "zero_tax_reason": "Kleinunternehmer, § 19 UStG"}
    assert lacks(FULL, **small) == []
    assert lacks(FULL, **small, customer_country="FR") == []
    assert lacks(FULL, **small, issuer=replace(BERLIN, tax_id="")) == ["seller_tax_number"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("", False),
        (" \n ", False),
        ("Germany", False),
        ("Deutschland\n", False),
        ("Am Markt 1", True),
        ("Hof\nUlm", True),
    ],
)
def test_a_country_alone_is_no_address(text, is_one):
    assert is_address(text) is is_one


@pytest.mark.parametrize(
    ("text", "country", "is_one"),
    [
        ("DE123456789", "DE", True),
        ("St.-Nr. 12/345/67890, USt-IdNr. DE 123456789", "DE", True),
        ("12/345/67890", "DE", False),
        ("EL123456789", "GR", True),
        ("GR123456789", "GR", False),
        ("RO1234", "RO", True),
        ("IE1234567WA", "IE", True),
        ("ESB12345678", "ES", True),
        ("NL001234567B01", "NL", True),
        ("FR40303265045", "DE", False),
    ],
)
def test_a_vat_number_begins_with_its_country(text, country, is_one):
    assert is_vat_id(text, country) is is_one


@pytest.mark.parametrize(
    ("country", "currency", "total", "wanted"),
    [
        ("DE", "EUR", 25_000, False),
        ("DE", "EUR", 25_001, True),
        ("AT", "EUR", 100, True),
        ("JP", "JPY", 100, True),
        # Art. 226 (7): only where it differs from the date of the invoice.
        ("FR", "EUR", 100_000, False),
        ("GB", "GBP", 100_000, False),
    ],
)
def test_the_day_of_supply_is_wanted_where_the_law_wants_it_always(country, currency, total, wanted):
    issuer = replace(BERLIN, country=country)
    assert ("supply_date" in lacks(FULL, issuer=issuer, total=Money(total, currency), says_when=False)) is wanted
    assert "supply_date" not in lacks(FULL, issuer=issuer, total=Money(total, currency), says_when=True)


def test_a_small_german_business_names_no_day_of_supply():
    small = {"rates": ZERO, "zero_tax_reason": "Kleinunternehmer, § 19 UStG"}
    assert lacks(FULL, **small, says_when=False) == []


@pytest.mark.parametrize(
    ("texts", "notes", "said"),
    [
        (["Beratung, 3. März 2026"], "", True),
        (["Work, Mar 1 – 31, 2026"], "", True),
        (["Conseil en mars 2026"], "", True),
        (["Obra, 03/02/2026"], "", True),
        (["Abo 11/2026"], "", True),
        (["Beratung am 3.3.2026", "Fahrt"], "", False),
        (["Beratung am 3.3.2026", "Fahrt"], "Leistungsdatum: 3. März 2026", True),
        (["Beratung"], "Leistungsdatum entspricht dem Rechnungsdatum", True),
        (["Beratung"], "Zahlbar bis 31.3.2026", False),
        (["Plan 2026"], "", False),
        (["Maintenance 24/7, version 1.2"], "", False),
    ],
)
def test_the_day_of_supply_stands_in_the_lines_or_is_called_so(texts, notes, said):
    assert says_when([(text, False) for text in texts], notes) is said


def test_our_own_details_are_looked_at_before_there_is_an_invoice():
    ours = [one.words for one in of_issuer(replace(NOTHING, country="NL"))]
    assert ours == ["our address", "our btw-id (NL, 9 digits, B, 2 digits)", "our company register number"]
    assert of_issuer(BERLIN) == []


def test_drafts_are_looked_at_before_they_are_sent(session):
    customer = a_customer(session, country="DE")
    business = default_business(session)
    business.country, business.address = "DE", "Am Markt 1"
    bare = a_draft(session, customer, a_line(), currency="EUR", customer_name="")
    small = a_draft(session, customer, a_line(quantity="1"), currency="EUR", customer_name="")
    free = a_draft(session, customer, a_line(tax_rate="0"), a_line(), currency="EUR", customer_address="Weg 1")
    found = of_invoices.of_many(session, READER, [bare.id, small.id, free.id])
    words = {key: [one.particular.value for one in lacking] for key, lacking in found.items()}
    # 238.00 and 119.00 are small; 438.00 is not.
    assert words == {free.id: ["seller_tax_number", "supply_date", "zero_tax_reason"]}
    business.address = ""
    assert set(of_invoices.of_many(session, READER, [bare.id, small.id])) == {bare.id, small.id}


def test_what_it_was_sent_without_is_on_its_timeline_and_in_the_audit_log(session):
    draft = a_draft(session, a_customer(session), a_line(), customer_address="1 Main St")
    assert of_invoices.of_many(session, SYSTEM, [draft.id]).keys() == {draft.id}
    service.send(session, SYSTEM, draft.id, now=NOW)
    without = ["seller_address", "seller_tax_number"]
    (sent,) = (event for event in queries.events(session, draft.id) if event.kind == "sent")
    assert sent.data["missing"] == without
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "invoice.send")).one()
    assert entry.after["missing"] == without
    assert of_invoices.sent_without(session, draft.id) == without
    # Our details of later do not complete what was sent.
    business = default_business(session)
    business.address, business.tax_id = "1 Main St", "1"
    session.flush()
    assert [one.particular for one in of_invoices.of_many(session, SYSTEM, [draft.id])[draft.id]] == without


def test_a_complete_invoice_leaves_no_trace_of_the_check(session):
    business = default_business(session)
    business.address, business.tax_id = "1 Main St", "1"
    draft = a_draft(session, a_customer(session), customer_address="2 Main St")
    service.send(session, SYSTEM, draft.id, now=NOW)
    (sent,) = (event for event in queries.events(session, draft.id) if event.kind == "sent")
    assert "missing" not in sent.data
    assert of_invoices.sent_without(session, draft.id) == []
