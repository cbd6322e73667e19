"""Events in the inbox: what they may be, when they are due, how often they are tried, how they are tried again."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.event import listen, remove
from sqlalchemy.exc import SQLAlchemyError

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Forbidden, NotFound
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments import queries
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.online_payments.webhooks import handlers, inbox
from billing_core.online_payments.webhooks.handlers import Outcome
from billing_core.online_payments.webhooks.refusals import Refusals
from tests.invoices.company import GRACE, READER
from tests.online_payments.linked import LATER
from tests.online_payments.stripe.events import Paying, event, payload

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def store(sessions, told=None, *, now=LATER) -> int:
    told = told or event("price.created", {"id": "price_1"})
    with sessions.begin() as session:
        inbox.store(session, told, payload(told), now=now)
        return session.scalar(select(func.max(WebhookEvent.id)))


def apply(sessions, *, at=LATER, **options) -> int:
    return inbox.apply_due(sessions, Mode.TEST, now_of=lambda: at, **options)


def stored(sessions, event_id) -> WebhookEvent:
    with sessions() as session:
        return session.get_one(WebhookEvent, event_id)


def test_an_id_and_a_type_are_as_long_as_our_columns(sessions):
    told = event("t" * 101, {"id": "x"}, event_id="e" * 255) | {"api_version": "v" * 41}
    row = stored(sessions, store(sessions, told))
    assert (row.event_id, row.type, row.api_version) == ("e" * 255, "t" * 100, "v" * 40)
    short = stored(sessions, store(sessions, event("t", {"id": "x"}, event_id="e") | {"api_version": None}))
    assert (short.event_id, short.api_version, short.attempts) == ("e", "", 0)


def test_an_event_is_due_from_its_instant_on_and_the_one_that_waits_longest_comes_first(sessions, monkeypatch):
    first, second = store(sessions, now=LATER + SECOND), store(sessions, now=LATER)
    with sessions() as session:
        due = [inbox.something_due(session, now=LATER + seconds * SECOND) for seconds in (-1, 0, 1)]
    assert due == [False, True, True]
    order = []
    monkeypatch.setattr(handlers, "apply", lambda _session, told, **_: order.append(told["id"]) or Outcome("Done"))
    assert apply(sessions, at=LATER + SECOND, limit=1) == 1
    assert (stored(sessions, second).state, stored(sessions, first).state) == (
        WebhookState.HANDLED,
        WebhookState.WAITING,
    )
    assert apply(sessions, at=LATER + SECOND, limit=5) == 1
    with sessions() as session:
        assert not inbox.something_due(session, now=LATER + HOUR)


def test_the_process_ends_between_two_events(sessions):
    for _ in range(3):
        store(sessions)
    ending = iter([False, False, True])
    assert apply(sessions, ending=lambda: next(ending)) == 2


def test_what_happened_is_told_in_as_many_characters_as_fit(sessions, monkeypatch):
    event_id = store(sessions)
    monkeypatch.setattr(handlers, "apply", lambda *_, **__: Outcome("x" * 201, used=False))
    apply(sessions)
    row = stored(sessions, event_id)
    assert (row.outcome, row.state, row.handled_at, row.attempts) == ("x" * 200, WebhookState.IGNORED, LATER, 1)


def failing(monkeypatch, error):
    def apply(*_given, **_options):
        raise error

    monkeypatch.setattr(handlers, "apply", apply)


def tries(sessions, event_id) -> list[timedelta]:
    at, made = LATER, []
    while (row := stored(sessions, event_id)).state is WebhookState.WAITING:
        made.append(row.not_before - LATER)
        at = row.not_before
        assert apply(sessions, at=at - SECOND) == 0
        assert apply(sessions, at=at) == 1
    return made


def test_an_event_that_fails_is_tried_seven_times(sessions, monkeypatch):
    event_id = store(sessions)
    failing(monkeypatch, Conflict("x" * 501))
    minutes = [0, 1, 6, 21, 81, 441, 1161]
    assert tries(sessions, event_id) == [number * MINUTE for number in minutes]
    row = stored(sessions, event_id)
    assert (row.state, row.last_error, row.outcome) == (WebhookState.FAILED, "x" * 500, "")
    assert row.handled_at == LATER + 1161 * MINUTE


def test_one_about_an_unknown_payment_waits_for_an_hour_and_a_half_and_is_not_ours_then(sessions):
    event_id = store(sessions, Paying(number=7).disputed())
    assert tries(sessions, event_id) == [seconds * SECOND for seconds in (0, 15, 75, 375, 1275, 4875)]
    row = stored(sessions, event_id)
    assert (row.state, row.waits_for, row.last_error) == (WebhookState.IGNORED, "ch_00000007", "")
    assert row.outcome == "Not ours: no payment with this charge is known"


def test_a_bug_is_told_without_its_details(sessions, monkeypatch):
    event_id = store(sessions)
    failing(monkeypatch, RuntimeError("a secret"))
    apply(sessions)
    row = stored(sessions, event_id)
    assert (row.state, row.not_before) == (WebhookState.WAITING, LATER + MINUTE)
    assert re.fullmatch(r"Something went wrong on our side\. Reference [0-9a-f]{8}", row.last_error)


@pytest.mark.parametrize("state", [state for state in WebhookState if state is not WebhookState.HANDLED])
def test_somebody_may_have_an_event_applied_again(sessions, state):
    event_id = store(sessions)
    with sessions.begin() as session:
        given_up = {"state": state, "attempts": 7, "outcome": "x", "handled_at": LATER, "not_before": LATER + HOUR}
        session.execute(update(WebhookEvent).values(given_up))
    with sessions.begin() as session:
        inbox.process_again(session, GRACE, event_id, now=LATER)
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.action, entry.before, entry.after) == (
            *("webhook.process_again", {"state": state.value}),
            {"state": "waiting"},
        )
    row = stored(sessions, event_id)
    assert (row.state, row.attempts, row.not_before) == (WebhookState.WAITING, 0, LATER)
    assert (row.handled_at, row.outcome) == (None, "")


def test_what_was_handled_or_is_not_there_is_not_applied_again(sessions):
    event_id = store(sessions)
    with sessions.begin() as session:
        session.execute(update(WebhookEvent).values(state=WebhookState.HANDLED))
    for actor, wanted, error in (
        (GRACE, event_id, Conflict),
        (GRACE, event_id + 1, NotFound),
        (READER, event_id, Forbidden),
    ):
        with pytest.raises(error), sessions.begin() as session:
            inbox.process_again(session, actor, wanted, now=LATER)


def test_as_many_failed_events_as_said_are_applied_again_the_longest_known_first(sessions):
    ids = [store(sessions) for _ in range(4)]
    with sessions.begin() as session:
        failed = update(WebhookEvent).where(WebhookEvent.id != ids[0])
        session.execute(failed.values(state=WebhookState.FAILED, attempts=7, handled_at=LATER, outcome="x"))
    with sessions.begin() as session:
        assert inbox.process_failed_again(session, GRACE, limit=2, now=LATER + HOUR) == 2
    rows = [stored(sessions, event_id) for event_id in ids]
    assert [row.state.value for row in rows] == ["waiting", "waiting", "waiting", "failed"]
    assert [(row.attempts, row.not_before) for row in rows[1:3]] == [(0, LATER + HOUR)] * 2
    assert (rows[1].outcome, rows[1].handled_at) == ("", None)
    with sessions.begin() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 2
        assert inbox.process_failed_again(session, GRACE, limit=2, now=LATER) == 1
        with pytest.raises(Forbidden):
            inbox.process_failed_again(session, READER, limit=2, now=LATER)


def test_refusals_that_could_not_be_written_are_written_later(sessions):
    class Broken:
        def begin(self):
            raise SQLAlchemyError

    refusals = Refusals()
    refusals.note("r" * 33, now=LATER)
    with pytest.raises(SQLAlchemyError):
        refusals.write(Broken())
    refusals.note("r" * 33, now=LATER)
    refusals.write(sessions)
    with sessions() as session:
        assert queries.refused(session, READER, since=LATER.date()) == [(LATER.date(), "r" * 32, 2)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_event_that_somebody_has_locked_holds_up_no_other(sessions):
    def give_up(connection):
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")

    first, second = store(sessions), store(sessions)
    listen(sessions.engine, "begin", give_up)
    with sessions.begin() as session:
        session.execute(select(WebhookEvent.id).where(WebhookEvent.id == first).with_for_update())
        assert apply(sessions) == 1
    remove(sessions.engine, "begin", give_up)
    assert stored(sessions, second).state is WebhookState.IGNORED
