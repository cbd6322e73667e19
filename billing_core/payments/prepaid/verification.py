"""The proof that prepaid credit is what became of it, and what the ledger says."""

from collections.abc import Iterator

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from billing_core import proof
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.payments.models import Allocation, AllocationKind
from billing_core.payments.prepaid.models import MovementKind, PrepaidGrant, PrepaidMovement
from billing_core.proof import Check


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _grants(session)
    yield _allocations(session)
    yield _ledger(session)


def _grants(session: Session) -> Check:
    moved = func.coalesce(func.sum(PrepaidMovement.amount_minor), 0)
    of_taking_back = PrepaidMovement.kind.in_([MovementKind.WITHDRAWN, MovementKind.RESTORED])
    taken_back = func.coalesce(func.sum(case((of_taking_back, -PrepaidMovement.amount_minor), else_=0)), 0)
    statement = (
        select(PrepaidGrant.id, PrepaidGrant.customer_id)
        .join(PrepaidMovement, PrepaidMovement.grant_id == PrepaidGrant.id, isouter=True)
        .group_by(PrepaidGrant.id)
        .having(
            or_(
                PrepaidGrant.remaining_minor != PrepaidGrant.amount_minor + moved,
                PrepaidGrant.withdrawn_minor != taken_back,
            )
        )
    )
    return Check(
        "What is left of each prepaid credit is what was granted less what was used, expired and withdrawn",
        proof.count(session, PrepaidGrant),
        proof.named(session, statement.order_by(PrepaidGrant.id), "prepaid credit {0} of customer {1}"),
    )


def _allocations(session: Session) -> Check:
    """Of one that was undone, everything came back. What credit notes gave back is on top of that."""
    moved = func.coalesce(func.sum(PrepaidMovement.amount_minor), 0)
    left = case((Allocation.undone_at.is_(None), Allocation.amount_minor), else_=0)
    statement = (
        select(Allocation.id, Allocation.invoice_id)
        .join(
            PrepaidMovement,
            (PrepaidMovement.allocation_id == Allocation.id) & (PrepaidMovement.kind != MovementKind.REFUNDED),
            isouter=True,
        )
        .where(or_(Allocation.kind == AllocationKind.PREPAID, PrepaidMovement.id.is_not(None)))
        .group_by(Allocation.id)
        .having(or_(left != -moved, Allocation.kind != AllocationKind.PREPAID))
    )
    return Check(
        "What prepaid credit paid of each invoice was taken from it",
        proof.count(session, select(Allocation.id).where(Allocation.kind == AllocationKind.PREPAID).subquery()),
        proof.named(session, statement.order_by(Allocation.id), "invoice id {1}"),
    )


def _ledger(session: Session) -> Check:
    """By business, customer and currency."""
    key = (PrepaidGrant.business_id, PrepaidGrant.customer_id, PrepaidGrant.currency)
    left = select(*key, func.sum(PrepaidGrant.remaining_minor).label("left")).group_by(*key).cte()
    of_account = (LedgerPosting.business_id, LedgerPosting.customer_id, LedgerPosting.currency)
    posted = (
        select(*of_account, func.sum(LedgerPosting.amount_minor).label("balance"))
        .where(LedgerPosting.account == Account.PREPAID_CREDIT)
        .group_by(*of_account)
        .cte()
    )
    same = (
        (left.c.business_id == posted.c.business_id)
        & (left.c.customer_id == posted.c.customer_id)
        & (left.c.currency == posted.c.currency)
    )
    differing = or_(left.c.left.is_(None), posted.c.balance.is_(None), left.c.left != -posted.c.balance)
    customer_id = func.coalesce(left.c.customer_id, posted.c.customer_id)
    currency = func.coalesce(left.c.currency, posted.c.currency)
    statement = select(customer_id, currency).join_from(left, posted, same, full=True).where(differing)
    return Check(
        "The prepaid credit of each customer is what was posted",
        proof.count(session, left),
        proof.named(session, statement.order_by(customer_id, currency), "customer {0} in {1}"),
    )
