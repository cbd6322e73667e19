"""A worker on BILLING_DATABASE_URL whose workflow takes minutes and does not look up; it says when it is in it."""

import asyncio
import time

from dbos import DBOS

from billing_core.commands import worker
from billing_core.jobs import engine, queues


@DBOS.workflow(name="stands_still")
def stand_still(_file: str) -> None:
    print("deep in work", flush=True)  # noqa: T201  # the test waits for it
    time.sleep(300)


start = engine.start


def start_with_work(**options):
    start(**options)
    queues.enqueue(queues.BILL_RUNS, stand_still, "", workflow_id="stands-still")


engine.start = start_with_work
asyncio.run(worker._until_told_to_end())
