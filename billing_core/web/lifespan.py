"""What starts and stops with the process."""

import asyncio
import functools
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import structlog

from billing_core import logs, runtime
from billing_core.database import backup_files, migrate, sqlite
from billing_core.jobs import engine
from billing_core.settings import settings
from billing_core.web import activity
from billing_core.web.accounts import set_up
from billing_core.web.accounts.demo_filling import filling
from billing_core.web.api import event_payloads, exact_json

_log = structlog.get_logger()


@asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[None]:
    logs.configure()
    set_up_address = await asyncio.to_thread(_prepare)
    print(_greeting(set_up_address), flush=True)  # noqa: T201  # the person at the terminal reads this
    writing = asyncio.create_task(activity.keep_writing())
    try:
        async with engine.lifespan(event_payloads.rendered, exact_json.encode):
            with _jobs_ending_when_told_to():
                yield
    finally:
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await asyncio.to_thread(activity.write)


@contextmanager
def _jobs_ending_when_told_to() -> Iterator[None]:
    """At the signal itself: the server goes on until the last answer is through, which may be a long download."""
    # Only the main thread may handle signals; where another one runs the server, the jobs end with it.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    for each, server in handlers.items():
        if callable(server):
            signal.signal(each, functools.partial(_end_jobs, server))
    try:
        yield
    finally:
        for each, server in handlers.items():
            signal.signal(each, server)


def _end_jobs(server: Callable[..., object], number: int, frame: object) -> None:
    threading.Thread(target=engine.stop, name="ending jobs", daemon=True).start()
    server(number, frame)


def _prepare() -> str | None:
    """Ensure the secret and an up-to-date database; returns the set-up address while the product is not set up."""
    settings().signing_key()
    for removed in backup_files.clean(settings().data_dir):
        _log.info("what a killed process left behind was removed", file=str(removed))
    database = runtime.sessions().engine
    migrate.upgrade(database)
    sqlite.refresh_statistics(database)
    filling.resume()
    return set_up.fresh_address()


def _greeting(set_up_address: str | None) -> str:
    if set_up_address is None:
        return f"\n  Billing runs at {settings().address}\n"
    return f"\n  Billing runs. Nobody can sign in yet: set it up at\n\n  {set_up_address}\n\n  This link works once.\n"
