"""Which process works on which import job."""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from billing_core.imports.models import FileState, ImportFile, ImportJob


def free(session: Session, process_ids: Sequence[str]) -> dict[str, int]:
    """Jobs that these processes have not completed wait for another one; returns how many each had in hand.

    What is locked is passed over: where a machine vanished, its transaction may still be open, and nobody may wait for
    that. Whoever takes up the job next claims it anyway.
    """
    theirs = (ImportJob.process_id.in_(process_ids), ImportJob.finished_at.is_(None))
    counted = select(ImportJob.process_id, func.count()).where(*theirs).group_by(ImportJob.process_id)
    in_hand = {str(row[0]): row[1] for row in session.execute(counted)}
    at_work = (ImportFile.job_id.in_(select(ImportJob.id).where(*theirs)), ImportFile.state == FileState.RUNNING)
    for kind, which, values in (
        (ImportFile, at_work, {"state": FileState.WAITING, "step": "", "done": 0}),
        (ImportJob, theirs, {"process_id": None}),
    ):
        unlocked = select(kind.id).where(*which).with_for_update(skip_locked=True).correlate(None)
        freed = update(kind).where(kind.id.in_(unlocked)).values(values)
        session.execute(freed.execution_options(synchronize_session=False))
    return in_hand
