"""The customer's page of an invoice: what it says, who gets it, and what a visit leaves behind."""

import io
import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest
from pypdf import PdfReader

from billing_core.businesses import logo
from billing_core.businesses.queries import default_business
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, queries, visits
from billing_core.invoices.documents import document
from billing_core.invoices.models import Invoice
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.web import throttle
from billing_core.web.public.invoice_sheet import sheet, spoken
from tests.invoices.company import LATER, TODAY, a_customer, a_draft, a_line, an_invoice, kinds

CHROME = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36", "Accept": "text/html"}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
def customer(product, sessions):
    with sessions.begin() as session:
        return a_customer(session)


@pytest.fixture
def sent(sessions, customer):
    """An invoice of 238.00 USD that is due in the far future; (id, token)."""
    with sessions.begin() as session:
        line = a_line("Consulting <script>alert(1)</script>")
        invoice = an_invoice(session, customer, line, customer_name="Acme & Söhne", due_on=date(2099, 4, 1))
        return invoice.id, invoice.token


def timeline(sessions, invoice_id):
    with sessions() as session:
        return kinds(session, invoice_id)


def shown(session, invoice_id, today=TODAY, **facts):
    said = replace(document.of_invoice(session, invoice_id), **facts)
    return sheet(queries.one(session, SYSTEM, invoice_id), said, today=today, paid_on=TODAY)


class Directions(HTMLParser):
    """Each text of a page, and whether what it stands in takes its direction from it."""

    def __init__(self) -> None:
        super().__init__()
        self.around: list[bool] = []
        self.found: list[tuple[str, bool]] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "link", "img", "br", "input"):
            self.around.append(tag == "bdi" or ("dir", "auto") in attrs)

    def handle_endtag(self, tag):
        self.around.pop()

    def handle_data(self, data):
        self.found += [(line, self.around[-1]) for line in data.splitlines() if line.strip()]


def test_every_text_that_somebody_has_typed_runs_in_its_own_direction(sessions, customer, visitor):
    """Hebrew in what an invoice says of us, of the customer, and of itself, on a page that is read from the left."""
    ours = (
        "name",
        "address",
        "tax_id",
        "bank_details",
        "invoice_footer",
        "register_number",
        "phone",
        "zero_tax_reason",
    )
    theirs = (
        *("customer_name", "customer_address", "customer_tax_id"),
        *("reference", "notes", "payment_terms", "zero_tax_reason"),
    )
    said = {name: f"\u05d0\u05d1 {name}" for name in (*ours, *theirs)}
    with sessions.begin() as session:
        business = default_business(session)
        for name in ours:
            setattr(business, name, said[name])
        facts = {name: said[name] for name in theirs}
        line = a_line("\u05d0\u05d1 line", "1", "100", "0")
        token = an_invoice(session, customer, line, due_on=date(2099, 4, 1), **facts).token
    page = Directions()
    page.feed(visitor.get(f"/i/{token}", headers=CHROME).text)
    hebrew = {text.strip(): own for text, own in page.found if text.strip().startswith("\u05d0")}
    assert {*said.values(), "\u05d0\u05d1 line"} <= set(hebrew)
    assert [text for text, own in hebrew.items() if not own] == []


def test_whoever_has_the_link_sees_the_invoice_without_signing_in(sent, visitor):
    answer = visitor.get(f"/i/{sent[1]}", headers=CHROME)
    assert answer.status_code == 200
    text = re.sub(r"\s+", " ", answer.text)
    for said in ("Invoice INV-2026-001", "Acme &amp; Söhne", "$238.00", "Tax 19% on 200.00", "38.00", "Apr 1, 2099"):
        assert said in text
    assert "<script>" not in text
    assert "Pay online" not in text


def test_the_page_states_tax_of_0_percent_and_why(sessions, customer, visitor):
    with sessions.begin() as session:
        line, reason = a_line(tax_rate="0"), "Reverse charge <Article 196>"
        token = an_invoice(session, customer, line, zero_tax_reason=reason).token
    text = re.sub(r"\s+", " ", visitor.get(f"/i/{token}", headers=CHROME).text)
    assert "<dt>Tax 0% on 200.00</dt><dd>0.00</dd>" in text
    assert "Tax 0%</h2>" in text
    assert "Reverse charge &lt;Article 196&gt;" in text


