"""``worker``: the jobs without the dashboard."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from billing_core import logs, runtime
from billing_core.__main__ import main
from billing_core.commands import worker
from billing_core.dates import utc_now
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.mailing import service
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.payments.models import Payment
from billing_core.settings import settings
from tests.invoices.company import GRACE, TODAY, a_customer, a_draft
from tests.online_payments.linked import linked, paying
from tests.online_payments.stripe.events import store
from tests.outbox.post_office import MailServer, PostOffice

pytestmark = [pytest.mark.slow, pytest.mark.sql]

MAILS = 6
READY = "A worker runs"
# What a trial left behind is no sign of another key.
FITTING = [(None, "sandbox", False), ("sk_test_0", "sandbox", False), ("sk_live_0", "test", False)]


def started(database_url: str, folder, smtp_url: str, *, log: int = subprocess.PIPE) -> subprocess.Popen:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BILLING_", "STRIPE_"))}
    ours = {"BILLING_DATABASE_URL": database_url, "BILLING_DATA_DIR": str(folder), "BILLING_SMTP_URL": smtp_url}
    ours |= {"BILLING_MAIL_FROM": "billing@ours.example", "BILLING_SECRET_KEY": "s" * 32}
    command = [sys.executable, "-m", "billing_core", "--json", "worker"]
    return subprocess.Popen(command, env=kept | ours, stdout=subprocess.PIPE, stderr=log, text=True)


@pytest.mark.usefixtures("mail_server")
def test_workers_do_everything_once_and_end_when_they_are_told_to(sessions, database_url, tmp_path):
    """Mails and an event of the gateway wait; nobody serves a page."""
    beside_each_other = 2 if sessions.engine.dialect.name == "postgresql" else 1
    with sessions.begin() as session:
        customer = a_customer(session)
        for number in range(MAILS):
            draft = a_draft(session, customer, customer_email=f"ap{number}@acme.example").id
            service.send_invoice(session, GRACE, draft, now=utc_now(), today=TODAY)
        invoice, link = linked(session, ref="B")
        link.mode = Mode.SANDBOX
        store(session, paying(link, invoice).succeeded(), now=utc_now())
        invoice_id = invoice.id
    office = PostOffice()
    with MailServer(office) as url:
        reading, writing = os.pipe()
        running = [started(database_url, tmp_path, url, log=writing) for _ in range(beside_each_other)]
        os.close(writing)
        with open(reading) as log:
            try:
                # Each says that it runs, and what it has done once it is committed. A signal before that would end one
                # that has not begun to listen for it; the log ends where all of them have died.
                lines = []
                for line in log:
                    lines.append(line)
                    if "".join(lines).count(READY) == beside_each_other and worked_off(sessions, invoice_id):
                        break
            finally:
                for process in running:
                    process.send_signal(signal.SIGTERM)
                answers = [process.communicate(timeout=300)[0] for process in running]
            everything = "".join((*lines, log.read()))
    assert [process.returncode for process in running] == [0] * beside_each_other, everything
    # The log leaves stdout to the one document that --json promises.
    assert [json.loads(answer) for answer in answers] == [{"ended": True}] * beside_each_other
    assert (everything.count(READY), "rror" in everything) == (beside_each_other, False), everything
    assert Counter(office.recipients) == {f"ap{number}@acme.example": 1 for number in range(MAILS)}
    with sessions() as session:
        assert len(session.scalars(select(Payment)).all()) == 1


def worked_off(sessions, invoice_id: int) -> bool:
    with sessions() as session:
        states = set(session.scalars(select(OutboxMessage.state).where(OutboxMessage.channel == "mail")))
        paid = session.get_one(Invoice, invoice_id).state == InvoiceState.PAID
    return paid and states == {MessageState.DELIVERED}


@pytest.fixture
def without_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_worker_makes_no_secret_of_its_own(sessions, without_secret, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    assert main(["worker"]) == 1
    assert "set BILLING_SECRET_KEY as the product has it" in capsys.readouterr().err
    assert not (without_secret / "secret_key").exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("key", "newest", "refused"), [(None, "live", True), ("sk_test_0", "live", True), *FITTING])
def test_a_worker_that_would_collect_in_another_mode_than_the_product_is_refused(
    sessions, monkeypatch, capsys, key, newest, refused
):
    """It would set aside what tells of the product's payments."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr(settings(), "stripe_secret_key", SecretStr(key) if key else None)
    monkeypatch.setattr(worker, "_until_told_to_end", ended)
    monkeypatch.setattr(logs, "configure", lambda: None)
    with sessions.begin() as session:
        linked(session, ref="A")[1].mode = Mode.SANDBOX
        linked(session, ref="B")[1].mode = Mode(newest)
    assert main(["worker"]) == int(refused)
    assert ("set STRIPE_SECRET_KEY" in capsys.readouterr().err) is refused


async def ended() -> None:
    """At once."""


@pytest.mark.parametrize("empty_database", ["sqlite"], indirect=True)
def test_a_worker_leaves_migrating_to_others(empty_database, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "sessions", lambda: empty_database)
    assert main(["worker"]) == 1
    assert "run “python -m billing_core migrate” first" in capsys.readouterr().err
