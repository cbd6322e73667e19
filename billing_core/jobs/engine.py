"""Starting and stopping DBOS, which remembers unfinished work when the process ends.

Its tables are in a schema of their own on PostgreSQL, or in a file beside ours on SQLite.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dbos import DBOS

from billing_core import runtime
from billing_core.jobs import (
    bill_run,
    daily,
    gateway_delivery,
    imports,
    incoming_webhook_processing,
    ledger_sealing,
    link_expiry,
    outbox_delivery,
    outgoing_webhook_delivery,
    queues,
    system_database,
)
from billing_core.outgoing_webhooks.delivery import Rendering, Serialising

# Fixed: by default it is a hash of the code, and an upgrade would abandon unfinished work.
APPLICATION_VERSION = "1"
# How long an ending process waits for the current customer of a run.
STOP_TIMEOUT_SECONDS = 10


def start(*, beside: bool = False) -> None:
    """Resume what the last process left, and accept new work. Connects only to the database.

    ``beside`` the product nothing is resumed: DBOS would hand over a bill run that the product is working on, and the
    run would stop with this process.
    """
    DBOS(
        config={
            "name": "billing",
            "system_database_url": system_database.address(runtime.sessions().engine.url),
            "application_version": APPLICATION_VERSION,
            "log_level": "WARNING",
            "executor_id": f"worker-{secrets.token_hex(8)}" if beside else None,
        }
    )
    # Before the launch, which at once resumes what the last process left.
    queues.ready.set()
    DBOS.launch()
    queues.register()
    if not beside:
        bill_run.begin_unfinished()
    daily.start()
    link_expiry.start()
    ledger_sealing.job.start()
    outbox_delivery.job.start()
    gateway_delivery.job.start()
    incoming_webhook_processing.job.start()
    imports.job.start()


def stop() -> None:
    """Work in progress stops after its current customer, and is resumed by the next ``start``."""
    queues.ready.clear()
    incoming_webhook_processing.stop(timeout_seconds=STOP_TIMEOUT_SECONDS)
    ledger_sealing.job.stop(timeout_seconds=STOP_TIMEOUT_SECONDS)
    outbox_delivery.job.stop(timeout_seconds=STOP_TIMEOUT_SECONDS)
    gateway_delivery.job.stop(timeout_seconds=STOP_TIMEOUT_SECONDS)
    imports.job.stop(timeout_seconds=STOP_TIMEOUT_SECONDS)
    DBOS.destroy(workflow_completion_timeout_sec=STOP_TIMEOUT_SECONDS)


@asynccontextmanager
async def lifespan(render: Rendering, serialise: Serialising, *, beside: bool = False) -> AsyncIterator[None]:
    """``start`` and ``stop`` around the process's life, off the event loop. The arguments are for webhooks."""
    telling = outgoing_webhook_delivery.job(render, serialise)
    await asyncio.to_thread(start, beside=beside)
    telling.start()
    try:
        yield
    finally:
        await asyncio.to_thread(telling.stop, timeout_seconds=STOP_TIMEOUT_SECONDS)
        await asyncio.to_thread(stop)
