"""Which process works on which import job."""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from billing_core.imports.models import FileState, ImportFile, ImportJob


def free(session: Session, process_ids: Sequence[str]) -> dict[str, int]:
    """Jobs that these processes have not completed wait for another one; returns how many each had in hand."""
    theirs = (ImportJob.process_id.in_(process_ids), ImportJob.finished_at.is_(None))
    counted = select(ImportJob.process_id, func.count()).where(*theirs).group_by(ImportJob.process_id)
    in_hand = {str(row[0]): row[1] for row in session.execute(counted)}
    at_work = (ImportFile.job_id.in_(select(ImportJob.id).where(*theirs)), ImportFile.state == FileState.RUNNING)
    session.execute(update(ImportFile).where(*at_work).values(state=FileState.WAITING, step="", done=0))
    session.execute(update(ImportJob).where(*theirs).values(process_id=None))
    return in_hand
