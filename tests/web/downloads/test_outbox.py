"""Mails of the outbox as files."""

from email import message_from_bytes
from email.policy import default

import pytest

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role
from billing_core.outbox import service
from billing_core.outbox.service import Message
from tests.invoices.company import a_customer, an_invoice
from tests.web.downloading import get, signed_in


@pytest.fixture
def mail(served):
    with served.begin() as session:
        customer = a_customer(session)
        invoice = an_invoice(session, customer).id
        content = {"text": "Guten Tag", "html": "<p>Guten Tag</p>", "attachments": [["invoice_pdf", invoice]]}
        message = Message(
            "mail", "invoice", "m:1", "ap@acme.example", "Rechnung für Sie", ("invoice", invoice), content, customer
        )
        return service.put(session, SYSTEM, message, now=utc_now()), customer


def test_a_mail_is_a_file_with_its_attachments(mail, served):
    answer = get(f"/downloads/outbox/{mail[0]}.eml", signed_in(served, Role.FINANCE))
    assert answer.headers["content-type"] == "message/rfc822"
    assert "Rechnung" in answer.headers["content-disposition"]
    read = message_from_bytes(answer.content, policy=default)
    assert (read["Subject"], read["To"]) == ("Rechnung für Sie", "ap@acme.example")
    (attached,) = read.iter_attachments()
    assert attached.get_filename() == "INV-2026-001.pdf"
    assert attached.get_content().startswith(b"%PDF-")


def test_only_who_may_read_the_outbox_gets_it(mail, served):
    path = f"/downloads/outbox/{mail[0]}.eml"
    assert get(path, {}).status_code == 401
    assert get(path, signed_in(served, Role.MANAGER, customer_id=mail[1])).status_code == 403


@pytest.mark.parametrize(
    ("name", "status"), [("999.eml", 404), ("x.eml", 404), ("1.exe", 400), ("9" * 30 + ".eml", 404)]
)
def test_what_is_no_mail_is_refused(mail, served, name, status):
    assert get(f"/downloads/outbox/{name}", signed_in(served, Role.ADMIN)).status_code == status
