"""Which answers are kept for a repetition, and which requests may be sent again."""

import anyio
import pytest
from sqlalchemy import func, select

from billing_core import runtime
from billing_core.identity import SYSTEM
from billing_core.identity.idempotent import Claim, IdempotentRequest
from billing_core.web.api.access import SCOPE_KEY, Caller, Dialect
from billing_core.web.api.middleware import idempotency
from billing_core.web.api.middleware.idempotency import Idempotent, key_problem
from billing_core.web.requests import kept_bodies

pytestmark = pytest.mark.sql

MOST = 4 * 1024 * 1024


def a_request(body):
    return {
        "type": "http",
        "method": "POST",
        "path": "/api/v2/reports/",
        "query_string": b"",
        "headers": [(b"idempotency-key", b"order-17")],
        SCOPE_KEY: Caller(SYSTEM, "key", "key:1", Dialect.PLAIN),
        kept_bodies.SCOPE_KEY: body,
    }


@pytest.fixture(autouse=True)
def on_this_database(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)


@pytest.fixture
def asked():
    """The answer of the request that this application carries out: status, headers, body."""

    def ask(app):
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message):
            sent.append(message)

        with kept_bodies.KeptBody(in_memory=1024) as body:
            anyio.run(app, a_request(body), receive, send)
        start, *pieces = sent or [{"status": None, "headers": ()}]
        return start["status"], dict(start["headers"]), b"".join(piece.get("body", b"") for piece in pieces)

    return ask


@pytest.fixture
def kept(sessions):
    def count():
        with sessions() as session:
            return session.scalar(select(func.count()).select_from(IdempotentRequest))

    return count


def answering(status, *pieces, calls=None):
    async def app(_scope, _receive, send):
        if calls is not None:
            calls.append(status)
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-made", b"1")]})
        for number, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})

    return app


@pytest.mark.parametrize(
    ("status", "repeated"),
    [(200, True), (404, True), (428, True), (429, False), (430, True), (499, True), (500, False), (503, False)],
)
def test_what_failed_on_our_side_or_came_too_fast_may_be_sent_again(asked, kept, status, repeated):
    calls = []
    app = answering(status, b"made", calls=calls)
    assert asked(Idempotent(app)) == (status, {b"x-made": b"1"}, b"made")
    assert kept() == repeated
    _, headers, body = asked(Idempotent(app))
    assert (len(calls), headers.get(b"idempotent-replayed"), body) == (
        (1, b"true", b"made") if repeated else (2, None, b"made")
    )


def test_an_answer_in_pieces_is_repeated_whole(asked):
    asked(Idempotent(answering(200, b"a", b"", b"b", b"c")))
    assert asked(Idempotent(answering(500)))[::2] == (200, b"abc")


def test_what_fails_before_its_answer_may_be_sent_again(asked, kept):
    async def broken(_scope, _receive, _send):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        asked(Idempotent(broken))
    assert kept() == 0


def test_what_fails_after_a_part_of_its_answer_may_be_sent_again(asked, kept):
    async def broken(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        asked(Idempotent(broken))
    assert kept() == 0


def test_what_its_client_did_not_wait_for_may_be_sent_again(asked, kept):
    given_up = []

    async def left_waiting(*request):
        with anyio.CancelScope() as waiting:

            async def endless(_scope, _receive, _send):
                waiting.cancel()
                await anyio.sleep_forever()

            await Idempotent(endless)(*request)
        given_up.append(waiting.cancelled_caught)

    asked(left_waiting)
    assert (given_up, kept()) == ([True], 0)


def test_up_to_four_mebibytes_are_kept():
    class AsItIs:
        def compress(self, piece):
            return piece

    recorder = idempotency._Recorder(Claim(1, "t"))
    recorder._compressing = AsItIs()
    recorder._add(b"x" * MOST)
    assert len(recorder._body) == MOST
    recorder._add(b"x")
    assert recorder._body is None
    recorder._add(b"x")
    assert recorder._body is None


@pytest.mark.parametrize(
    ("key", "fits"),
    [("", False), ("a", True), ("x" * 255, True), ("x" * 256, False), ("a b-{}", True), ("é", False), ("a\n", False)],
)
def test_what_a_key_may_be(key, fits):
    assert key_problem(key) == ("" if fits else "Idempotency-Key has 1 to 255 letters, digits and signs")
