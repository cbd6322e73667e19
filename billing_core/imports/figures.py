"""The figure of imports that failed through no fault of their files."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists

from billing_core.figures import Figure, Scope, day_of, one_each
from billing_core.identity import Permission
from billing_core.imports.models import FileState, ImportFile, ImportJob


def failed_import() -> ColumnElement[bool]:
    """In SQL: the job failed, and still has a file that it left undone. Once its owner tries that file again or throws
    it away, nothing is left to do.
    """
    left = exists().where(ImportFile.job_id == ImportJob.id, ImportFile.state == FileState.REFUSED)
    return and_(ImportJob.finished_at.is_not(None), ImportJob.reason != "", left)


def _failed(_scope: Scope) -> Select[*tuple[Any, ...]]:
    named = ImportJob.requested_by + ": " + ImportJob.reason
    return one_each(ImportJob.id, named, day_of(ImportJob.requested_at)).where(failed_import())


FAILED_IMPORTS: Final = Figure(
    key="failed_imports",
    title="Imports that failed",
    definition="Imports that failed through no fault of their files, which nobody has tried again or thrown away.",
    formula="number of imports",
    permission=Permission.JOBS_MANAGE,
    rows=_failed,
)
