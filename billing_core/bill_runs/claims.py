"""Which process works on which customers of a run."""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import BillRunCustomer, RunOutcome


def free(session: Session, process_ids: Sequence[str]) -> dict[str, int]:
    """Customers whom these processes have not completed wait for another one; returns how many each had in hand."""
    theirs = (BillRunCustomer.process_id.in_(process_ids), BillRunCustomer.outcome == RunOutcome.WAITING)
    counted = select(BillRunCustomer.process_id, func.count()).where(*theirs).group_by(BillRunCustomer.process_id)
    in_hand = {str(row[0]): row[1] for row in session.execute(counted)}
    session.execute(update(BillRunCustomer).where(*theirs).values(process_id=None))
    return in_hand
