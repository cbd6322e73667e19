"""What is made of one customer's usage: a draft, a sent invoice, a period closed with nothing, or what would be."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import add
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.bill_runs import sending
from billing_core.bill_runs.models import RunGoal, RunOutcome
from billing_core.bill_runs.taking import Facts, Taken, Terms
from billing_core.customers.models import Customer
from billing_core.invoices.models import Invoice
from billing_core.languages.available import SOURCE_LANGUAGE
from billing_core.money import Money
from billing_core.usage import billing
from billing_core.usage.billed import drafting, lines
from billing_core.usage.billed.drafting import Billable
from billing_core.usage.billed.lines import Line
from billing_core.usage.billing import Billed
from billing_core.usage.charges import Charge

NOTHING_USED: Final = "Nothing was used: there is nothing to bill"
LATE_ALONE: Final = "The period comes to nothing: the invoice is of what came late for earlier ones"
_LONGEST: Final = 500


def bill(session: Session, terms: Terms, taken: Taken, *, now: datetime) -> Facts:
    """Take the customer as far as one transaction can."""
    standing = [one for one in taken.invoice_ids if sending.stands(session, one)]
    late_invoice_id = taken.late_invoice_id if taken.late_invoice_id in standing else None
    if taken.invoice_id in standing:
        # An earlier try came so far.
        found = {"outcome": sending.outcome(taken), "invoice_id": taken.invoice_id, "late_invoice_id": late_invoice_id}
        return sending.all_sent(session, terms, found, now=now, fresh=False)
    facts = bill_together(session, terms, [taken.customer_id], now=now)[taken.customer_id]
    if late_invoice_id is not None and facts.get("late_invoice_id") is None:
        facts["late_invoice_id"] = late_invoice_id
    if facts["outcome"] is not RunOutcome.CREATED:
        return facts
    return sending.all_sent(session, terms, facts, now=now, fresh=late_invoice_id is None)


def bill_together(session: Session, terms: Terms, customer_ids: Sequence[int], *, now: datetime) -> dict[int, Facts]:
    """Take these customers as far as drafts, or rehearse them, in a few statements; nothing is sent."""
    if terms.goal is RunGoal.REHEARSAL:
        seen = billing.rehearse(session, terms.actor, customer_ids, terms.period, now=now)
        made_of = _lines(session, terms, [one.period_id for one in seen])
        return {one.customer_id: _rehearsed(session, one, made_of) for one in seen}
    billed = billing.bill_many(
        session,
        terms.actor,
        customer_ids,
        terms.period,
        now=now,
        today=terms.today(now),
        tax_rate=terms.tax_rate,
    )
    made_of = _lines(session, terms, [one.period_id for one in billed])
    return {one.customer_id: _billed(session, one, made_of) for one in billed}


def _billed(session: Session, billed: Billed, made_of: Mapping[int, Sequence[Line]]) -> Facts:
    if billed.period_id is None:
        return {"outcome": RunOutcome.FAILED, "reason": billed.refusal[:_LONGEST]}
    kept = _kept(session, billed.customer_id, made_of[billed.period_id])
    if not billed.created:
        facts: Facts = {"outcome": RunOutcome.UNCHANGED, "made": False, "invoice_id": None, "late_invoice_id": None}
        already = {} if billed.invoice_id is None else {"reason": _billed_already(session, billed.invoice_id)}
        return facts | kept | already
    first, second, *_ = *billed.invoice_ids, None, None
    made = {"outcome": RunOutcome.CREATED, "made": True, "invoice_id": first, "late_invoice_id": second}
    return made | kept | _late(kept, billed)


def _rehearsed(session: Session, seen: Billable, made_of: Mapping[int, Sequence[Line]]) -> Facts:
    questions = {"question_count": sum(charge.is_question for charge in seen.charges)}
    if seen.period_id is not None:
        facts: Facts = {"outcome": RunOutcome.UNCHANGED} | _kept(session, seen.customer_id, made_of[seen.period_id])
        return facts if seen.invoice_id is None else facts | {"reason": _billed_already(session, seen.invoice_id)}
    if seen.refusal or seen.total is None:
        return {"outcome": RunOutcome.FAILED, "reason": seen.refusal[:_LONGEST]} | questions
    reason = "" if seen.total.minor else _nothing(_words(session, seen.charges))
    total = _total(seen.total)
    return {"outcome": RunOutcome.CREATED, "reason": reason} | total | _late(total, seen) | questions


def _late(period: Facts, seen: Billable | Billed) -> Facts:
    """What is billed and credited beside the period."""
    facts: Facts = {"late_minor": seen.late_minor, "credited_minor": seen.credited_minor}
    return facts | {"reason": LATE_ALONE} if seen.late_minor and not period["total_minor"] else facts


def _lines(session: Session, terms: Terms, period_ids: Iterable[int | None]) -> dict[int, list[Line]]:
    return lines.of_periods(session, terms.actor, [one for one in period_ids if one is not None])


def _kept(session: Session, customer_id: int, made_of: Sequence[Line]) -> Facts:
    """What the period was billed with, and why it came to nothing if it did."""
    if not made_of:
        currency = session.scalars(select(Customer.currency).where(Customer.id == customer_id)).one()
        return {"reason": NOTHING_USED} | _total(Money(0, currency))
    total = reduce(add, (line.amount for line in made_of))
    return {"reason": "" if total.minor else _nothing(line.words(SOURCE_LANGUAGE) for line in made_of)} | _total(total)


def _total(total: Money) -> Facts:
    return {"total_minor": total.minor, "currency": total.currency}


def _nothing(explained: Iterable[str]) -> str:
    words = "; ".join(explained)
    return f"Nothing to bill. {words}"[:_LONGEST] if words else NOTHING_USED


def _words(session: Session, charges: Sequence[Charge]) -> list[str]:
    """As the lines of an invoice would say it."""
    names = drafting.names_of_places(session)
    return [drafting.charge_words(charge, names, SOURCE_LANGUAGE) for charge in charges if charge.amount]


def _billed_already(session: Session, invoice_id: int) -> str:
    number = session.scalars(select(Invoice.number).where(Invoice.id == invoice_id)).one()
    named = f"invoice {number}" if number else f"a draft (no. {invoice_id})"
    return f"Billed already, on {named}"
