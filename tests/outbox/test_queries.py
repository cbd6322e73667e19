"""What is shown of the outbox, and to whom."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from billing_core import figures
from billing_core.errors import NotFound
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.outbox import queries, service
from billing_core.outbox.figures import FAILED_MAILS, KEPT_MAILS
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.outbox.queries import Earlier, MessageFilter
from tests.invoices.company import a_customer
from tests.outbox.post_office import a_message

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
READER = actor_with(Role.FINANCE, user_id=None, name="Rita Reader")
BOUNCED = MessageState.BOUNCED
DELIVERED, FAILED, HELD_BACK = MessageState.DELIVERED, MessageState.FAILED, MessageState.HELD_BACK
RECALLED, WAITING = MessageState.RECALLED, MessageState.WAITING


LEFT, AN_HOUR_ON = NOW + timedelta(minutes=2), NOW + timedelta(hours=1)


def put(session, key, *, now=NOW, state=None, attempts=None, **facts) -> int:
    message_id = service.put(session, SYSTEM, a_message(key, **facts), now=now)
    changed = {"state": state, "attempts": attempts}
    if changed := {name: value for name, value in changed.items() if value is not None}:
        session.execute(update(OutboxMessage).where(OutboxMessage.id == message_id).values(changed))
    return message_id


def bound_to(customer_id) -> Actor:
    return Actor(None, "Bo", frozenset({Permission.OUTBOX_READ}), customer_id)


def ids(session, actor=READER, *, limit=50, offset=0, **wanted) -> list[int]:
    return [row.id for row in queries.page(session, actor, MessageFilter(**wanted), limit=limit, offset=offset)]


def test_an_empty_outbox_has_none(session):
    assert (ids(session), queries.count(session, READER, MessageFilter())) == ([], 0)
    assert (queries.counts(session, READER), queries.counts_of_all(session, READER)) == ({}, {})


def test_the_newest_come_first_fifty_on_a_page(session):
    messages = [a_message(f"k{number}") for number in range(51)]
    put_in = service.put_many(session, SYSTEM, messages, now=NOW)
    newest = put(session, "later", now=NOW + timedelta(seconds=1))
    oldest = put(session, "before", now=NOW - timedelta(seconds=1))
    in_order = [newest, *reversed(put_in), oldest]
    filters = MessageFilter()
    assert [row.id for row in queries.page(session, READER, filters)] == in_order[:50]
    assert ids(session, limit=2, offset=1) == in_order[1:3]
    assert ids(session, offset=50) == in_order[50:]
    assert queries.count(session, READER, filters) == 53


def test_a_row_says_what_is_stored(session):
    customer = a_customer(session)
    message_id = put(session, "a", customer_id=customer)
    (row,) = queries.page(session, READER, MessageFilter())
    assert (row.id, row.channel, row.topic, row.recipient) == (message_id, "mail", "invoice", "ap@acme.example")
    assert (row.title, row.subject_kind, row.subject_id) == ("Subject a", "invoice", "1")
    assert (row.customer_id, row.state, row.attempts, row.last_error) == (customer, WAITING, 0, "")
    assert (row.not_before, row.created_at, row.delivered_at, row.created_by) == (NOW, NOW, None, "system")


def test_each_filter_limits_alone_and_together(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    first = put(session, "a", customer_id=acme, subject=("invoice", 1))
    second = put(session, "b", customer_id=other, subject=("invoice", 2), state=FAILED)
    third = put(session, "c", customer_id=acme, subject=("customer", 2), topic="statement", state=FAILED)
    expected = {
        (): [third, second, first],
        (("customer_id", acme),): [third, first],
        (("customer_id", other),): [second],
        (("subject", ("invoice", 2)),): [second],
        (("subject", ("customer", "2")),): [third],
        (("subject", ("customer", 1)),): [],
        (("state", (FAILED,)),): [third, second],
        (("state", (FAILED, WAITING)),): [third, second, first],
        (("topic", ("invoice",)),): [second, first],
        (("text", "  SUBJECT a "),): [first],
        (("text", "  "),): [third, second, first],
        (("state", (FAILED,)), ("customer_id", acme)): [third],
    }
    found = {wanted: ids(session, **dict(wanted)) for wanted in expected}
    assert found == expected
    assert {wanted: queries.count(session, READER, MessageFilter(**dict(wanted))) for wanted in expected} == {
        wanted: len(rows) for wanted, rows in expected.items()
    }


def test_webhooks_are_counted_with_all_and_listed_elsewhere(session):
    mail = put(session, "a")
    put(session, "b", channel="webhook")
    put(session, "c", channel="webhook", state=FAILED)
    assert (ids(session), queries.counts(session, READER)) == ([mail], {WAITING: 1})
    assert queries.counts_of_all(session, READER) == {
        ("mail", WAITING): 1,
        ("webhook", WAITING): 1,
        ("webhook", FAILED): 1,
    }


def test_whoever_is_bound_to_a_customer_sees_what_concerns_that_one(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    theirs, others = put(session, "a", customer_id=acme), put(session, "b", customer_id=other)
    put(session, "c")
    actor = bound_to(acme)
    assert (ids(session, actor), queries.count(session, actor, MessageFilter())) == ([theirs], 1)
    assert queries.counts(session, actor) == {WAITING: 1}
    assert queries.counts_of_all(session, actor) == {("mail", WAITING): 1}
    assert queries.one(session, actor, theirs).key == "a"
    assert queries.one(session, READER, others).key == "b"
    with pytest.raises(NotFound):
        queries.one(session, actor, others)


@pytest.mark.parametrize(
    ("states", "known"),
    [
        ([(WAITING, 0)], Earlier(1, True, NOW, waiting_at=NOW)),
        ([(HELD_BACK, 0)], Earlier(1, False, NOW, kept_at=NOW)),
        ([(WAITING, 1)], Earlier(1, False, NOW, waiting_at=NOW)),
        ([(DELIVERED, 1)], Earlier(1, False, NOW, sent_at=LEFT)),
        ([(BOUNCED, 1)], Earlier(1, False, NOW, bounced_at=LEFT)),
        ([(DELIVERED, 1), (BOUNCED, 1)], Earlier(2, False, AN_HOUR_ON, sent_at=LEFT, bounced_at=LEFT)),
        ([(FAILED, 0)], Earlier(1, False, NOW, failed_at=NOW)),
        ([(RECALLED, 0)], Earlier(1, False, None)),
        ([(DELIVERED, 1), (RECALLED, 0)], Earlier(2, False, NOW, sent_at=LEFT)),
        ([(DELIVERED, 1), (WAITING, 0)], Earlier(2, True, AN_HOUR_ON, sent_at=LEFT, waiting_at=AN_HOUR_ON)),
        ([(FAILED, 8), (HELD_BACK, 0)], Earlier(2, False, AN_HOUR_ON, failed_at=NOW, kept_at=AN_HOUR_ON)),
    ],
)
def test_what_became_of_earlier_messages_is_known_and_only_what_left_was_sent(session, states, known):
    for number, (state, attempts) in enumerate(states):
        message_id = put(session, f"k{number}", now=NOW + timedelta(hours=number), state=state, attempts=attempts)
        if state in (DELIVERED, BOUNCED):
            session.get_one(OutboxMessage, message_id).delivered_at = LEFT
    session.flush()
    assert queries.earlier(session, "invoice", [1], ["invoice"]) == {1: known}


def test_earlier_messages_are_those_of_the_kind_the_subject_and_the_topic(session):
    """Of however many subjects."""
    put(session, "a", subject=("invoice", 1), topic="reminder")
    put(session, "b", subject=("customer", 501))
    for number in (1, 500, 501, 1001):
        put(session, f"k{number}", subject=("invoice", number))
    asked = [*range(1, 1002)]
    assert queries.earlier(session, "invoice", asked, ["invoice"]) == dict.fromkeys(
        (1, 500, 501, 1001), Earlier(1, True, NOW, waiting_at=NOW)
    )
    assert queries.earlier(session, "invoice", [1], ["invoice", "reminder"])[1].count == 2
    assert queries.earlier(session, "customer", [1, 2], ["invoice"]) == {}
    assert queries.earlier(session, "invoice", [], ["invoice"]) == {}


def test_the_figure_counts_the_mails_that_are_kept(session):
    acme = a_customer(session)
    put(session, "a", customer_id=acme, state=HELD_BACK)
    put(session, "b", state=HELD_BACK)
    put(session, "c", customer_id=acme, channel="gateway", state=HELD_BACK)
    for number, state in enumerate((WAITING, DELIVERED, FAILED, RECALLED)):
        put(session, f"k{number}", customer_id=acme, state=state)
    assert figures.count(session, READER, KEPT_MAILS, Scope()) == 2
    (row,) = figures.page(session, READER, KEPT_MAILS, Scope(customer_id=acme))
    assert (row.label, row.date) == ("Subject a, ap@acme.example", NOW.date())


def test_the_newest_message_about_each_says_what_became_of_it(session):
    acme = a_customer(session)
    put(session, "a", customer_id=acme, state=DELIVERED)
    put(session, "b", customer_id=acme, state=HELD_BACK)
    put(session, "c", customer_id=acme, state=RECALLED)
    put(session, "d", customer_id=acme, topic="reminder_late", state=FAILED)
    put(session, "e", subject=("invoice", 2), state=FAILED)
    put(session, "f", subject=("invoice", 3), state=RECALLED)
    asked = ("invoice", [1, 2, 3, 4], ["invoice"])
    assert queries.newest_states(session, READER, *asked) == {1: HELD_BACK, 2: FAILED}
    assert queries.newest_states(session, bound_to(acme), *asked) == {1: HELD_BACK}


def test_the_figure_counts_the_mails_that_were_given_up(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    put(session, "a", customer_id=acme, state=FAILED)
    put(session, "b", customer_id=other, state=FAILED)
    put(session, "c", customer_id=acme, state=DELIVERED)
    put(session, "d", customer_id=acme, channel="webhook", state=FAILED)
    assert figures.count(session, READER, FAILED_MAILS, Scope()) == 2
    assert figures.count(session, READER, FAILED_MAILS, Scope(customer_id=acme)) == 1
    (row,) = figures.page(session, READER, FAILED_MAILS, Scope(customer_id=acme))
    assert (row.label, row.date) == ("Subject a, ap@acme.example", NOW.date())


@pytest.mark.parametrize(
    ("state", "attempts", "channel", "recallable"),
    [
        (WAITING, 0, "mail", True),
        (HELD_BACK, 0, "mail", True),
        (WAITING, 1, "mail", False),
        (DELIVERED, 0, "mail", False),
        (FAILED, 0, "mail", False),
        (WAITING, 0, "webhook", False),
        (WAITING, 0, "gateway", False),
    ],
)
def test_only_a_mail_that_nobody_has_tried_to_deliver_can_be_recalled(session, state, attempts, channel, recallable):
    message_id = put(session, "a", state=state, attempts=attempts, channel=channel)
    assert session.get_one(OutboxMessage, message_id).recallable is recallable
    assert service.recall(session, SYSTEM, [message_id], now=NOW) == recallable
