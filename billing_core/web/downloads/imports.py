"""The rows that an import rejected, as CSV."""

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from billing_core.imports import inbox
from billing_core.reports.exports.formats import Download
from billing_core.web.access import CurrentActor
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads/imports")


@router.get("/{token}/rejected.csv")
def rejected_rows(token: str, actor: CurrentActor) -> StreamingResponse:
    """Line, column, value and reason of every rejected row of a file that the same person has dropped."""
    return streamed(
        lambda session: Download(
            "rejected-rows.csv", "text/csv; charset=utf-8", inbox.rejected_rows(session, actor, token)
        )
    )
