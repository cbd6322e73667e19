"""Invoices on their way to the customer: through the job, a real mail server, and processes that die."""

import os
import threading
from collections import Counter

import pytest
from sqlalchemy import select

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.invoices.queries import events
from billing_core.jobs import engine, outbox_delivery
from billing_core.jobs.periodic import Periodic
from billing_core.mailing import dispatch, service
from billing_core.outbox import delivery
from billing_core.outbox import service as outbox
from billing_core.outbox.delivery import LEASE
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.settings import settings
from tests.forked import carried_out
from tests.invoices.company import GRACE, TODAY, a_customer, a_draft
from tests.outbox.post_office import MailServer, PostOffice, free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
def configured(sessions, monkeypatch):
    """Says which mail server the process has."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setenv("BILLING_MAIL_FROM", "billing@ours.example")

    def configure(url: str) -> None:
        monkeypatch.setenv("BILLING_SMTP_URL", url)
        settings.cache_clear()

    configure("")
    yield configure
    monkeypatch.undo()
    settings.cache_clear()


def send_invoices(sessions, number=1) -> list[int]:
    """The ids of their messages."""
    with sessions.begin() as session:
        customer = a_customer(session)
        drafts = [a_draft(session, customer, customer_email=f"ap{n}@acme.example").id for n in range(number)]
        now = utc_now()
        return [service.send_invoice(session, GRACE, draft, now=now, today=TODAY) for draft in drafts]


def states(sessions) -> Counter:
    with sessions() as session:
        return Counter(session.scalars(select(OutboxMessage.state)))


def errors(sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(OutboxMessage.last_error)))


def test_an_invoice_arrives_with_its_pdf_and_its_timeline_says_so(sessions, configured, office):
    with MailServer(office) as url:
        configured(url)
        engine.start()
        try:
            send_invoices(sessions)
            outbox_delivery.nudge()
            (mail,) = office.wait_for(1)
        finally:
            engine.stop()
    assert mail["Subject"] == "Invoice INV-2026-001 from My business"
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "INV-2026-001.pdf"
    assert attached.get_content().startswith(b"%PDF-")
    assert states(sessions) == {MessageState.DELIVERED: 1}
    with sessions() as session:
        last = events(session, 1)[0]
    assert (last.kind.value, last.actor_name, last.data["to"]) == ("mailed", "Grace Hopper", "ap0@acme.example")


def test_a_nudge_is_answered_at_once():
    first, second = threading.Event(), threading.Event()

    def work(_ending):
        (second if first.is_set() else first).set()

    job = Periodic("test", work, every_seconds=3600)
    job.start()
    assert first.wait(timeout=300)
    job.nudge()
    assert second.wait(timeout=300)
    job.stop(timeout_seconds=300)


@pytest.mark.parametrize(("dying", "times"), [("before", 1), ("after", 2)])
def test_a_killed_process_loses_no_mail_and_repeats_only_what_it_could_not_mark(
    sessions, configured, office, database_url, dying, times
):
    configured("smtp://mail.example")
    message_ids = send_invoices(sessions, 4)
    with MailServer(office) as url:
        environment = {**os.environ, "BILLING_DATABASE_URL": database_url, "BILLING_SMTP_URL": url, "DYING": dying}
        assert carried_out("tests/jobs/dying_postman.py", environment=environment) == -9
        assert states(sessions) == {MessageState.DELIVERED: 1, MessageState.WAITING: 3}
        assert len(office.mails) == times

        configured(url)
        adapters = dispatch.adapters(sessions, settings())
        for now in (utc_now(), utc_now() + LEASE):
            delivery.deliver_due(sessions, adapters, now_of=lambda now=now: now)

    assert states(sessions) == {MessageState.DELIVERED: len(message_ids)}
    arrived = Counter(office.recipients)
    assert arrived == {f"ap{n}@acme.example": times if n == 1 else 1 for n in range(4)}
    assert len({mail["Message-ID"] for mail in office.mails}) == len(message_ids)


def test_without_a_mail_server_any_more_mails_are_held_back_and_can_be_looked_at(sessions, configured):
    configured("smtp://mail.example")
    (message_id,) = send_invoices(sessions)
    configured("")
    assert outbox_delivery.deliver_some() == 1
    assert states(sessions) == {MessageState.HELD_BACK: 1}
    with sessions() as session:
        name, content = dispatch.eml(session, GRACE, message_id, settings())
    assert name == "Invoice-INV-2026-001-from-My-business.eml"
    assert b"To: ap0@acme.example" in content
    assert b"application/pdf" in content


def test_a_server_that_is_down_and_a_refused_address_are_told_apart(sessions, configured, office):
    configured(f"smtp://127.0.0.1:{free_port()}")
    send_invoices(sessions)
    outbox_delivery.deliver_some()
    assert states(sessions) == {MessageState.WAITING: 1}
    assert "cannot be reached" in errors(sessions)[0]

    office.refused = {"ap0@acme.example": "550 No such user"}
    with MailServer(office) as url:
        configured(url)
        try_again(sessions)
        assert states(sessions) == {MessageState.FAILED: 1}
        assert errors(sessions) == ["The mail server does not take mail for ap0@acme.example: 550 No such user"]
        office.refused = {}
        try_again(sessions)
    assert states(sessions) == {MessageState.DELIVERED: 1}


def try_again(sessions) -> None:
    with sessions.begin() as session:
        outbox.retry(session, GRACE, list(session.scalars(select(OutboxMessage.id))), now=utc_now())
    outbox_delivery.deliver_some()
