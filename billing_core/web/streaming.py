"""Answers that leave as they are made, with the session they read from open until the last byte or the hang-up."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from urllib.parse import quote

from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from billing_core import runtime
from billing_core.reports.exporting import Download


class _FromSession(StreamingResponse):
    """Closes what it reads from, also when nobody waits for the rest any more."""

    def __init__(self, file: Download, resources: ExitStack, *, inline: bool) -> None:
        header = disposition(file.file_name, inline=inline)
        super().__init__(file.chunks, media_type=file.media_type, headers={"Content-Disposition": header})
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._resources:
            await super().__call__(scope, receive, send)


def streamed(ask: Callable[[Session], Download], *, inline: bool = False) -> StreamingResponse:
    """The answer that streams what ``ask`` returns. ``inline``: the browser shows it instead of saving it.

    The first chunk is made before the answer begins, so that a refusal or a failure still has its own status.
    """
    with ExitStack() as resources:
        session = resources.enter_context(runtime.sessions()())
        file = ask(session)
        first = next(file.chunks, b"")
        return _FromSession(replace(file, chunks=chain((first,), file.chunks)), resources.pop_all(), inline=inline)


def disposition(file_name: str, *, inline: bool = False) -> str:
    """The Content-Disposition header (RFC 6266): a plain name for all, and the true one where it is not plain."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", file_name)
    header = f'{"inline" if inline else "attachment"}; filename="{plain}"'
    return header if plain == file_name else f"{header}; filename*=UTF-8''{quote(file_name, safe='')}"
