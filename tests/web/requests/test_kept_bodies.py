"""Bodies are kept whole while a request lasts, and leave nothing behind."""

import os
import resource
import tempfile

import anyio
import pytest

from billing_core.web.requests.kept_bodies import KeptBody, body_of

PIECES = [b"a" * 700, b"", b"b" * 700, b"c" * 300_000]


async def nothing_more():
    return {"type": "http.disconnect"}


async def filled(body, pieces):
    for piece in pieces:
        await body.add(piece)
    await body.finish()


async def received(receive):
    """All messages to the end of the body, and the one after it."""
    messages = [await receive()]
    while messages[-1]["more_body"]:
        messages.append(await receive())
    return messages, await receive()


@pytest.mark.parametrize("in_memory", [0, 1000, 10_000_000])
@pytest.mark.parametrize("pieces", [[], [b""], PIECES])
def test_what_was_added_is_read_as_often_as_it_is_asked_for(in_memory, pieces):
    async def keep():
        with KeptBody(in_memory=in_memory) as body:
            await filled(body, pieces)
            assert body.size == len(b"".join(pieces))
            for _ in range(2):
                assert b"".join(body.pieces()) == b"".join(pieces)
                messages, further = await received(body.replayed(nothing_more))
                assert b"".join(message["body"] for message in messages) == b"".join(pieces)
                assert further == {"type": "http.disconnect"}

    anyio.run(keep)


def test_two_readers_do_not_move_each_other():
    async def keep():
        with KeptBody(in_memory=0) as body:
            await filled(body, PIECES * 2)
            both = list(zip(body.pieces(), body.pieces(), strict=True))
            assert b"".join(one for one, _ in both) == b"".join(other for _, other in both) == b"".join(PIECES * 2)

    anyio.run(keep)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where temporary files are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def open_files(folder):
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return [name for name in map(_target, links) if name.startswith(str(folder))]


def _target(link):
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


def test_the_file_of_a_large_one_has_no_name_and_is_gone_with_it(folder):
    async def keep():
        with KeptBody(in_memory=1000) as body:
            await body.add(b"x" * 1000)
            assert open_files(folder) == []
            await body.add(b"x")
            assert len(open_files(folder)) == 1
            assert list(folder.iterdir()) == []

    anyio.run(keep)
    assert open_files(folder) == []


@pytest.fixture
def full_disk():
    """Files end at 100,000 bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [100, 60_000, 200_000])
def test_a_full_disk_is_told_of_once(folder, full_disk, size):
    async def keep():
        with KeptBody(in_memory=1000) as body:
            with pytest.raises(OSError, match="File too large"):
                await filled(body, [b"x" * size] * (200_000 // size + 1))
            assert len(open_files(folder)) == 1

    anyio.run(keep)
    assert open_files(folder) == []


def test_a_request_without_one_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        body_of({"type": "http"})
    with pytest.raises(TypeError):
        body_of({"billing.body": b"bytes"})
