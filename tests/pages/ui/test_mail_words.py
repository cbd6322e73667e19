"""What pages say of mails: what became of them, and never more."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from billing_core import runtime
from billing_core.identity import SYSTEM
from billing_core.outbox.models import MessageState
from billing_core.outbox.queries import Earlier
from billing_core.processes import pausing
from billing_core.processes.models import Queue
from billing_core.settings import settings
from pages.ui import mail_words

NINE, TEN, ELEVEN = (datetime(2026, 5, 4, hour, tzinfo=UTC) for hour in (9, 10, 11))


def test_every_state_has_a_word_of_its_own():
    words = {state: state.word for state in MessageState}
    assert words == {
        MessageState.HELD_BACK: "kept",
        MessageState.WAITING: "waiting",
        MessageState.DELIVERED: "sent",
        MessageState.FAILED: "failed",
        MessageState.RECALLED: "recalled",
        MessageState.BOUNCED: "bounced",
    }


@pytest.mark.parametrize(
    ("server", "paused", "one", "many"),
    [
        (
            None,
            False,
            "The invoice for ana@example.com is kept in the outbox: no mail server is set up, so nobody gets it",
            "The mails about 2 invoices are kept in the outbox: no mail server is set up, so nobody gets them.",
        ),
        (
            "smtp://mail.example",
            False,
            "The invoice is being sent to ana@example.com",
            "The mails about 2 invoices are being sent now.",
        ),
        (
            "smtp://mail.example",
            True,
            "The invoice for ana@example.com waits in the outbox: mails are paused",
            "The mails about 2 invoices wait in the outbox: mails are paused.",
        ),
    ],
)
def test_a_mail_is_kept_sent_or_waits_as_it_is(sessions, monkeypatch, server, paused, one, many):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr(settings(), "smtp_url", server and SecretStr(server))
    if paused:
        with sessions.begin() as session:
            pausing.pause(session, SYSTEM, Queue.MAILS, now=NINE)
    assert mail_words.put_in("The invoice", "ana@example.com") == one
    assert mail_words.many_put_in("2 invoices") == many


def test_only_a_mail_that_left_was_mailed_before():
    kept = Earlier(1, last_at=NINE, kept_at=NINE)
    assert "mailed before" not in mail_words.of_before(kept, "UTC")
    assert "is kept in the outbox, and nobody has got it" in mail_words.of_before(kept, "UTC")
    assert mail_words.of_before(Earlier(1), "UTC") == ""


def test_what_became_of_earlier_mails_is_told_in_their_order():
    told = mail_words.of_before(Earlier(3, True, ELEVEN, sent_at=TEN, waiting_at=ELEVEN, failed_at=NINE), "UTC")
    assert [told.index(word) for word in ("failed", "mailed before", "waits")] == sorted(
        told.index(word) for word in ("failed", "mailed before", "waits")
    )
