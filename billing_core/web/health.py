"""Whether the process lives, and whether it can do its work."""

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from billing_core import runtime
from billing_core.database import migrate

router = APIRouter()


@router.get("/healthz")
def alive() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz")
def ready() -> JSONResponse:
    """503 while the database does not answer or is not at this version's revision."""
    try:
        current = migrate.is_current(runtime.sessions().engine)
    except SQLAlchemyError:
        return JSONResponse({"status": "the database does not answer"}, 503)
    if not current:
        return JSONResponse({"status": "the database must be migrated"}, 503)
    return JSONResponse({"status": "ok"})
