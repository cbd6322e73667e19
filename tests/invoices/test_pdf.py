"""Invoices as PDF, read back by another library: every amount is there, on as many pages as it takes."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from billing_core.invoices.documents import presentation
from billing_core.invoices.documents.document import Recipient
from billing_core.invoices.documents.pdf import _qr_bars, invoice_pdf
from billing_core.invoices.issuers import Issuer
from billing_core.invoices.models import InvoiceState
from tests.invoices.documents import ISSUER, a_document, a_line, pages, reader, text


def a_logo(width=480, height=160) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(target, "PNG")
    return target.getvalue()


def test_everything_that_was_agreed_is_on_the_page():
    page = text(a_document(a_line("Pick and pack", "1240", "1.85", "19"), notes="Thank you."))
    for expected in (
        *("Invoice INV-2026-007", "Mar 2, 2026", "Apr 1, 2026", "PO 4711", "Net 30", "Thank you."),
        *("Acme Fulfilment Ltd", "Bristol BS1 4DJ", "GB123456789", "IBAN GB29 NWBK 6016 1331 9268 19"),
        *("Globex GmbH", "10115 Berlin", "DE987654321", "Registered in England 01234567"),
        *("Pick and pack", "1,240", "1.85", "19%", "2,294.00", "435.86", "€2,729.86", "Page 1 of 1"),
    ):
        assert expected in page


def test_early_payment_is_printed_with_its_day_and_amount_in_the_customers_language():
    # By hand: 2 % of 100.00 is 2.00; 14 days after 2 March is 16 March.
    document = a_document(a_line("Work", "1", "100", "0"), payment_terms="14 Tage 2 % Skonto, 30 Tage netto")
    assert "If paid by Mar 16, 2026: €98.00 (2% discount, €2.00)" in text(document)
    german = " ".join(text(replace(document, language="de")).split())
    assert "Bei Zahlung bis 16.03.2026: 98,00 € (2 % Skonto, 2,00 €)" in german
    assert "98.00" not in text(replace(document, paid_minor=10_00, due_minor=90_00))


def test_figures_alone_are_set_from_the_side_from_which_their_text_reads():
    """In points: the column begins 2 mm behind the margin of 20 mm. Hebrew ends where the figures below it do."""
    words = "חברת המחסנים"
    from_left, _ = place_of("615", a_document(a_line("Storage\n615 × 0.29", "1", "100", "0")))
    _, figures_end = place_of("0.29", a_document(a_line(f"{words}\n615 × 0.29", "1", "100", "0")))
    _, words_end = place_of("ח", a_document(a_line(f"{words}\n615 × 0.29", "1", "100", "0")))
    assert from_left == pytest.approx(22 / 25.4 * 72, abs=1)
    assert figures_end == pytest.approx(words_end, abs=1.5)
    in_latin, _ = place_of("Storage", a_document(a_line(f"{words}\nStorage", "1", "100", "0")))
    assert in_latin == pytest.approx(from_left, abs=1)


def place_of(sought, document) -> tuple[float, float]:
    """The left and right edge of this text where it stands first on the page, in points."""
    page = pypdfium2.PdfDocument(invoice_pdf(document))[0].get_textpage()
    first, count = page.search(sought, match_case=True).get_next()
    boxes = [page.get_charbox(place) for place in range(first, first + count)]
    return min(box[0] for box in boxes), max(box[2] for box in boxes)


def test_discounts_and_taxes_add_up_in_plain_sight():
    # By hand: each line shows 0.13, together 0.39; 10 % of that is 0.039, 20 % of what is left 0.07.
    lines = [a_line(str(place), "1", "0.125", "20") for place in range(3)]
    page = text(a_document(*lines, discount_percent=Decimal(10)))
    assert "Sum of lines 0.39 Discount 10% -0.04 Subtotal 0.35 Tax 20% on 0.35 0.07 Total €0.42" in page


def test_what_was_sent_before_lines_were_rounded_keeps_its_row_of_rounding():
    # By hand: 0.125 three times is 0.375; 10 % off leaves 0.3375.
    lines = [a_line(str(place), "1", "0.125", "20") for place in range(3)]
    page = text(a_document(*lines, discount_percent=Decimal(10), lines_rounded=False))
    assert "Sum of lines 0.39 Discount 10% -0.04 Rounding -0.01 Subtotal 0.34" in page
    assert "Tax 20% on 0.34 0.07 Total €0.41" in page


def test_what_prepaid_credit_paid_is_told_apart():
    document = a_document(a_line("API calls", "1", "60"))
    assert "Paid" not in text(document)
    covered = text(replace(document, paid_minor=60_00, prepaid_minor=60_00, due_minor=0, state=InvoiceState.PAID))
    assert "Total €60.00 Prepaid credit used -60.00 Amount due €0.00" in covered
    partly = text(replace(document, paid_minor=50_00, prepaid_minor=30_00, due_minor=10_00))
    assert "Paid -20.00 Prepaid credit used -30.00 Amount due €10.00" in partly


def test_a_price_and_what_it_is_multiplied_with_stay_on_one_line():
    words = "Storage, Oct 1 – 31, 2023: used 1,260.5, included 50, 100 × 0.50 EUR / 1,000 + fee 7.00 EUR × 15/31"
    assert presentation.description(a_line(words)).split(" ")[-5:] == [
        "50,",
        "100\u00a0×\u00a00.50\u00a0EUR\u00a0/\u00a01,000",
        "+",
        "fee",
        "7.00\u00a0EUR\u00a0×\u00a015/31",
    ]


def test_every_tax_rate_has_its_row_also_that_of_nothing():
    page = text(a_document(a_line(tax_rate="19"), a_line(unit_price="5")))
    assert "Subtotal 105.00 Tax 0% on 5.00 0.00 Tax 19% on 100.00 19.00 Total €124.00" in page
    assert "Subtotal 100.00 Tax 0% on 100.00 0.00 Total €100.00" in text(a_document(a_line()))
    assert "Tax 0%" not in text(a_document(a_line(), states_zero_tax=False))


def test_why_there_is_no_tax_is_printed_however_long_it_is():
    reason = "Reverse charge: VAT is to be accounted for by the recipient (Article 196 of Directive 2006/112/EC). " * 2
    page = text(a_document(a_line(), zero_tax_reason=reason[:200].strip()))
    assert f"Tax 0% {reason[:200].strip()} Payment" in page
    assert "Reverse charge" not in text(a_document(a_line(tax_rate="19"), zero_tax_reason=reason))


def test_no_rounding_and_no_sum_of_lines_are_shown_where_there_is_nothing_to_explain():
    page = text(a_document(a_line(tax_rate="19")))
    assert "Rounding" not in page
    assert "Sum of lines" not in page


def test_discounts_have_a_column_only_where_there_are_any():
    plain = text(a_document(a_line()))
    assert "Discount" not in plain
    assert "Tax ID" in plain
    assert "Quantity Unit price Tax Amount EUR" in plain
    assert " Tax Amount" not in text(a_document(a_line(), states_zero_tax=False))
    both = text(a_document(a_line(percent="12.5", tax_rate="7.5"), a_line(minor=250)))
    assert "Quantity Unit price Discount Tax Amount EUR" in both
    assert "12.5% 7.5% 87.50" in both
    assert "2.50 0% 97.50" in both


def test_what_was_paid_and_credited_leads_to_what_is_due():
    page = text(a_document(paid_minor=2_500, credited_minor=1_000, written_off_minor=500, due_minor=6_000))
    assert "Paid -25.00 Credited -10.00 Written off -5.00 Amount due €60.00" in page


@pytest.mark.parametrize(
    ("state", "facts", "mark"),
    [
        (InvoiceState.DRAFT, {"number": None}, "Draft"),
        (InvoiceState.CANCELLED, {"due_minor": 0}, "Cancelled"),
        (InvoiceState.PAID, {"paid_minor": 10_000, "due_minor": 0}, "Paid"),
        (InvoiceState.PAID, {"paid_minor": 10_000, "refunded_minor": 10_000, "due_minor": 0}, "Refunded"),
    ],
)
def test_an_invoice_that_is_not_to_be_paid_says_so(state, facts, mark):
    page = text(a_document(state=state, **facts))
    assert mark in page
    assert mark not in text(a_document())
    assert ("Payable by" in page) == (state is InvoiceState.DRAFT)


def test_a_draft_has_no_number():
    page = text(a_document(state=InvoiceState.DRAFT, number=None))
    assert "None" not in page
    assert "Please quote" not in page


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", "Rechnung INV-2026-007|02.03.2026|Gesamtbetrag 1.190,00 €|MwSt. 19 % auf 1.000,00|Seite 1 von 1"),
        ("fr", "Facture INV-2026-007|2 mars 2026|Total TTC 1 190,00 €|TVA 19 % sur 1 000,00|Page 1 sur 1"),
        ("es", "Factura INV-2026-007|2 mar 2026|Total 1.190,00 €|IVA 19 % sobre 1.000,00|Página 1 de 1"),
    ],
)
def test_it_is_written_in_the_customers_language(language, words):
    document = a_document(a_line(unit_price="1000", tax_rate="19"), language=language)
    page = text(document)
    for expected in words.split("|"):
        assert expected in page
    assert reader(invoice_pdf(document)).trailer["/Root"]["/Lang"] == language


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1,500"), ("KWD", "1,500.000"), ("USD", "1,500.00")])
def test_each_currency_has_its_own_digits(currency, amount):
    page = text(a_document(a_line(unit_price="1500"), currency=currency))
    assert f"Amount {currency}" in page
    assert f"Subtotal {amount} " in page


def test_a_table_over_pages_repeats_its_header_and_counts_pages():
    found = pages(a_document(*(a_line(f"Line number {place}", unit_price=str(place)) for place in range(1, 101))))
    assert len(found) >= 3
    for number, page in enumerate(found, 1):
        assert f"Page {number} of {len(found)}" in page
        assert ("Description Quantity Unit price Tax Amount EUR" in page) == ("Line number" in page)
    # Every line is there once, in order; the last page has the total: 1 + 2 + … + 100.
    assert re.findall(r"Line number (\d+)", " ".join(found)) == [str(place) for place in range(1, 101)]
    assert "Total €5,050.00" in found[-1]
    assert all("INV-2026-007 · Globex GmbH" in page for page in found[1:])


def test_a_table_that_begins_on_a_page_after_the_first_has_its_header_once():
    for lines in range(43, 53):
        address = "\n".join(f"Floor {line}" for line in range(lines))
        found = pages(a_document(customer=Recipient("Globex", address)))
        assert sum(page.count("Description Quantity") for page in found) == 1, lines


def test_totals_stay_on_one_page():
    for count in range(10, 34):
        found = pages(a_document(*(a_line(f"Line {place}", tax_rate="19") for place in range(count))))
        assert ["Subtotal" in page for page in found] == ["Amount due" in page for page in found]


def test_a_description_of_many_lines_goes_on_over_pages():
    words = [f"word{place}" for place in range(400)]
    found = pages(a_document(a_line("\n".join(words))))
    assert len(found) > 3
    assert re.findall(r"word\d+", " ".join(found)) == words


def test_thousands_of_lines_are_a_document_too():
    found = pages(a_document(*(a_line(f"Line {place}") for place in range(2_000))))
    assert "Total €200,000.00" in found[-1]


def test_the_largest_amounts_are_written_in_full_beside_a_legible_description():
    # 999999.123456² = 999,998,246,912.768 to three digits, less 100 million.
    line = a_line("Pick and pack of everything", "999999.123456", "999999.123456", "99.9999", minor=100_000_000_000)
    page = text(a_document(line, currency="KWD", language="es", discount_percent=Decimal("0.0001")))
    for expected in ("999.999,123456", "99,9999 %", "100.000.000,000", "999.898.246.912,768", "Pick and pack of"):
        assert expected in page
    assert "…" not in page


def test_many_tax_rates_and_long_bank_details_find_their_place():
    lines = [a_line(tax_rate=str(rate)) for rate in range(1, 91)]
    issuer = replace(ISSUER, bank_details="\n".join(f"Account {place}" for place in range(120)))
    page = text(a_document(*lines, issuer=issuer))
    assert len(re.findall(r"Tax \d+% on 100.00", page)) == 90
    assert len(re.findall(r"Account \d+", page)) == 120


HOSTILE = st.text(max_size=120) | st.sampled_from(
    ["W" * 2_000, "\n" * 500, "\x00\x07", "\u202e)(\\ {pages} **b** __u__ [x](y)", "a\u0301" * 300, "🎉👩\u200d🚀" * 90]
)


@settings(max_examples=40)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_no_text_breaks_the_document(name, address, description, notes):
    document = a_document(
        a_line(description, unit_price="12.34"),
        customer=Recipient(name[:200], address[:1_000], tax_id=name[:64]),
        issuer=Issuer(name[:200], address[:1_000], bank_details=notes[:1_000], footer=notes[:500]),
        notes=notes,
        reference=name[:120],
        payment_terms=address[:200],
    )
    assert "€12.34" in text(document)


def test_a_name_in_another_script_is_legible():
    for name in ("株式会社サンプル", "배송 주식회사", "Жуков и сыновья", "บริษัท ตัวอย่าง"):
        assert name in text(a_document(customer=Recipient(name, "東京都千代田区")))


def test_the_same_document_gives_the_same_bytes():
    document = a_document(a_line("Übergröße 株式会社 شركة 🎉"), payment_url="https://pay.example.com/1")
    assert invoice_pdf(document) == invoice_pdf(document)


def test_the_file_says_what_it_is():
    found = reader(invoice_pdf(a_document()))
    assert found.metadata.title == "Invoice INV-2026-007, Globex GmbH"
    assert found.metadata.author == "Acme Fulfilment Ltd"
    assert found.metadata.creation_date.date() == date(2026, 3, 2)


def links(document) -> set[str]:
    return {
        note.get_object()["/A"]["/URI"]
        for page in reader(invoice_pdf(document)).pages
        for note in page.get("/Annots", [])
    }


def test_a_link_to_pay_is_a_link_and_a_code():
    url = "https://pay.example.com/cs_1"
    document = a_document(payment_url=url, view_url="https://billing.example.com/i/x")
    assert links(document) == {url, "https://billing.example.com/i/x"}
    assert links(a_document()) == set()
    assert "Pay online" in text(document)
    assert "Pay online" not in text(a_document())
    # Once nothing is due, nobody is asked to pay.
    assert links(replace(document, due_minor=0, state=InvoiceState.PAID)) == {"https://billing.example.com/i/x"}


def test_the_code_stands_below_the_amount_due_while_there_is_room_and_starts_no_page_of_its_own():
    url = "https://pay.example.com/cs_1"
    for lines in range(3, 13, 3):
        plain = a_document(*(a_line(f"Row {row}") for row in range(lines)))
        with_code = replace(plain, payment_url=url)
        assert (lines, len(pages(with_code))) == (lines, len(pages(plain)))
        place = next(
            note.get_object()["/Rect"]
            for page in reader(invoice_pdf(with_code)).pages
            for note in page.get("/Annots", [])
            if note.get_object()["/A"]["/URI"] == url
        )
        assert place[0] > 297  # Points: the right half of a page 595 wide.


@pytest.mark.parametrize("lines", range(17, 20))
def test_bank_details_are_not_broken_across_pages(lines):
    document = a_document(*(a_line(f"Row {row}") for row in range(lines)))
    iban, bic = "IBAN GB00 ACME 0000 0000 01", "BIC ACMEGB2L"
    document = replace(document, issuer=replace(document.issuer, bank_details=f"Acme Bank\n{iban}\n{bic}"))
    assert [iban in page for page in pages(document)] == [bic in page for page in pages(document)]


def test_the_code_is_drawn_module_by_module():
    """The bars, put together again, are the three corner patterns and as many dark modules as segno made."""
    import segno

    url = "https://pay.example.com/cs_live_a1b2c3"
    bars, size = _qr_bars(url)
    drawn = [[0] * size for _ in range(size)]
    for row, start, length in bars:
        drawn[row][start : start + length] = [1] * length
    assert drawn == [list(row) for row in segno.make_qr(url, error="m").matrix]
    for corner in (drawn[0][:7], drawn[0][-7:], drawn[-1][:7]):
        assert corner == [1] * 7


def test_a_logo_is_drawn_once_within_its_place():
    document = a_document(issuer=replace(ISSUER, logo=a_logo()))
    (image,) = reader(invoice_pdf(document)).pages[0].images
    assert image.image.size == (480, 160)
    assert "Acme Fulfilment Ltd" in text(document)


def test_a_large_logo_is_brought_down_to_what_a_printer_shows():
    # 62 mm at 300 dots an inch are 732 dots.
    document = a_document(issuer=replace(ISSUER, logo=a_logo(3_000, 300)))
    (image,) = reader(invoice_pdf(document)).pages[0].images
    assert image.image.size == (732, 73)


def test_documents_made_at_the_same_time_do_not_mix():
    documents = [
        a_document(a_line(f"Line {place} {chr(0x4E00 + place)}"), payment_url=f"https://x/{place}")
        for place in range(12)
    ]
    alone = [invoice_pdf(document) for document in documents]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(invoice_pdf, documents)) == alone


@pytest.mark.parametrize("logo", [b"", b"not a picture", a_logo()[:60]])
def test_a_logo_that_cannot_be_read_leaves_its_place_to_the_name(logo):
    document = a_document(issuer=replace(ISSUER, logo=logo))
    assert not reader(invoice_pdf(document)).pages[0].images
    assert text(document) == text(a_document())
