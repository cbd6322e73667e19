"""A process that delivers the outbox of BILLING_DATABASE_URL and is killed in the middle of the second mail.

DYING says when: "before" the mail server has it, or "after" its yes and before our mark.
"""

import os
import signal
import threading

from billing_core.jobs import engine
from billing_core.outbox import smtp

send = smtp.send
mails = 0


def send_or_die(*arguments, **facts):
    global mails
    mails += 1
    if mails == 2 and os.environ["DYING"] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    send(*arguments, **facts)
    if mails == 2:
        os.kill(os.getpid(), signal.SIGKILL)


smtp.send = send_or_die
engine.start()
threading.Event().wait(300)
