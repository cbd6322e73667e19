"""The rows that an import rejected, the lines that it would remove, what imports of before changed, and templates."""

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from billing_core.imports import inbox
from billing_core.imports.history import reading
from billing_core.imports.templates import files as templates
from billing_core.reports.exports.formats import Download
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.parameters import split_name
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


@router.get("/history/{name}")
def changes_of_import(name: str, actor: CurrentActor) -> StreamingResponse:
    """``15.csv``: every row that an import made, and every cell that it changed or removed, before and after."""
    run_id, _ = split_name(name, r"[0-9]{1,9}", "import", ending="csv")
    return streamed(
        lambda session: Download(
            f"import-{run_id}.csv", "text/csv; charset=utf-8", reading.as_csv(session, actor, int(run_id))
        )
    )