def test_nobody_else_learns_of_it(sent, visitor):
    headers = visitor.get(f"/i/{sent[1]}", headers=CHROME).headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "noindex" in headers["x-robots-tag"]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "script-src" not in headers["content-security-policy"]
    assert "set-cookie" not in headers


def test_the_first_visit_marks_it_as_viewed_and_the_second_does_not(sent, visitor, sessions):
    visitor.get(f"/i/{sent[1]}", headers=CHROME)
    visitor.get(f"/i/{sent[1]}", headers=CHROME)
    assert timeline(sessions, sent[0]).count("viewed") == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"User-Agent": "Slackbot-LinkExpanding 1.0"},
        {"User-Agent": "Mozilla/5.0 (compatible; Barracuda Sentinel)"},
        {"User-Agent": "curl/8.5.0"},
        {"User-Agent": ""},
    ],
)
def test_a_program_that_looks_at_the_link_is_not_the_customer(sent, visitor, sessions, headers):
    assert visitor.get(f"/i/{sent[1]}", headers={**CHROME, **headers}).status_code == 200
    assert visitor.get(f"/i/{sent[1]}/pdf", headers={**CHROME, **headers}).status_code == 200
    assert not {"viewed", "downloaded"} & set(timeline(sessions, sent[0]))


def test_a_request_for_the_headers_alone_is_no_visit(sent, visitor, sessions):
    answer = visitor.head(f"/i/{sent[1]}", headers=CHROME)
    assert (answer.status_code, answer.content) == (200, b"")
    assert "viewed" not in timeline(sessions, sent[0])


def test_a_preview_by_one_of_us_is_not_the_customers_visit(sent, signed_in, sessions):
    colleague = signed_in("finance")
    assert colleague.get(f"/i/{sent[1]}", headers=CHROME).status_code == 200
    assert colleague.get(f"/i/{sent[1]}/pdf", headers=CHROME).status_code == 200
    assert not {"viewed", "downloaded"} & set(timeline(sessions, sent[0]))


def test_the_pdf_is_the_document_that_was_mailed(sent, visitor, sessions):
    answer = visitor.get(f"/i/{sent[1]}/pdf", headers=CHROME)
    assert answer.headers["content-disposition"] == 'attachment; filename="INV-2026-001.pdf"'
    assert "noindex" in answer.headers["x-robots-tag"]
    assert "INV-2026-001" in PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    visitor.get(f"/i/{sent[1]}/pdf", headers=CHROME)
    assert timeline(sessions, sent[0])[-2:] == ["viewed", "downloaded"]


def test_a_download_of_another_visit_is_noted_again(sent, sessions):
    noted = []
    for minutes in (0, 29, 31, 60):
        with sessions.begin() as session:
            noted.append(visits.mark_downloaded(session, sent[1], now=LATER + timedelta(minutes=minutes)))
    # 60 is 29 minutes after the one that was noted at 31.
    assert noted == [True, False, True, False]


def test_unknown_links_drafts_and_cut_off_links_look_the_same(sent, visitor, sessions, customer):
    with sessions.begin() as session:
        draft = a_draft(session, customer).token
    paths = [
        f"/i/{draft}",
        "/i/nobody-knows-this",
        f"/i/{sent[1][:-1]}",
        "/i/",
        "/i/a/b/c",
        "/i/%00",
        f"/i/{draft}/pdf",
    ]
    answers = [visitor.get(path, headers=CHROME) for path in [*paths, f"/i/{draft}/logo", f"/i/{sent[1]}/logo"]]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert "There is no invoice at this address" in answers[0].text


