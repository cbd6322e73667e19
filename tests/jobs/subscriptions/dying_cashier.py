"""A process that renews and charges the subscriptions of BILLING_DATABASE_URL and is killed.

DYING says when: "renewing" while the second renewal is written and not committed, "charging" right after the second
charge, whose outcome nobody has recorded, "recording" while that is written and not committed.
"""

import os
import signal
import threading

from billing_core.jobs import engine
from billing_core.online_payments.off_session import attempts
from billing_core.subscriptions import collecting, invoicing

DYING = os.environ["DYING"]
module, name = {
    "renewing": (invoicing, "issue"),
    "charging": (attempts, "charge"),
    "recording": (collecting, "_react"),
}[DYING]
usual = getattr(module, name)
calls = 0


def call_and_die(*arguments, **facts):
    global calls
    calls += 1
    done = usual(*arguments, **facts)
    if calls == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return done


setattr(module, name, call_and_die)
engine.start()
threading.Event().wait(300)
