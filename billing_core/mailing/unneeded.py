"""When nobody is reminded of an invoice: its money is on its way, or here already as the customer's credit."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import PaymentLink
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.online_payments.models import AttemptState, ChargeAttempt

# A debit takes a few days; what is told of no more by then does not come.
_PENDING_FOR: Final = timedelta(days=21)

UNDER_WAY: Final = "is being paid: a charge is under way"
PAID_FIRST: Final = "is paid from the customer’s credit first"
COVERED: Final = "is covered by the customer’s credit: use it for the invoice"


def being_charged(today: date) -> ColumnElement[bool]:
    """In SQL: a card on file is being charged for the invoice, or a payment by one of its links has not arrived yet."""
    since = datetime.combine(today, time(), UTC) - _PENDING_FOR
    pending = PaymentLink.last_pending_at
    return or_(
        exists().where(ChargeAttempt.invoice_id == Invoice.id, ChargeAttempt.state == AttemptState.STARTED),
        exists().where(
            PaymentLink.invoice_id == Invoice.id,
            pending > since,
            or_(PaymentLink.last_paid_at.is_(None), PaymentLink.last_paid_at < pending),
            or_(PaymentLink.last_failed_at.is_(None), PaymentLink.last_failed_at < pending),
        ),
    )


def covered_by_credit() -> ColumnElement[bool]:
    """In SQL: the customer's credit with the business pays it, once it has paid what was due before."""
    other = aliased(Invoice)
    same = (
        other.customer_id == Invoice.customer_id,
        other.business_id == Invoice.business_id,
        other.currency == Invoice.currency,
    )
    before = or_(
        other.late_after < Invoice.late_after,
        and_(other.late_after == Invoice.late_after, other.id <= Invoice.id),
    )
    # Only open ones have something due. Asked for their state, SQLite would read the open invoices of everybody.
    owed = select(func.sum(other.due_minor)).where(other.due_minor > 0, *same, before).scalar_subquery()
    posted = (
        select(func.coalesce(func.sum(LedgerPosting.amount_minor), 0))
        .where(
            LedgerPosting.account == Account.CUSTOMER_CREDIT,
            LedgerPosting.customer_id == Invoice.customer_id,
            LedgerPosting.currency == Invoice.currency,
            LedgerPosting.business_id == Invoice.business_id,
        )
        .scalar_subquery()
    )
    # Most customers have no credit: of them nothing else is asked.
    return and_(Invoice.due_minor > 0, -posted >= Invoice.due_minor, -posted >= owed)
