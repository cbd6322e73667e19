"""What starts and stops with the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from billing_core import logs, runtime
from billing_core.database import migrate
from billing_core.jobs import engine
from billing_core.settings import settings
from billing_core.web import activity
from billing_core.web.accounts import set_up
from billing_core.web.accounts.demo_filling import filling
from billing_core.web.api import event_payloads, exact_json


@asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[None]:
    logs.configure()
    set_up_address = await asyncio.to_thread(_prepare)
    print(_greeting(set_up_address), flush=True)  # noqa: T201  # the person at the terminal reads this
    writing = asyncio.create_task(activity.keep_writing())
    try:
        async with engine.lifespan(event_payloads.rendered, exact_json.encode):
            yield
    finally:
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await asyncio.to_thread(activity.write)


def _prepare() -> str | None:
    """Ensure the secret and an up-to-date database; returns the set-up address while the product is not set up."""
    settings().signing_key()
    migrate.upgrade(runtime.sessions().engine)
    filling.resume()
    return set_up.fresh_address()


def _greeting(set_up_address: str | None) -> str:
    if set_up_address is None:
        return f"\n  Billing runs at {settings().address}\n"
    return f"\n  Billing runs. Nobody can sign in yet: set it up at\n\n  {set_up_address}\n\n  This link works once.\n"
