"""Whether the process runs, and whether it can do its work."""

from collections.abc import Mapping

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from billing_core import runtime
from billing_core.database import migrate
from billing_core.database.files import opened_file
from billing_core.jobs import periodic, queues

router = APIRouter()


@router.get("/healthz")
def alive() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz")
def ready() -> JSONResponse:
    """503 while the database does not answer, has lost its file or is not at this version's revision, or the jobs do
    not run.
    """
    if reason := opened_file.problem(runtime.sessions().engine):
        return JSONResponse({"status": reason}, 503)
    try:
        current = migrate.is_current(runtime.sessions().engine)
    except SQLAlchemyError:
        return JSONResponse({"status": "the database does not answer"}, 503)
    if not current:
        return JSONResponse({"status": "the database must be migrated"}, 503)
    jobs = running_jobs()
    if not jobs or not all(jobs.values()):
        ended = sorted(name for name, alive in jobs.items() if not alive)
        return JSONResponse({"status": "the jobs do not run", "ended": ended}, 503)
    return JSONResponse({"status": "ok", "jobs": sorted(jobs)})


def running_jobs() -> Mapping[str, bool]:
    """Whether each job is running; empty before they are started, and while the process ends."""
    return periodic.going_on() if queues.ready.is_set() else {}
