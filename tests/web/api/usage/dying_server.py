"""A server of the product on BILLING_DATABASE_URL, which prints its port and is killed while it records usage.

DYING says when: "identified" once the events' ids are taken, "written" before they are counted, "counted" before the
commit, "committed" before anybody is answered.
"""

import os
import signal
import socket
import sys

import uvicorn
from starlette.applications import Starlette

from billing_core import web
from billing_core.audit import service as audit
from billing_core.metering import keeping
from billing_core.web.api import exact_json

PLACES = {
    "identified": (keeping, "keep"),
    "written": (keeping, "_COUNT"),
    "counted": (audit, "record"),
    "committed": (exact_json.ExactJSON, "__call__"),
}


class Death:
    """Whoever comes to it dies."""

    def __call__(self, *_arguments, **_facts):
        os.kill(os.getpid(), signal.SIGKILL)

    __getitem__ = __call__


setattr(*PLACES[os.environ["DYING"]], Death())
app = Starlette(routes=web.routes(), middleware=web.middleware(), exception_handlers=web.HANDLERS)
with socket.create_server(("127.0.0.1", 0)) as listening:
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error")).run(sockets=[listening])
