"""The proof that the tax of all documents is the tax that the ledger has, by business, currency, day and rate."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core import proof
from billing_core.figures import Scope
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.money import Money
from billing_core.proof import Check
from billing_core.tax_returns.documents import documents


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _posted(session)


def _posted(session: Session) -> Check:
    found = documents(Scope()).c
    key = (found.business_id, found.currency, found.day, found.rate)
    printed = _sums(session, select(*key, func.sum(found.tax)).group_by(*key))
    posting = (LedgerPosting.business_id, LedgerPosting.currency, LedgerPosting.effective_on, LedgerPosting.detail)
    taxes = select(*posting, -func.sum(LedgerPosting.amount_minor)).group_by(*posting)
    posted = _sums(session, taxes.where(LedgerPosting.account == Account.TAX_PAYABLE))
    differing = sorted(one for one in printed.keys() | posted.keys() if printed[one] != posted[one])
    return Check(
        "Tax by rate and day, as invoices and credit notes print it, is the tax that was posted",
        len(printed),
        tuple(
            f"business {business}, {day}, {rate.normalize():f} %: {Money(printed[key], currency)} on documents, "
            f"{Money(posted[key], currency)} posted"
            for key in differing[: proof.NAMED]
            for business, currency, day, rate in [key]
        ),
    )


def _sums(session: Session, statement: Any) -> Counter[Any]:
    """Minor units by business, currency, day and rate."""
    sums: Counter[Any] = Counter()
    for business, currency, day, rate, minor in session.execute(statement):
        sums[business, currency, day, Decimal(rate)] += int(minor)
    return sums