def test_what_cannot_be_found_is_said_in_the_browsers_language(product, visitor):
    answer = visitor.get("/i/x", headers={**CHROME, "Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})
    assert 'lang="de"' in answer.text
    assert "keine Rechnung" in answer.text
    assert [spoken(text) for text in ("", "ja,fr-CA;q=0.8", "*", ";;,,", "es")] == ["en", "fr", "en", "en", "es"]


def test_a_further_catalogue_is_a_further_language_of_the_page(dutch, sent, visitor, sessions):
    with sessions.begin() as session:
        session.execute(Invoice.__table__.update().values(language="nl"))
    text = visitor.get(f"/i/{sent[1]}", headers=CHROME).text
    assert '<html lang="nl">' in text
    for written in ("Factuur INV-2026-001", "Openstaand", "Te betalen", "PDF downloaden", "1 apr 2099"):
        assert written in text
    nothing = visitor.get("/i/x", headers={**CHROME, "Accept-Language": "nl-BE,fr;q=0.5"}).text
    assert "Op dit adres is geen factuur" in nothing


def test_too_many_requests_from_one_address_have_to_wait(sent, visitor):
    for _ in range(throttle.PUBLIC_PER_ADDRESS.amount):
        assert throttle.public_wait_seconds("testclient") == 0
    answer = visitor.get(f"/i/{sent[1]}", headers=CHROME)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert "Too many requests" in answer.text
    assert visitor.get(f"/i/{sent[1]}/pdf", headers=CHROME).status_code == 429


def test_a_cancelled_invoice_says_so_and_asks_for_nothing(sent, visitor, sessions):
    with sessions.begin() as session:
        after_sending.cancel(session, SYSTEM, sent[0], now=LATER, today=TODAY)
    text = visitor.get(f"/i/{sent[1]}", headers=CHROME).text
    assert "This invoice was cancelled." in text
    assert "Amount due" not in text


def test_the_page_speaks_the_customers_language(sessions, customer, product):
    with sessions.begin() as session:
        found = an_invoice(session, customer, language="de")
        german = shown(session, found.id)
        assert (german.title, german.badge, german.language) == ("Rechnung INV-2026-001", "Offen", "de")
        assert german.amount_due == "238,00\N{NO-BREAK SPACE}$"
        # 30 days after 2 March.
        assert german.sentence == "Zahlbar bis 01.04.2026"


def test_the_page_offers_early_payment_until_its_last_day(sessions, customer):
    with sessions.begin() as session:
        invoice_id = an_invoice(session, customer, payment_terms="2% 10 days, net 30").id
        # By hand: 2 % of 238.00 is 4.76.
        offer = "If paid by Mar 12, 2026: $233.24 (2% discount, $4.76)"
        assert offer in shown(session, invoice_id, today=date(2026, 3, 12)).terms
        assert offer not in shown(session, invoice_id, today=date(2026, 3, 13)).terms


def test_an_invoice_that_is_late_says_since_when(sessions, customer, product):
    with sessions.begin() as session:
        late = shown(session, an_invoice(session, customer).id, today=date(2026, 4, 2))
        assert (late.badge, late.tone, late.sentence) == (
            "Overdue",
            "risk",
            "This invoice was payable by Apr 1, 2026.",
        )


def test_a_paid_invoice_thanks_and_a_part_payment_lowers_what_is_due(sessions, customer, product):
    with sessions.begin() as session:
        invoice = an_invoice(session, customer).id
        part = Received("USD", 10000, PaymentMethod.CASH, TODAY)
        received.record_for(session, SYSTEM, invoice, received=part, today=TODAY, now=LATER)
        open_still = shown(session, invoice, payment_url="https://pay.example/1")
        assert (open_still.amount_due, open_still.payment_url) == ("$138.00", "https://pay.example/1")
        rest = Received("USD", 13800, PaymentMethod.CASH, TODAY)
        received.record_for(session, SYSTEM, invoice, received=rest, today=TODAY, now=LATER)
        paid = shown(session, invoice, payment_url="https://pay.example/1")
        assert (paid.amount_due, paid.payment_url, paid.tone) == ("", None, "good")
        assert paid.sentence == "This invoice was paid on Mar 2, 2026. Thank you."


def test_the_logo_comes_with_the_link(sent, visitor, sessions):
    with sessions.begin() as session:
        logo.change(session, SYSTEM, default_business(session).id, content=PNG, now=utc_now())
    assert f'src="/i/{sent[1]}/logo"' in visitor.get(f"/i/{sent[1]}", headers=CHROME).text
    answer = visitor.get(f"/i/{sent[1]}/logo", headers=CHROME)
    assert (answer.headers["content-type"], answer.content) == ("image/png", PNG)


def test_a_name_turns_around_nothing_of_the_page_but_itself(sessions, customer, visitor):
    with sessions.begin() as session:
        token = an_invoice(session, customer, customer_name="Acme \u202e").token
    assert "Acme \u202e\u202c</strong>" in visitor.get(f"/i/{token}", headers=CHROME).text
