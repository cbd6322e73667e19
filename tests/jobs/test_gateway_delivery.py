"""What gateways are told leaves beside the mails: whichever is slow keeps nobody else waiting."""

import threading

import pytest
from sqlalchemy import select

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import GATEWAY
from billing_core.jobs import gateway_delivery, nudges, outbox_delivery
from billing_core.jobs.periodic import Periodic
from billing_core.mailing import dispatch
from billing_core.mailing.mails import MAIL
from billing_core.online_payments import delivery as online_payments
from billing_core.outbox import service as outbox
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.outbox.service import Message
from billing_core.outgoing_webhooks.publishing import WEBHOOK
from billing_core.processes.models import Queue

WAITING, DELIVERED = MessageState.WAITING, MessageState.DELIVERED


@pytest.fixture
def database_url(sqlite_url) -> str:
    """What takes messages is proved on both databases elsewhere."""
    return sqlite_url


@pytest.fixture
def put(sessions, monkeypatch):
    """Puts a message into each of these channels, the first one first."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)

    def put(*channels: str) -> None:
        with sessions.begin() as session:
            for channel in channels:
                message = Message(
                    channel=channel,
                    topic="test",
                    key=channel,
                    recipient="sandbox",
                    title=channel,
                    subject=("test", 1),
                    content={},
                )
                outbox.put(session, SYSTEM, message, now=utc_now())

    return put


def states(sessions) -> dict[str, MessageState]:
    with sessions() as session:
        return dict(session.execute(select(OutboxMessage.channel, OutboxMessage.state)).all())


def test_a_gateway_that_takes_its_time_delays_no_mail(sessions, put, monkeypatch):
    asked, answer = threading.Event(), threading.Event()

    def slow(_message) -> None:
        asked.set()
        assert answer.wait(timeout=300)

    monkeypatch.setattr(online_payments, "adapters", lambda *_: {GATEWAY: slow})
    monkeypatch.setattr(dispatch, "adapters", lambda *_: {MAIL: lambda _message: None})
    put(GATEWAY, MAIL)
    job = Periodic("test", gateway_delivery.deliver_waiting, every_seconds=3600)
    job.start()
    try:
        assert asked.wait(timeout=300)
        assert outbox_delivery.deliver_some() == 1
        assert states(sessions) == {GATEWAY: WAITING, MAIL: DELIVERED}
    finally:
        answer.set()
        job.stop(timeout_seconds=300)
    assert states(sessions) == {GATEWAY: DELIVERED, MAIL: DELIVERED}


def test_each_lane_leaves_the_others_messages_alone(sessions, put, monkeypatch):
    monkeypatch.setattr(online_payments, "adapters", lambda *_: {GATEWAY: lambda _message: None})
    put(GATEWAY, WEBHOOK)
    # Without a mail server everything in the queue of mails would be held back.
    assert outbox_delivery.deliver_some() == 0
    assert states(sessions) == {GATEWAY: WAITING, WEBHOOK: WAITING}
    assert gateway_delivery.deliver_waiting() == 1
    assert states(sessions) == {GATEWAY: DELIVERED, WEBHOOK: WAITING}


def test_who_commits_wakes_everybody_whose_work_that_may_be(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    woken = []
    looks = {queue: (lambda queue=queue: woken.append(queue)) for queue in Queue}
    for queue, look in looks.items():
        nudges.wait_for(queue, look)
    try:
        outbox_delivery.nudge()
    finally:
        for queue, look in looks.items():
            nudges.wait_no_more(queue, look)
    assert woken == [Queue.MAILS, Queue.GATEWAYS, Queue.OUTGOING_WEBHOOKS, Queue.SEALING]
    outbox_delivery.nudge()
    assert len(woken) == 4
