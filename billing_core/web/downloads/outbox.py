"""Messages of the outbox as files that mail programs open."""

from fastapi import APIRouter
from starlette.responses import Response

from billing_core.mailing import dispatch
from billing_core.settings import settings
from billing_core.web.access import CurrentActor, Reading
from billing_core.web.downloads.parameters import split_name
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.streaming import disposition

router = APIRouter(prefix="/downloads", route_class=StrictRoute)


@router.get("/outbox/{name}")
def message(name: str, actor: CurrentActor, session: Reading) -> Response:
    """``15.eml``: the mail with its attachments, whether it has left or not."""
    message_id, _ = split_name(name, r"[0-9]{1,18}", "message", ending="eml")
    file_name, content = dispatch.eml(session, actor, int(message_id), settings())
    headers = {"Content-Disposition": disposition(file_name)}
    return Response(content, media_type="message/rfc822", headers=headers)
