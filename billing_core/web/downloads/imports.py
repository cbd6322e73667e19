"""The rows that an import rejected, the lines that it would remove, and templates of files to import."""

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from billing_core.imports import inbox
from billing_core.imports.templates import files as templates
from billing_core.reports.exports.formats import Download
from billing_core.web.access import CurrentActor
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.streaming import disposition, streamed

router = APIRouter(prefix="/downloads/imports", route_class=StrictRoute)


@router.get("/templates/{name}")
def template(name: str, actor: CurrentActor) -> Response:
    """The columns of a kind with example rows, such as ``customers.csv``."""
    file = templates.named(actor, name)
    return Response(file.content, media_type=file.media_type, headers={"Content-Disposition": disposition(file.name)})


@router.get("/{token}/rejected.csv")
def rejected_rows(token: str, actor: CurrentActor) -> StreamingResponse:
    """Line, column, value and reason of every rejected row of a file that the same person has dropped."""
    return streamed(
        lambda session: Download(
            "rejected-rows.csv", "text/csv; charset=utf-8", inbox.rejected_rows(session, actor, token)
        )
    )


@router.get("/{token}/removed.csv")
def removed_lines(token: str, actor: CurrentActor) -> StreamingResponse:
    """Order, SKU and quantity of every line that a file would remove, which the same person has dropped."""
    return streamed(
        lambda session: Download(
            "removed-lines.csv", "text/csv; charset=utf-8", inbox.lines_that_go(session, actor, token)
        )
    )
