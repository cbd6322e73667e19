"""Imports for programs, /api/v1/imports: each route asks the service once."""

from typing import Annotated, Any, Final

from fastapi import Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import idempotent
from billing_core.imports import Kind
from billing_core.imports.models import Holds
from billing_core.imports.next_steps import counting
from billing_core.imports.posted import queries
from billing_core.imports.posted import service as posting
from billing_core.imports.posted.queries import Posted, PostedState, Poster
from billing_core.jobs import nudges
from billing_core.processes.models import Queue
from billing_core.reports.exports.formats import Download
from billing_core.web.api.access import CurrentCaller, Reading, Transaction, claim_of
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.imports import responses
from billing_core.web.api.imports.requests import (
    FORM_BODY,
    LARGEST_ID,
    Confirmation,
    ImportAnswers,
    ImportId,
    OfFile,
    OfKind,
    given_beside,
    poster_of,
)
from billing_core.web.api.paging import MORE, next_page
from billing_core.web.api.routing import router as described_router
from billing_core.web.requests.uploads import GivenUpload
from billing_core.web.requests.values import IN_DIGITS
from billing_core.web.streaming import streamed

router = described_router(prefix="/api/v1/imports", tags=["Imports"])
DEFAULT_LIMIT: Final = 20
MOST_AT_ONCE: Final = 100
_NONE: Final = "There is no such import, or it was posted by another key or person"
_CSV: Final[dict[str, Any]] = {"content": {"text/csv": {"schema": {"type": "string"}}}}


def _refused(why: str) -> dict[int | str, dict[str, Any]]:
    return {404: {"description": _NONE}, 409: {"description": f"{why}, or this Idempotency-Key is being used"}}


@router.get("", response_model=responses.ImportList, responses={200: {"headers": MORE}}, summary="List imports")
def list_imports(
    request: Request,
    caller: CurrentCaller,
    session: Reading,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most"), IN_DIGITS] = DEFAULT_LIMIT,
    starting_after: Annotated[
        int | None, Query(ge=1, le=LARGEST_ID, description="The `id` that the page before ended with"), IN_DIGITS
    ] = None,
) -> Response:
    """Those of the last day that this key, or person, has posted, the newest first."""
    rows = queries.newest(session, poster_of(caller), before=starting_after, limit=limit + 1)
    shown = rows[:limit]
    answer: responses.ImportList = {"imports": [responses.summary(row) for row in shown], "count": len(shown)}
    return ExactJSON(answer, headers=next_page(request, shown[-1].id) if len(rows) > limit else None)


@router.post(
    "",
    status_code=202,
    response_model=responses.ImportShown,
    openapi_extra={"requestBody": FORM_BODY},
    responses={
        202: {"headers": {"Location": {"description": "The import's own address", "schema": {"type": "string"}}}},
        413: {"description": "The body is larger than 501 MiB"},
    },
    summary="Post a file to be imported",
)
def create_import(request: Request, caller: CurrentCaller, upload: GivenUpload) -> Response:
    """It is checked first, which changes nothing. Then it waits until what the check shows is confirmed, unless
    `when_certain` lets it go in by itself.
    """
    given, when_certain = given_beside(upload.fields)
    poster = poster_of(caller)
    posted, _job = posting.post(
        runtime.sessions(),
        poster,
        upload.file_name,
        upload.chunks(),
        given,
        when_certain=when_certain,
        now=utc_now(),
        also=lambda session: _done(request, session),
    )
    return _begun(poster, posted, {"Location": f"/api/v1/imports/{posted}"})


@router.get(
    "/{import_id}",
    response_model=responses.ImportShown,
    responses={404: {"description": _NONE}},
    summary="Get an import",
)
def get_import(caller: CurrentCaller, session: Reading, import_id: ImportId) -> Response:
    """How far it is, and what the check shows, or what was imported."""
    poster = poster_of(caller)
    return ExactJSON(_shown(session, poster, queries.one(session, poster, import_id)))


