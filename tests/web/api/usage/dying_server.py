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
from billing_core.metering import keeping, rollups
from billing_core.web.api import exact_json

PLACES = {
    "identified": (keeping, "keep"),
    "written": (rollups, "add"),
    "counted": (audit, "record"),
    "committed": (exact_json.ExactJSON, "__call__"),
}


def die(*_arguments, **_facts):
    os.kill(os.getpid(), signal.SIGKILL)


setattr(*PLACES[os.environ["DYING"]], die)
app = Starlette(routes=web.routes(), middleware=web.middleware(), exception_handlers=web.HANDLERS)
with socket.create_server(("127.0.0.1", 0)) as listening:
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error")).run(sockets=[listening])
