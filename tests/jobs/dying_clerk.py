"""A process that takes in events of the payment gateway into BILLING_DATABASE_URL and is killed.

DYING says when: "stored" after the last event was answered and before any was applied, or "applied" after the
second one was applied and before that was committed. EVENTS is a file with a JSON list of events.
"""

import json
import os
import signal
from pathlib import Path

from sqlalchemy.orm import object_session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from billing_core import web
from billing_core.dates import utc_now
from billing_core.jobs import incoming_webhook_processing
from billing_core.online_payments import configured
from billing_core.online_payments.stripe import signature as stripe_signature
from billing_core.online_payments.webhooks import inbox
from billing_core.settings import settings

mark = inbox._mark
marked = 0


def mark_or_die(*arguments):
    global marked
    marked += 1
    mark(*arguments)
    if marked == 2:
        object_session(arguments[0]).flush()
        os.kill(os.getpid(), signal.SIGKILL)


client = TestClient(Starlette(routes=web.routes(), middleware=web.middleware()))
for event in json.loads(Path(os.environ["EVENTS"]).read_text()):
    payload = json.dumps(event).encode()
    signature = stripe_signature.signed(payload, configured.webhook_secret(settings()), utc_now())
    answer = client.post("/webhooks/stripe", content=payload, headers={"Stripe-Signature": signature})
    assert answer.status_code == 200, answer.text
if os.environ["DYING"] == "applied":
    inbox._mark = mark_or_die
    incoming_webhook_processing.process_waiting()
os.kill(os.getpid(), signal.SIGKILL)
