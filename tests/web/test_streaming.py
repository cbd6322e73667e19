"""Answers whose session stays open while their reader takes them."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from billing_core import runtime
from billing_core.reports.exports.formats import Download
from billing_core.web.streaming import streamed, whole_or_streamed


def limits(session) -> Iterator[bytes]:
    """What holds while each chunk is made."""
    for _ in range(6):
        yield session.scalar(text("SHOW idle_in_transaction_session_timeout")).encode()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("answered", "before"),
    [
        (lambda: streamed(lambda session: Download("a.csv", "text/csv", limits(session))), 1),
        (lambda: whole_or_streamed(limits, media_type="text/csv"), 5),
    ],
    ids=["download", "list"],
)
def test_a_reader_may_take_its_time(sessions, monkeypatch, answered, before):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)

    async def taken() -> list[bytes]:
        answer = answered()
        with answer._resources:
            return [chunk async for chunk in answer.body_iterator]

    assert asyncio.run(taken()) == [b"1min"] * before + [b"0"] * (6 - before)
