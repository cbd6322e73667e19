"""A request that comes twice is carried out once."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update

from billing_core.audit.models import AuditEntry
from billing_core.dates import utc_now
from billing_core.errors import Conflict
from billing_core.identity import idempotent, passwords
from billing_core.identity.idempotent import Claim, IdempotentRequest
from billing_core.identity.models import User
from billing_core.people import sign_in
from billing_core.processes import current, service
from billing_core.processes.models import Process, ProcessKind
from billing_core.web.api.middleware import idempotency, idempotency_store
from tests.at_once import at_once
from tests.web.api import probe
from tests.web.forms import PASSWORD

pytestmark = pytest.mark.sql

WORK = "/api/v2/probe/work"
ANY_METHOD = "/api/v2/probe/any-method"
KEY = {"Idempotency-Key": "order-17"}


@pytest.fixture
def client(probed, program):
    return program()


def test_a_repeat_gets_the_first_answer_and_the_work_is_done_once(client, sessions):
    first = client.post(WORK, json={"amount": 5}, headers=KEY)
    second = client.post(WORK, json={"amount": 5}, headers=KEY)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first.headers["content-type"] == second.headers["content-type"]
    assert ("idempotent-replayed" in first.headers, second.headers["idempotent-replayed"]) == (False, "true")
    assert probe.done(sessions) == 1


def test_without_a_key_or_with_another_it_is_another_request(client, program, sessions):
    for headers in ({}, {}, {"Idempotency-Key": "a"}, {"Idempotency-Key": "b"}):
        assert client.post(WORK, json={"amount": 5}, headers=headers).status_code == 201
    assert program("manager").post(WORK, json={"amount": 5}, headers={"Idempotency-Key": "a"}).status_code == 201
    assert probe.done(sessions) == 5


def test_the_same_key_for_another_request_is_refused(client, sessions):
    client.post(WORK, json={"amount": 5}, headers=KEY)

    other_body = client.post(WORK, json={"amount": 6}, headers=KEY)
    other_place = client.post("/api/invoices/probe/work", json={"amount": 5}, headers=KEY)

    assert (other_body.status_code, other_place.status_code) == (422, 422)
    assert other_body.json() == {"error": "This Idempotency-Key belongs to another request. Use a new one for each."}
    assert probe.done(sessions) == 1


def test_a_refusal_is_repeated_too(client, sessions):
    first = client.post(WORK, json={"amount": "no"}, headers=KEY)
    assert (first.status_code, client.post(WORK, json={"amount": "no"}, headers=KEY).content) == (400, first.content)
    assert client.post(WORK, json={"amount": 5}, headers=KEY).status_code == 422
    assert probe.done(sessions) == 0


def test_what_failed_on_our_side_may_be_tried_again(client, sessions):
    for _ in range(2):
        assert client.post("/api/v2/probe/breaks", json={"amount": 5}, headers=KEY).status_code == 500
    assert client.post(WORK, json={"amount": 5}, headers=KEY).status_code == 201
    assert probe.done(sessions) == 1


def test_a_repeat_while_the_first_is_under_way_is_a_conflict(client, sessions):
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/api/v2/probe/slow", json={"amount": 1}, headers=KEY)
        assert probe.began.wait(300)
        assert client.post("/api/v2/probe/slow", json={"amount": 1}, headers=KEY).status_code == 409
        probe.go_on.set()
        assert first.result(20).status_code == 200
    assert client.post("/api/v2/probe/slow", json={"amount": 1}, headers=KEY).json() == {"slow": True}


def test_many_at_once_are_one(client, sessions):
    with ThreadPoolExecutor(4) as pool:
        statuses = {one.status_code for one in pool.map(lambda _: _sent(client), range(8))}
    assert 201 in statuses
    assert statuses <= {201, 409}
    assert probe.done(sessions) == 1


def test_after_a_day_the_key_is_free(client, sessions):
    _sent(client)
    _changed(sessions, started_at=utc_now() - idempotency_store.RETENTION)
    assert "idempotent-replayed" not in _sent(client).headers
    assert probe.done(sessions) == 2


@pytest.mark.parametrize(
    ("age", "changed", "status"),
    [
        (idempotency_store.ABANDONED / 2, False, 409),
        (idempotency_store.ABANDONED, False, 201),
        (idempotency_store.ABANDONED, True, 409),
    ],
)
def test_after_a_crash_nothing_is_done_twice(client, sessions, age, changed, status):
    """The process died before it answered: done again only where the first time changed nothing."""
    _sent(client)
    then = utc_now() - age
    _changed(sessions, started_at=then, changed_at=then if changed else None, status=None, body=None)
    assert _sent(client).status_code == status


@pytest.fixture
def process(sessions):
    """The id of the process that answers, while jobs run in it."""
    with sessions.begin() as session:
        service.register(session, "app-1", ProcessKind.APP, host="billing-1", pid=17, version="0.1.0")
    current.become("app-1")
    yield "app-1"
    current.become(None)


def _lost(sessions, process_id):
    with sessions.begin() as session:
        session.execute(update(Process).where(Process.id == process_id).values(lost_at=utc_now()))


def _ended(sessions, process_id):
    with sessions.begin() as session:
        service.end(session, process_id)


def _forgotten(sessions, process_id):
    with sessions.begin() as session:
        session.execute(delete(Process).where(Process.id == process_id))


def _grown_old(sessions, _process_id):
    _changed(sessions, started_at=utc_now() - idempotency_store.ABANDONED)


@pytest.mark.parametrize(
    ("leaves", "changed", "status"),
    [(_lost, False, 201), (_ended, False, 201), (_forgotten, False, 201), (_lost, True, 409), (None, False, 409)],
)
def test_what_a_process_left_undone_is_done_again_as_soon_as_it_is_known_to_be_gone(
    client, sessions, process, leaves, changed, status
):
    _sent(client)
    _changed(sessions, changed_at=utc_now() if changed else None, status=None, body=None)
    if leaves:
        leaves(sessions, process)
    current.become("app-2")
    assert _sent(client).status_code == status
    with sessions() as session:
        assert session.scalars(select(IdempotentRequest.process_id)).all() == ["app-2" if status == 201 else process]


@pytest.mark.parametrize("leaves", [_lost, _grown_old])
def test_who_was_only_taken_for_dead_and_goes_on_does_nothing_a_second_time(client, sessions, process, leaves):
    """And its refusal does not take the place of the answer that is repeated."""

    def sent():
        return client.post("/api/v2/probe/held-up", json={"amount": 5}, headers=KEY)

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(sent)
        try:
            assert probe.began.wait(300)
            leaves(sessions, process)
            again = sent()
        finally:
            probe.go_on.set()
        refused = late.result(300)
    assert (again.status_code, refused.status_code) == (201, 409)
    assert "a repetition of the request is carried out in its place" in refused.json()["error"]
    repeated = sent()
    assert (repeated.content, repeated.headers["idempotent-replayed"]) == (again.content, "true")
    assert probe.done(sessions) == 1


@pytest.fixture
def begun(sessions):
    """A claim of a request that may be taken over, and how to try that."""

    def begin(now):
        with sessions.begin() as session:
            return idempotency_store.begin(session, "user:1", "a", "f", now=now)

    now = utc_now()
    return begin(now - idempotency_store.ABANDONED), lambda: begin(now)


def test_whose_claim_was_taken_over_can_neither_answer_nor_forget(sessions, begun):
    late, take_over = begun
    ours = take_over()
    with pytest.raises(Conflict), sessions.begin() as session:
        idempotent.mark_changed(session, late, now=utc_now())
    with sessions.begin() as session:
        assert not idempotency_store.forget(session, late)
        idempotency_store.finish(session, late, None, status=409)
    with sessions.begin() as session:
        row = session.scalars(select(IdempotentRequest)).one()
        assert (row.claim, row.changed_at, row.status) == (ours.token, None, None)
        idempotent.mark_changed(session, ours, now=utc_now())


def test_of_the_late_one_and_who_takes_over_one_does_the_work(sessions, begun):
    late, take_over = begun

    def do_it():
        with sessions.begin() as session:
            idempotent.mark_changed(session, late, now=utc_now())

    done, taken = at_once(do_it, take_over)
    assert isinstance(done, Conflict) is isinstance(taken, Claim)


def test_an_answer_too_large_to_keep_is_told_of(client, sessions, monkeypatch):
    monkeypatch.setattr(idempotency, "_LARGEST_ANSWER", 1)
    assert _sent(client).status_code == 201
    repeated = _sent(client)
    assert repeated.status_code == 409
    assert "too large to keep" in repeated.json()["error"]
    assert probe.done(sessions) == 1


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET"])
def test_the_key_of_a_request_that_is_no_post_means_nothing(client, sessions, method):
    """HTTP lets these be repeated as they are: each is carried out, whatever its key, and keeps none from a POST."""

    def asked(key, amount):
        body = None if method == "GET" else {"amount": amount}
        return client.request(method, ANY_METHOD, json=body, headers={"Idempotency-Key": key})

    answers = [
        asked(key, amount) for key, amount in (("order-17", 5), ("order-17", 5), ("order-17", 6), ("x" * 256, 5))
    ]

    assert {answer.is_success for answer in answers} == {True}
    assert not any("idempotent-replayed" in answer.headers for answer in answers)
    assert probe.done(sessions) == 4
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(IdempotentRequest)) == 0
    assert "idempotent-replayed" not in _sent(client).headers
    assert probe.done(sessions) == 5
    assert asked("order-17", 7).is_success
    assert probe.done(sessions) == 6


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9"])
def test_a_key_that_cannot_be_one_is_refused(client, key):
    response = client.post(WORK, json={"amount": 1}, headers={"Idempotency-Key": key.encode("latin-1")})
    assert response.status_code == 400


def test_the_work_and_the_note_that_it_is_done_are_one_transaction(client, sessions):
    _sent(client)
    with sessions() as session:
        row = session.scalars(select(IdempotentRequest)).one()
    assert timedelta(0) <= row.changed_at - row.started_at < timedelta(minutes=1)


def _sent(client):
    return client.post(WORK, json={"amount": 5}, headers=KEY)


def _changed(sessions, **values):
    with sessions.begin() as session:
        session.execute(update(IdempotentRequest).values(**values))


def test_a_repeated_request_for_a_token_gets_the_same_token_and_none_is_kept(browser, sessions, ana):
    client = browser()
    asked = {"email": "ana@example.com", "password": PASSWORD}
    first, second = (client.post("/api/v1/auth/token", json=asked, headers=KEY) for _ in range(2))

    assert (first.status_code, second.status_code, second.headers["idempotent-replayed"]) == (200, 200, "true")
    assert first.content == second.content
    with sessions() as session:
        row = session.scalars(select(IdempotentRequest)).one()
        kept = f"{row.headers} {row.fingerprint} {zlib.decompress(row.body)}"
        assert first.json()["access_token"] not in kept
        assert PASSWORD not in kept
        assert session.scalar(select(func.count()).where(AuditEntry.action == "user.token")) == 1


def test_a_token_is_given_again_only_to_whom_one_would_be_given(browser, sessions, ana):
    client = browser()

    def asked(password=PASSWORD):
        body = {"email": "ana@example.com", "password": password}
        return client.post("/api/v1/auth/token", json=body, headers=KEY).status_code

    def changed(**facts):
        with sessions.begin() as session:
            session.execute(update(User).where(User.email == "ana@example.com").values(**facts))

    assert (asked(), asked("wrong"), asked()) == (200, 401, 200)
    changed(active=False)
    assert asked() == 401
    changed(active=True, password_hash=passwords.hashed("another " + PASSWORD))
    assert (asked(), asked("another " + PASSWORD)) == (401, 422)


def test_whose_request_for_a_token_was_taken_over_makes_none(browser, sessions, ana, monkeypatch):
    verify = sign_in.verify

    def slow(session, **given):
        _changed(sessions, claim="another's")
        return verify(session, **given)

    monkeypatch.setattr(sign_in, "verify", slow)
    asked = {"email": "ana@example.com", "password": PASSWORD}
    assert browser().post("/api/v1/auth/token", json=asked, headers=KEY).status_code == 409
    with sessions() as session:
        assert session.scalar(select(func.count()).where(AuditEntry.action == "user.token")) == 0
        assert session.scalars(select(IdempotentRequest.status)).all() == [None]


def test_the_key_of_one_request_for_a_token_is_refused_for_another(browser, ana):
    client = browser()
    asked = {"email": "ana@example.com", "password": PASSWORD}
    wrong = client.post("/api/v1/auth/token", json=asked | {"password": "wrong"}, headers=KEY)
    right = client.post("/api/v1/auth/token", json=asked, headers=KEY)
    other = client.post("/api/v1/auth/token", json=asked | {"email": "bo@example.com"}, headers=KEY)
    unfit = client.post("/api/v1/auth/token", json=asked, headers={"Idempotency-Key": "x" * 256})

    assert [one.status_code for one in (wrong, right, other, unfit)] == [401, 200, 422, 400]