@router.post(
    "/{import_id}/confirm",
    status_code=202,
    response_model=responses.ImportShown,
    responses=_refused("It is not the token of what is shown now, or there is nothing to confirm"),
    summary="Confirm an import",
)
def confirm_import(request: Request, caller: CurrentCaller, import_id: ImportId, given: Confirmation) -> Response:
    """Import exactly what was shown. Where that would be something else by now, nothing is imported: it waits again,
    with `changed_since`, what it would do now, and another token.
    """
    poster = poster_of(caller)
    with runtime.sessions().begin() as session:
        posting.confirm(session, poster, import_id, given.token, now=utc_now())
        _done(request, session)
    return _begun(poster, import_id)


@router.post(
    "/{import_id}/answers",
    status_code=202,
    response_model=responses.ImportShown,
    responses=_refused("It is being worked on, imported or called off"),
    summary="Answer what is unsure of an import",
)
def answer_import(request: Request, caller: CurrentCaller, import_id: ImportId, given: ImportAnswers) -> Response:
    """It is checked again with these answers, in place of those before, and waits to be confirmed with a new token."""
    poster = poster_of(caller)
    with runtime.sessions().begin() as session:
        posting.answer(session, poster, import_id, given.given(), now=utc_now())
        _done(request, session)
    return _begun(poster, import_id)


@router.delete(
    "/{import_id}",
    status_code=204,
    responses={404: {"description": _NONE}, 409: {"description": "It is being worked on, or imported already"}},
    summary="Call an import off",
)
def call_off_import(caller: CurrentCaller, session: Transaction, import_id: ImportId) -> Response:
    """Nothing of it is imported. What was imported can be taken back on the page."""
    posting.call_off(session, poster_of(caller), import_id)
    # Whoever works on imports deletes what it held, when it looks next.
    return Response(status_code=204)


@router.get(
    "/{import_id}/rejected",
    response_class=StreamingResponse,
    responses={
        200: {**_CSV, "description": "Line, column, value and reason of every rejected row"},
        404: {"description": f"{_NONE}, or it has no rejected rows"},
        409: {"description": "There are several lists: say of which kind and file"},
    },
    summary="Get the rejected rows of an import",
)
def get_rejected_rows(
    caller: CurrentCaller, import_id: ImportId, kind: OfKind = None, file: OfFile = None
) -> StreamingResponse:
    """As CSV, to be repaired and posted again."""
    return _listed(poster_of(caller), import_id, Holds.REJECTED, "rejected-rows.csv", kind, file)


@router.get(
    "/{import_id}/removed",
    response_class=StreamingResponse,
    responses={
        200: {**_CSV, "description": "Order, SKU and quantity of every line that goes"},
        404: {"description": f"{_NONE}, or it removes no lines"},
        409: {"description": "There are several lists: say of which kind and file"},
    },
    summary="Get the lines that an import removes",
)
def get_removed_lines(
    caller: CurrentCaller, import_id: ImportId, kind: OfKind = None, file: OfFile = None
) -> StreamingResponse:
    """As CSV."""
    return _listed(poster_of(caller), import_id, Holds.GONE, "removed-lines.csv", kind, file)


def _done(request: Request, session: Session) -> None:
    """Record that a request with an Idempotency-Key has done its work."""
    if (claim := claim_of(request)) is not None:
        idempotent.mark_changed(session, claim, now=utc_now())


def _begun(poster: Poster, import_id: int, headers: dict[str, str] | None = None) -> Response:
    """After the commit: whoever is free takes it up at once."""
    nudges.tell(Queue.IMPORTS)
    with runtime.sessions()() as session:
        return ExactJSON(_shown(session, poster, queries.one(session, poster, import_id)), 202, headers)


def _shown(session: Session, poster: Poster, posted: Posted) -> responses.ImportShown:
    steps = []
    if posted.state is PostedState.IMPORTED and posted.found is not None:
        kinds = {Kind(kind) for file in posted.found["files"] for kind in file["kinds"]}
        steps = counting.after(session, poster.actor, kinds)
    return responses.shown(posted, steps)


def _listed(
    poster: Poster, import_id: int, holds: Holds, name: str, kind: Kind | None, file: str | None
) -> StreamingResponse:
    return streamed(
        lambda session: Download(
            name,
            "text/csv; charset=utf-8",
            queries.listed(session, poster, import_id, holds, kind=kind, file_name=file),
        )
    )
