"""Requests made from the published description, allowed ones and others, alone and following its links.

Everything that schemathesis knows to check is checked: no 5xx, only described statuses, bodies and headers, what the
description allows works, what it does not is refused, credentials are needed, and no method is there by accident.
To look further than a few seconds do: raise EXAMPLES, and take another SEED.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.identity import SESSION_COOKIE
from tests.invoices.company import a_customer, an_invoice
from tests.subscriptions.signed_up import a_plan
from tests.web.api.reporting import ACME, two_customers

pytestmark = [pytest.mark.slow, pytest.mark.later]

EXAMPLES, SEED = 5, 5
# Refused though the description allows them: a precondition that fails, a key of another request, too often. And what
# DELETE does to an invoice, the document calls cancelling: it stays, and can be read.
CONFIG = """\
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412, 422, 429]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 409, 412, 413, 422, 429]
use_after_free.enabled = false
[generation]
deterministic = true
"""
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


@pytest.fixture
def database_url(sqlite_url) -> str:
    """What a description says does not depend on the database."""
    return sqlite_url


@pytest.fixture
def described(api, ana, sessions) -> Iterator[str]:
    """The product behind a real port, with some of everything: its description's address."""
    with sessions.begin() as session:
        two_customers(session)
        an_invoice(session, a_customer(session))
        a_plan(session, "plan_pro")
    server = uvicorn.Server(uvicorn.Config(api, port=0, log_level="error", lifespan="off"))
    running = threading.Thread(target=server.run)
    running.start()
    while not server.started:
        assert running.is_alive()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/api/openapi.json"
    server.should_exit = True
    running.join()


@pytest.fixture
def no_findings(described, sessions, tmp_path):
    """``no_findings({"bearer": …}, "--phases", …)``: with these credentials there is nothing to complain about."""

    def run(credentials: dict[str, str], *options: str) -> None:
        config = tmp_path / "schemathesis.toml"
        config.write_text(
            CONFIG + "".join(f"[auth.openapi.{scheme}]\n{said}\n" for scheme, said in credentials.items())
        )
        with sessions() as session:
            business_id = default_business(session).public_id
            customer_id = session.get_one(Customer, ACME).public_id
        finished = subprocess.run(
            [
                shutil.which("schemathesis", path=str(Path(sys.executable).parent)),
                f"--config-file={config}",
                "run",
                described,
                "--checks=all",
                "--exclude-checks=use_after_free",
                f"--max-examples={EXAMPLES}",
                f"--seed={SEED}",
                "--generation-database=none",
                "--no-color",
                *options,
            ],
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": str(HOOKS),
                "BUSINESS_ID": business_id,
                "CUSTOMER_ID": customer_id,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout[-20_000:] + finished.stderr
        assert "API Links" in finished.stdout

    return run


def test_a_programs_requests(no_findings, key_of):
    no_findings({"bearer": f'bearer = "{key_of("admin").secret_key}"'})


def test_a_browsers_requests(no_findings, front_end):
    """The bounds of every input have been tried out by the program."""
    client = front_end()
    no_findings(
        {
            "session": f'api_key = "{client.cookies[SESSION_COOKIE]}"',
            "csrf": f'api_key = "{client.headers["X-CSRF-Token"]}"',
        },
        "--phases=fuzzing,stateful",
    )
