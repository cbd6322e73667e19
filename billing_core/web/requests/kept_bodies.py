"""Bodies of requests that are kept until they are answered: small ones in memory, large ones on the disk."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Receive, Scope

SCOPE_KEY: Final = "billing.body"
_PIECE: Final = 256 * 1024


class KeptBody:
    """One body. What is on the disk has no name there, and is gone with this or with the process, however it ends."""

    def __init__(self, *, in_memory: int) -> None:
        self.size = 0
        self._most_in_memory = in_memory
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115  closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # On a full disk, what could not be written fails once more, after the file has been closed.
        with suppress(OSError):
            self._file.close()

    @property
    def in_memory(self) -> bool:
        """Whether reading it waits for no disk."""
        return self.size <= self._most_in_memory

    async def add(self, piece: bytes) -> None:
        """OSError where the disk is full."""
        self.size += len(piece)
        if self.in_memory:
            self._file.write(piece)
        else:
            await run_in_threadpool(self._file.write, piece)

    async def finish(self) -> None:
        """Nothing is added any more. OSError where the disk is full."""
        if not self.in_memory:
            await run_in_threadpool(self._file.flush)

    def pieces(self) -> Iterator[bytes]:
        """All of it from its beginning, a bounded piece at a time; for one thread at a time."""
        for place in range(0, self.size, _PIECE):
            yield self._at(place, _PIECE)

    def replayed(self, receive: Receive) -> Receive:
        """Receives the body once more, then what really comes, such as a disconnect."""
        place = 0
        complete = False

        async def again() -> Message:
            nonlocal place, complete
            if complete:
                return await receive()
            if self.in_memory:
                piece = self._at(0, self.size)
            else:
                piece = await run_in_threadpool(self._at, place, _PIECE)
            place += len(piece)
            complete = place >= self.size
            return {"type": "http.request", "body": piece, "more_body": not complete}

        return again

    def _at(self, place: int, most: int) -> bytes:
        self._file.seek(place)
        return self._file.read(most)


def body_of(scope: Scope) -> KeptBody:
    """The body of a request to the APIs, all of which has come."""
    body = scope[SCOPE_KEY]
    if not isinstance(body, KeptBody):
        raise TypeError("No body has been kept")
    return body
