"""Flows through the ledger, each amount on its own day: invoiced, collected, and an account's balance."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Subquery, func, select, union_all
from sqlalchemy.orm import aliased

from billing_core.database.functions import equals
from billing_core.figures import Scope
from billing_core.ledger.models import Account, EntryKind, LedgerDay, LedgerEntry, LedgerPosting, UnsealedEntry
from billing_core.ledger.queries import counting
from billing_core.receivables import debts

# The entries' kind, and the accounts whose postings give the amount.
INVOICED: Final = (EntryKind.INVOICE, (Account.RECEIVABLE,))
COLLECTED: Final = (EntryKind.PAYMENT, (Account.CASH, Account.FEES))


def happened(scope: Scope, kind: EntryKind, accounts: Sequence[Account]) -> Subquery:
    """(first_entry_id, invoice_id, effective_on, currency, amount): postings to these accounts by entries of a kind and
    by their reversals, each on its own day.
    """
    return _postings(scope, kind, accounts).where(*_within(scope, LedgerEntry)).subquery()


def by_day(scope: Scope, kind: EntryKind, accounts: Sequence[Account]) -> Subquery:
    """(effective_on, currency, amount) that add up to ``happened``: the stored days, and entries not in them yet."""
    if not _kept_knows(scope):
        return happened(scope, kind, accounts)
    days = select(LedgerDay.effective_on, LedgerDay.currency, LedgerDay.amount_minor.label("amount"))
    days = days.where(LedgerDay.kind == kind, LedgerDay.account.in_(accounts), *_within(scope, LedgerDay))
    # By their ids, and by the postings' own day, so that only unsealed entries are read.
    waiting = LedgerEntry.id.in_(select(UnsealedEntry.entry_id))
    newest = _postings(scope, kind, accounts).where(waiting, *_within(scope, LedgerPosting)).subquery()
    return union_all(days, select(newest.c.effective_on, newest.c.currency, newest.c.amount)).subquery()


def balance(scope: Scope, account: Account) -> Subquery:
    """(effective_on, currency, amount) that add up to an account's balance at the end of ``as_at``, or now."""
    scope = replace(scope, period=None)
    posted = select(LedgerPosting.effective_on, LedgerPosting.currency, LedgerPosting.amount_minor.label("amount"))
    posted = posted.where(*counting(debts.counted(scope, account)))
    if not _kept_knows(scope):
        # The sum needs no invoice: one index covers it.
        return posted.subquery()
    days = select(LedgerDay.effective_on, LedgerDay.currency, LedgerDay.amount_minor.label("amount"))
    days = days.where(LedgerDay.account == account, *_within(scope, LedgerDay))
    newest = posted.where(LedgerPosting.entry_id.in_(select(UnsealedEntry.entry_id)))
    return union_all(days, newest).subquery()


def _kept_knows(scope: Scope) -> bool:
    """The stored days hold neither customers nor the time of recording."""
    return scope.customer_id is None and scope.known_at is None


def _postings(scope: Scope, kind: EntryKind, accounts: Sequence[Account]) -> Select[*tuple[Any, ...]]:
    undone = aliased(LedgerEntry)
    statement = (
        select(
            func.coalesce(LedgerEntry.reverses_id, LedgerEntry.id).label("first_entry_id"),
            LedgerPosting.invoice_id,
            LedgerEntry.effective_on,
            LedgerEntry.currency,
            LedgerPosting.amount_minor.label("amount"),
        )
        .join(LedgerPosting, LedgerPosting.entry_id == LedgerEntry.id)
        .outerjoin(undone, undone.id == LedgerEntry.reverses_id)
        .where(
            LedgerEntry.kind.in_((kind, EntryKind.REVERSAL)),
            func.coalesce(undone.kind, LedgerEntry.kind) == kind,
            LedgerPosting.account.in_(accounts),
        )
    )
    if scope.customer_id is not None:
        statement = statement.where(LedgerPosting.customer_id == scope.customer_id)
    if scope.known_at is not None:
        statement = statement.where(LedgerEntry.recorded_at <= scope.known_at)
    return statement


def _within(scope: Scope, of: type[LedgerEntry] | type[LedgerPosting] | type[LedgerDay]) -> list[ColumnElement[bool]]:
    """The requested days and currency."""
    conditions: list[ColumnElement[bool]] = []
    if scope.period is not None:
        conditions.append(scope.period.contains(of.effective_on))
    if scope.currency is not None:
        conditions.append(equals(of.currency, scope.currency))
    if scope.as_at is not None:
        conditions.append(of.effective_on <= scope.as_at)
    return conditions
