"""A process that takes up the bill runs of BILLING_DATABASE_URL and is killed in the middle of the third customer."""

import os
import signal
import threading

from billing_core.bill_runs import taking
from billing_core.jobs import engine

mark = taking.mark
customers = 0


def mark_or_die(*arguments):
    global customers
    customers += 1
    if customers == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    mark(*arguments)


taking.mark = mark_or_die
engine.start()
threading.Event().wait(300)
