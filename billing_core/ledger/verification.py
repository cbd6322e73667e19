"""The proof of the ledger by itself: it balances, postings agree with their entries, the chain is whole.

What documents store of it is proved by their own packages.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Select, and_, case, column, func, not_, or_, select, table, union_all
from sqlalchemy.orm import Session, aliased

from billing_core import proof
from billing_core.ledger import days, sealing
from billing_core.ledger.models import EntryKind, LedgerDay, LedgerEntry, LedgerPosting, LedgerSeal, UnsealedEntry
from billing_core.proof import Check

# Its room stands above this one.
_CUSTOMERS: Final = table("customers", column("id"), column("merged_into_id"))
# Links of the chain checked at a time, which bounds the memory.
_LINKS: Final = 5_000


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn, in constant memory. Reads only."""
    yield _balance(session)
    yield _repetition(session)
    yield _reversals(session)
    yield _days(session)
    yield _places_in_the_chain(session)
    yield _digests(session)


def _balance(session: Session) -> Check:
    statement = (
        select(LedgerPosting.entry_id)
        .group_by(LedgerPosting.entry_id)
        .having(func.sum(LedgerPosting.amount_minor) != 0)
        .order_by(LedgerPosting.entry_id)
    )
    return Check(
        "The postings of each ledger entry add up to 0",
        proof.count(session, LedgerEntry),
        proof.named(session, statement, "ledger entry {0}"),
    )


def _repetition(session: Session) -> Check:
    """Of a customer that was merged into another one, the postings are the other's."""
    repeated = ("business_id", "currency", "effective_on", "recorded_at")
    owner = func.coalesce(_CUSTOMERS.c.merged_into_id, LedgerEntry.customer_id)
    statement = (
        select(LedgerPosting.id, LedgerPosting.entry_id)
        .outerjoin(LedgerEntry, LedgerEntry.id == LedgerPosting.entry_id)
        .outerjoin(_CUSTOMERS, _CUSTOMERS.c.id == LedgerEntry.customer_id)
        .where(
            or_(
                LedgerEntry.id.is_(None),
                LedgerPosting.customer_id != owner,
                *(getattr(LedgerPosting, name) != getattr(LedgerEntry, name) for name in repeated),
            )
        )
        .order_by(LedgerPosting.id)
    )
    return Check(
        "Each posting has the business, customer, currency and times of its entry",
        proof.count(session, LedgerPosting),
        proof.named(session, statement, "posting {0} of ledger entry {1}"),
    )


def _reversals(session: Session) -> Check:
    """A reversal and what it reverses come to 0 for every account, detail and invoice. A cancelled invoice may retain
    what credit notes had already taken back: in each of them something between nothing and what was posted.
    """
    original, reversal = aliased(LedgerEntry), aliased(LedgerEntry)
    amount = LedgerPosting.amount_minor
    left = func.sum(amount)
    was = func.sum(case((LedgerPosting.entry_id == original.id, amount), else_=0))
    of_invoice = not_(or_(left.between(0, was), left.between(was, 0)))
    statement = (
        select(reversal.id, original.id)
        .join(original, original.id == reversal.reverses_id)
        .join(LedgerPosting, LedgerPosting.entry_id.in_((original.id, reversal.id)))
        .group_by(
            reversal.id,
            original.id,
            original.kind,
            LedgerPosting.account,
            LedgerPosting.detail,
            LedgerPosting.invoice_id,
        )
        .having(case((original.kind == EntryKind.INVOICE, of_invoice), else_=left != 0))
        .order_by(reversal.id)
    )
    return Check(
        "Each reversal is the opposite of the entry that it reverses",
        proof.count(session, LedgerEntry, LedgerEntry.kind == EntryKind.REVERSAL),
        proof.named(session, statement, "ledger entry {0}, which reverses {1}"),
    )


def _days(session: Session) -> Check:
    """The stored totals less what the sealed entries posted come to nothing, day by day."""
    sealed = days.posted().join(LedgerSeal, LedgerSeal.entry_id == LedgerEntry.id).subquery()
    key_columns = [getattr(LedgerDay, name) for name in days.KEY]
    both = union_all(
        select(*(sealed.c[name] for name in days.KEY), sealed.c.amount_minor),
        select(*key_columns, -LedgerDay.amount_minor),
    ).subquery()
    key = [both.c[name] for name in days.KEY]
    statement = select(*key).group_by(*key).having(func.sum(both.c.amount_minor) != 0).order_by(*key)
    return Check(
        "What is kept for each day is what the sealed ledger entries of that day posted",
        proof.count(session, LedgerDay),
        proof.named(session, statement, "{2}: {0}, {1} in {3}"),
    )


def _places_in_the_chain(session: Session) -> Check:
    """Every entry is sealed or waits for its seal, never both or neither, and the seals are numbered from 1 on."""
    sealed, waiting = LedgerSeal.entry_id, UnsealedEntry.entry_id
    statement = (
        select(LedgerEntry.id)
        .outerjoin(LedgerSeal, sealed == LedgerEntry.id)
        .outerjoin(UnsealedEntry, waiting == LedgerEntry.id)
        .where(or_(and_(sealed.is_(None), waiting.is_(None)), and_(sealed.is_not(None), waiting.is_not(None))))
        .order_by(LedgerEntry.id)
    )
    wrong = proof.named(session, statement, "ledger entry {0}")
    seals, last = session.execute(select(func.count(), func.max(LedgerSeal.sequence))).one()
    if seals != (last or 0):
        wrong += (f"{last - seals} of the first {last} seals are missing",)
    return Check("Each ledger entry is sealed once, or waits for its seal", proof.count(session, LedgerEntry), wrong)


def _digests(session: Session) -> Check:
    """Recompute each link from the stored digest before it, so that a change is reported only where it was made."""
    proven, number, digest = 0, 0, sealing.BEGINNING
    wrong: list[str] = []
    connection = session.connection()
    while links := connection.execute(_links(number)).all():
        last = links[-1].sequence
        sides = sealing.sides_of(connection.execute(_sides(number, last)))
        for link in links:
            sequence, stored, *entry = link
            if sealing.digest_of(entry, sides.get(entry[0], ()), digest) == stored:
                proven += 1
            elif len(wrong) < proof.NAMED:
                wrong.append(f"ledger entry {entry[0]} (seal {sequence})")
            digest = stored
        number = last
    return Check("Each sealed ledger entry is as it was sealed, and the chain is whole", proven, tuple(wrong))


def _links(after: int) -> Select[*tuple[Any, ...]]:
    return (
        select(LedgerSeal.sequence, LedgerSeal.digest, *sealing.ENTRY_COLUMNS)
        .join(LedgerEntry, LedgerEntry.id == LedgerSeal.entry_id)
        .where(LedgerSeal.sequence > after)
        .order_by(LedgerSeal.sequence)
        .limit(_LINKS)
    )


def _sides(after: int, last: int) -> Select[*tuple[Any, ...]]:
    return (
        select(*sealing.SIDE_COLUMNS)
        .join(LedgerSeal, LedgerSeal.entry_id == LedgerPosting.entry_id)
        .where(LedgerSeal.sequence > after, LedgerSeal.sequence <= last)
        # By the seal first: by the posting alone, SQLite would scan all of them for each batch.
        .order_by(LedgerSeal.sequence, LedgerPosting.id)
    )
