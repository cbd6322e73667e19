"""A server of the product on BILLING_DATABASE_URL, which prints its port and works on imports too, until it is killed.

It answers as many requests as a test makes.
"""

import socket
import sys

import uvicorn
from limits import RateLimitItemPerSecond
from starlette.applications import Starlette

from billing_core import web
from billing_core.web.api.middleware import rate_limit

for limit in ("PER_SECOND", "PER_MINUTE"):
    setattr(rate_limit, limit, RateLimitItemPerSecond(1_000_000, namespace=limit))
app = Starlette(
    routes=web.routes(), middleware=web.middleware(), exception_handlers=web.HANDLERS, lifespan=web.lifespan
)
with socket.create_server(("127.0.0.1", 0)) as listening:
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, lifespan="on", log_level="error")).run(sockets=[listening])
