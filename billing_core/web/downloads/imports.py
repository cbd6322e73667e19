"""The rows that an import rejected, as CSV."""

from fastapi import APIRouter
from starlette.responses import FileResponse

from billing_core.imports import inbox
from billing_core.web.access import CurrentActor

router = APIRouter(prefix="/downloads/imports")


@router.get("/{token}/rejected.csv")
def rejected_rows(token: str, actor: CurrentActor) -> FileResponse:
    """Line, column, value and reason of every rejected row of a file that the same person has dropped."""
    path = inbox.rejected_rows(actor, token)
    return FileResponse(path, media_type="text/csv; charset=utf-8", filename="rejected-rows.csv")
