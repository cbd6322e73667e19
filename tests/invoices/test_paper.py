"""A4 or US Letter: each business's own, and that of a sent document for good."""

from dataclasses import replace

import pytest

from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes, service
from billing_core.invoices.documents.document import Recipient, of_credit_note, of_invoice
from billing_core.invoices.documents.pdf import invoice_pdf
from billing_core.invoices.documents.pdf_credit_note import credit_note_pdf
from billing_core.invoices.issuers import frozen
from billing_core.pdf_layout.paper_size import PaperSize, usual_in
from billing_core.receivables.pdf import statement_pdf
from billing_core.receivables.statement import StatementRequest
from tests.invoices.company import NOW, TODAY, a_customer, a_draft, an_invoice
from tests.invoices.documents import ISSUER, a_document, a_line, reader

A4, LETTER = (210.0, 297.0), (215.9, 279.4)


def paper(pdf: bytes) -> tuple[float, float]:
    """Width and height of its pages in millimetres; they are all alike."""
    (size,) = {tuple(round(float(side) * 25.4 / 72, 1) for side in page.mediabox[2:]) for page in reader(pdf).pages}
    return size


def choose(session, **facts) -> None:
    business = default_business(session)
    wanted = replace(businesses.details(business), **facts)
    businesses.change(session, SYSTEM, wanted=wanted, drawn_from=business.version, now=NOW)


def of(session, invoice) -> bytes:
    return invoice_pdf(of_invoice(session, invoice.id))


@pytest.mark.parametrize(
    ("time_zone", "usual"),
    [
        *((zone, PaperSize.LETTER) for zone in ("America/New_York", "US/Eastern", "America/Toronto", "Asia/Manila")),
        *((zone, PaperSize.LETTER) for zone in ("America/Mexico_City", "America/Bogota", "America/Santiago")),
        *((zone, PaperSize.A4) for zone in ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Nowhere/At")),
    ],
)
def test_paper_is_what_is_usual_in_the_country_of_the_time_zone(time_zone, usual):
    assert usual_in(time_zone) is usual


def test_documents_of_a_business_are_on_its_paper_and_keep_it_once_they_are_sent(session):
    customer_id = a_customer(session)
    before = an_invoice(session, customer_id)
    draft = a_draft(session, customer_id)
    choose(session, time_zone="America/Chicago")
    american = an_invoice(session, customer_id)
    credited = {"issued_on": TODAY, "today": TODAY, "now": NOW, "reason": "Damaged", "amount_minor": 1_000}
    account = StatementRequest(customer_id, "USD", Period(TODAY, TODAY))
    assert [paper(of(session, one)) for one in (before, draft, american)] == [A4, LETTER, LETTER]
    assert paper(statement_pdf(session, SYSTEM, account)) == LETTER
    sent = of(session, american)

    choose(session, paper="a4")
    service.send(session, SYSTEM, draft.id, now=NOW)
    assert of(session, american) == sent
    assert paper(of(session, draft)) == A4
    assert paper(statement_pdf(session, SYSTEM, account)) == A4
    notes = [credit_notes.issue(session, SYSTEM, one.id, **credited) for one in (before, american)]
    assert [paper(credit_note_pdf(of_credit_note(session, note.id))) for note in notes] == [A4, LETTER]


def test_what_was_sent_before_there_was_a_choice_is_a4():
    assert paper(invoice_pdf(a_document(issuer=frozen({"name": "Old Ltd"})))) == A4


def test_other_paper_is_refused(session):
    with pytest.raises(Invalid) as refused:
        choose(session, paper="legal")
    assert set(refused.value.fields) == {"paper"}


def test_an_address_on_letter_shows_in_the_window_of_a_10_envelope_however_the_sheet_lies():
    """The envelope is 104.8 mm high and 241.3 wide; its window is 28.6 by 114.3, 12.7 from the lower edge and 22.2 from
    the left one. A third of the sheet, 93.1 mm, can move by 11.7, and its width of 215.9 by 25.4.
    """
    top, bottom = 104.8 - 12.7 - 28.6, 104.8 - 12.7 - 11.7
    left, right = 22.2, 22.2 + 114.3 - 25.4
    address = "1600 Pennsylvania Avenue NW\nSuite 400\nWashington, DC 20500"
    issuer = replace(ISSUER, paper=PaperSize.LETTER)
    page = reader(invoice_pdf(a_document(issuer=issuer, customer=Recipient("Globex", address)))).pages[0]
    places: dict[str, tuple[float, float]] = {}

    def note(said, _matrix, at, *_):
        places[said.strip()] = (at[4] * 25.4 / 72, (792 - at[5]) * 25.4 / 72)

    page.extract_text(visitor_text=note)
    for line in ("Globex", *address.split("\n")):
        assert left <= places[line][0] < right
        # Of a baseline: letters of 8.5 points reach up to 2.3 mm above it.
        assert top + 2.3 <= places[line][1] <= bottom, line


def test_a_long_invoice_on_letter_has_its_foot_and_number_on_every_page():
    lines = [a_line(f"Line {place}", "1240", "1.85", "19") for place in range(90)]
    pages = reader(invoice_pdf(a_document(*lines, issuer=replace(ISSUER, paper=PaperSize.LETTER)))).pages
    texts = [page.extract_text() for page in pages]
    assert [f"Page {place} of {len(pages)}" in text for place, text in enumerate(texts, 1)] == [True] * len(pages)
    assert all("Registered in England 01234567" in text for text in texts)
    # By hand: 90 lines of 2,294.00, and 19 % tax.
    assert "245,687.40" in texts[-1]
