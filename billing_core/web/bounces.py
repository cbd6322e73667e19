"""The address at which a mail server hands over mails that came back, as it got them."""

import hmac

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from billing_core import runtime
from billing_core.bounces import recording
from billing_core.dates import utc_now
from billing_core.errors import NotFound
from billing_core.identity import SYSTEM
from billing_core.settings import settings

router = APIRouter()


@router.post("/webhooks/bounces")
async def from_mail_server(request: Request) -> JSONResponse:
    """200 for every mail with the secret, whatever it says: who sends it learns nothing of ours. 404 while there is no
    secret.
    """
    secret = settings().bounce_secret
    if secret is None:
        raise NotFound("There is no such address")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    expected = secret.get_secret_value().encode()
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
        return JSONResponse({"detail": "This needs the secret of BILLING_BOUNCE_SECRET as bearer token"}, 401)
    mail = await request.body()
    await run_in_threadpool(recording.take_in, runtime.sessions(), SYSTEM, mail, now=utc_now())
    return JSONResponse({"received": True})
