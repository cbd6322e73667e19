"""Which process works on which customers of a run."""

from collections.abc import Sequence

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import BillRunCustomer, RunOutcome


def free(session: Session, process_ids: Sequence[str]) -> dict[str, int]:
    """Customers whom these processes have not completed wait for another one; returns how many each had in hand.

    A row that is locked is passed over: where a machine vanished, its transaction may still be open, and nobody may
    wait for that. Nothing depends on it, as the claim of a process that does not live keeps nobody off.
    """
    theirs = (BillRunCustomer.process_id.in_(process_ids), BillRunCustomer.outcome == RunOutcome.WAITING)
    counted = select(BillRunCustomer.process_id, func.count()).where(*theirs).group_by(BillRunCustomer.process_id)
    in_hand = {str(row[0]): row[1] for row in session.execute(counted)}
    key = (BillRunCustomer.run_id, BillRunCustomer.customer_id)
    unlocked = select(*key).where(*theirs).with_for_update(skip_locked=True).correlate(None)
    freed = update(BillRunCustomer).where(tuple_(*key).in_(unlocked)).values(process_id=None)
    session.execute(freed.execution_options(synchronize_session=False))
    return in_hand
