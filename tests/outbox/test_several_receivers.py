"""A mail to several, of whom some have it and others do not, or not yet."""

from datetime import timedelta

from billing_core.identity import SYSTEM
from billing_core.outbox import delivery, queries, receiving, service
from billing_core.outbox.delivery import InPart, Refused
from billing_core.outbox.models import MessageState
from billing_core.outbox.queries import MessageFilter
from billing_core.recipients import Recipients
from tests.outbox.post_office import a_message
from tests.outbox.test_delivery import NOW, READER, deliver, put, stored

A, B, C = "a@acme.example", "b@acme.example", "c@acme.example"


def test_who_has_it_does_not_get_it_again_when_it_is_tried_for_the_others(sessions):
    (message_id,) = put(sessions, a_message(recipient=A, receivers=Recipients((A, B), (C,))))
    answers = iter(
        [InPart({A: "", B: "452 full", C: "450 later"}, final=False), InPart({B: "452 full", C: ""}, final=False)]
    )
    asked, seen = [], []

    def adapter(message):
        asked.append(receiving.left(message))
        if part := next(answers, None):
            raise part

    def deliver_at(now):
        facts = {"delivered": lambda _session, _message, _at, to: seen.append(list(to)), "chance": lambda: 0}
        return delivery.deliver_due(sessions, {"mail": adapter}, now_of=lambda: now, **facts)

    assert deliver_at(NOW).postponed == 1
    message = stored(sessions, message_id)
    assert (message.state, message.answers) == (MessageState.WAITING, {A: "", B: "452 full", C: "450 later"})
    assert (message.last_error, message.delivered_at) == ("Not all have it. 452 full; 450 later", NOW)
    # By the published waits: one minute, then five.
    assert message.not_before == NOW + timedelta(minutes=1)
    deliver_at(NOW + timedelta(minutes=1))
    assert deliver_at(NOW + timedelta(minutes=6)).delivered == 1
    assert (asked, seen) == ([(A, B, C), (B, C), (B,)], [[A], [C], [B]])
    message = stored(sessions, message_id)
    assert (message.state, message.answers, message.last_error) == (MessageState.DELIVERED, None, "")


def test_whom_nobody_can_reach_is_left_to_a_person_who_tries_again_for_them_alone(sessions):
    (message_id,) = put(sessions, a_message(recipient=A, receivers=Recipients((A, B))))
    asked = []

    def adapter(message):
        asked.append(receiving.left(message))
        raise InPart({A: "", B: "550 unknown"}, final=True) if len(asked) == 1 else Refused("550 unknown")

    assert deliver(sessions, adapter).failed == 1
    assert stored(sessions, message_id).state is MessageState.FAILED
    with sessions() as session:
        assert (queries.missed(session, "invoice", 1), queries.missed(session, "invoice", 2)) == ([B], [])
    with sessions.begin() as session:
        service.retry(session, SYSTEM, [message_id], now=NOW)
    assert deliver(sessions, adapter).failed == 1
    assert asked == [(A, B), (B,)]
    with sessions.begin() as session:
        service.lay_aside(session, SYSTEM, [message_id], now=NOW)
        # It was mailed to somebody, whatever became of the rest.
        assert queries.earlier(session, "invoice", [1], ["invoice"])[1].last_at == NOW


def test_a_mail_is_found_by_each_of_its_receivers(sessions):
    put(sessions, a_message(recipient=A, receivers=Recipients((A,), (B,), (C,))), a_message("k2", A))
    with sessions() as session:
        found = {
            text: [row.title for row in queries.page(session, READER, MessageFilter(text=text))]
            for text in ("A@acme", "b@ACME", "c@acme", "b@acme.example c")
        }
    assert [*found.values()] == [["Subject k2", "Subject k1"], ["Subject k1"], ["Subject k1"], []]
