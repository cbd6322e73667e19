"""Streamed answers, whose session stays open until the last byte or a disconnect."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from urllib.parse import quote

from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from billing_core import runtime
from billing_core.database.engine import may_idle
from billing_core.reports.exports.formats import Download

# Fewer chunks than this are sent at once: each chunk of a stream costs a change of threads.
_AT_ONCE = 5


class _FromSession(StreamingResponse):
    """Closes its source, also when the client has disconnected."""

    def __init__(
        self,
        chunks: Iterable[bytes],
        resources: ExitStack,
        *,
        media_type: str,
        headers: dict[str, str] | None = None,
        status: int = 200,
    ) -> None:
        super().__init__(chunks, status, headers, media_type)
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._resources:
            if scope["method"] == "HEAD":
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                # Nothing of the rest is made: nobody reads it.
                await send({"type": "http.response.body"})
            else:
                await super().__call__(scope, receive, send)


def streamed(read: Callable[[Session], Download], *, inline: bool = False, status: int = 200) -> StreamingResponse:
    """The answer that streams what ``read`` returns. ``inline``: the browser shows it instead of saving it.

    The first chunk is made before the answer begins, so that a refusal or a failure still has its own status.
    """
    with ExitStack() as resources:
        session = resources.enter_context(runtime.sessions()())
        file = read(session)
        first = next(file.chunks, b"")
        may_idle(session.connection())
        header = disposition(file.file_name, inline=inline)
        return _FromSession(
            chain((first,), file.chunks),
            resources.pop_all(),
            media_type=file.media_type,
            headers={"Content-Disposition": header},
            status=status,
        )


def whole_or_streamed(read: Callable[[Session], Iterator[bytes]], *, media_type: str, status: int = 200) -> Response:
    """The answer of the chunks that ``read`` returns: sent at once where they are few, otherwise streamed."""
    with ExitStack() as resources:
        session = resources.enter_context(runtime.sessions()())
        chunks = read(session)
        first = list(islice(chunks, _AT_ONCE))
        if len(first) < _AT_ONCE:
            return Response(b"".join(first), status, media_type=media_type)
        may_idle(session.connection())
        return _FromSession(chain(first, chunks), resources.pop_all(), media_type=media_type, status=status)


def disposition(file_name: str, *, inline: bool = False) -> str:
    """The Content-Disposition header (RFC 6266): an ASCII name for all, and the true one where it differs."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", file_name)
    header = f'{"inline" if inline else "attachment"}; filename="{plain}"'
    return header if plain == file_name else f"{header}; filename*=UTF-8''{quote(file_name, safe='')}"
