"""A worker on BILLING_DATABASE_URL that is killed in the middle of the workflow that it enqueues: see ``lingering``.

FILE is what the workflow writes into.
"""

import os
import threading

from billing_core.jobs import engine, queues
from billing_core.processes.models import ProcessKind
from tests.jobs.lingering import linger

engine.start(kind=ProcessKind.WORKER)
queues.enqueue(queues.BILL_RUNS, linger, os.environ["FILE"], workflow_id="lingers")
threading.Event().wait(300)
