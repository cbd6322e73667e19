"""What is made for one customer of a run, of its orders or its usage.

All of it and its mark of completion are one transaction (two around the call for a payment link), so a process may be
killed at any point and several may work on the same customers: nobody is billed twice and nobody is left out.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from billing_core.bill_runs import from_orders, from_usage, sending
from billing_core.bill_runs.models import RunSource
from billing_core.bill_runs.taking import Facts, Taken, Terms

_BILL: Final = {RunSource.ORDERS: from_orders.bill, RunSource.USAGE: from_usage.bill}


def bill(session: Session, terms: Terms, taken: Taken, *, now: datetime) -> Facts:
    """Take the customer as far as one transaction can."""
    return _BILL[terms.source](session, terms, taken, now=now)


def bill_together(session: Session, terms: Terms, taken: Sequence[Taken], *, now: datetime) -> dict[int, Facts]:
    """What was made for each of these customers, for whom no earlier try has made anything, by the customer."""
    return from_usage.bill_together(session, terms, [one.customer_id for one in taken], now=now)


def mail(session: Session, terms: Terms, taken: Taken, *, now: datetime) -> Facts:
    """Mail what was sent with its payment link."""
    return sending.all_mailed(session, terms, taken, now=now)
