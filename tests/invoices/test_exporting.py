"""Documents as files: their names, and several as one archive."""

import io
import zipfile

import pytest

from billing_core.businesses.models import Business
from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.identity import Role, actor_with
from billing_core.invoices import credit_notes
from billing_core.invoices.documents import exporting
from billing_core.invoices.queries import InvoiceFilter
from tests.invoices.company import GRACE, LATER, READER, TODAY, a_customer, a_draft, an_invoice
from tests.invoices.documents import reader

ADDRESS = "https://billing.example.com"


def names(download) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(b"".join(download.chunks))).namelist()


def test_one_document_is_named_for_its_number(session):
    sent = an_invoice(session, a_customer(session))
    sent_pdf = exporting.invoice(session, READER, sent.public_id, address=ADDRESS)
    assert sent_pdf.file_name == "INV-2026-001.pdf"
    (page,) = reader(b"".join(sent_pdf.chunks)).pages
    assert "INV-2026-001" in page.extract_text()
    draft = a_draft(session, sent.customer_id)
    assert exporting.invoice(session, READER, draft.id).file_name == f"draft-{draft.id}.pdf"
    draft.number = "A/7 b"
    session.flush()
    assert exporting.invoice(session, READER, draft.id).file_name == "A-7-b.pdf"
    note = credit_notes.issue(session, GRACE, sent.id, reason="Returned", issued_on=TODAY, today=TODAY, now=LATER)
    assert exporting.credit_note(session, READER, note.id).file_name == "CN-2026-001.pdf"


def test_an_archive_has_each_chosen_invoice_once_in_that_order(session):
    acme = a_customer(session)
    first = an_invoice(session, acme)
    draft = a_draft(session, acme, customer_name="/ Kuma & Söhne / ")
    long = an_invoice(session, acme, customer_name="x" * 61)
    assert names(exporting.archive(session, GRACE, [draft.id, long.id, first.id, draft.id])) == [
        f"draft-{draft.id}_Kuma-Söhne.pdf",
        f"INV-2026-002_{'x' * 60}.pdf",
        "INV-2026-001_Acme-Corp.pdf",
    ]


def test_two_of_one_name_are_told_apart(session):
    acme = a_customer(session)
    second = Business(name="Second", currency="USD", time_zone="UTC")
    session.add(second)
    session.flush()
    one, other = an_invoice(session, acme), an_invoice(session, acme, business_id=second.id)
    assert names(exporting.archive(session, GRACE, [one.id, other.id])) == [
        "INV-2026-001_Acme-Corp.pdf",
        f"INV-2026-001_Acme-Corp_{other.id}.pdf",
    ]


def test_all_that_match_are_in_it_and_no_more_than_fit(session, monkeypatch):
    acme = a_customer(session)
    drafts = [a_draft(session, acme).id for _ in range(3)]
    by_id = InvoiceFilter(order_by="id")
    assert exporting.MOST_IN_ONE_ZIP == 500
    monkeypatch.setattr(exporting, "MOST_IN_ONE_ZIP", 3)
    archive = exporting.archive_of_all(session, GRACE, by_id, today=TODAY)
    assert names(archive) == [f"draft-{draft}_Acme-Corp.pdf" for draft in drafts]
    a_draft(session, acme)
    with pytest.raises(Invalid, match="between 1 and 3"):
        exporting.archive_of_all(session, GRACE, by_id, today=TODAY)
    with pytest.raises(Invalid, match="between 1 and 3"):
        exporting.archive(session, GRACE, [])


def test_who_may_export_what_they_see(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    mine, theirs = an_invoice(session, acme).id, an_invoice(session, other).id
    bound = actor_with(Role.MANAGER, user_id=None, name="Bo", customer_id=acme)
    assert len(names(exporting.archive(session, bound, [mine]))) == 1
    with pytest.raises(NotFound, match=f"no invoice {theirs}"):
        exporting.archive(session, bound, [mine, theirs])
    with pytest.raises(Forbidden):
        exporting.archive(session, READER, [mine])
    with pytest.raises(Forbidden):
        exporting.archive_of_all(session, READER, InvoiceFilter(), today=TODAY)
