"""What is made of one customer's usage: a draft, a sent invoice, a period closed with nothing, or what would be."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from billing_core.database.functions import among
from billing_core.invoices.models import Invoice
from billing_core.languages.available import SOURCE_LANGUAGE
from billing_core.money import Money
from billing_core.plans.prices import Place
from billing_core.usage import billing
from billing_core.usage.billed import drafting, invoice_lines, lines
from billing_core.usage.billed.drafting import Billable
from billing_core.usage.billed.lines import Line
from billing_core.usage.billing import Billed
from billing_core.usage.charges import Charge

NOTHING_USED: Final = "Nothing was used: there is nothing to bill"
LATE_ALONE: Final = "The period comes to nothing: the invoice is of what came late for earlier ones"
_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class _Known:
    """What is told of periods that are billed, read of all of them at once: their ``lines``, the ``currencies`` of
    customers whose period has none, and the ``numbers`` of invoices that were there before; all by ids.
    """

    lines: Mapping[int, Sequence[Line]]
    currencies: Mapping[int, str]
    numbers: Mapping[int, str | None]


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
        known, names = _known(session, terms, seen, seen), drafting.names_of_places(session)
        return {one.customer_id: _rehearsed(one, known, names) for one in seen}
    billed = billing.bill_many(
        session,
        terms.actor,
        customer_ids,
        terms.period,
        now=now,
        today=terms.today(now),
        tax_rate=terms.tax_rate,
    )
    known = _known(session, terms, billed, [one for one in billed if not one.created])
    return {one.customer_id: _billed(one, known) for one in billed}


def _billed(billed: Billed, known: _Known) -> Facts:
    if billed.period_id is None:
        return {"outcome": RunOutcome.FAILED, "reason": billed.refusal[:_LONGEST]}
    kept = _kept(billed.customer_id, billed.period_id, known)
    if not billed.created:
        facts: Facts = {"outcome": RunOutcome.UNCHANGED, "made": False, "invoice_id": None, "late_invoice_id": None}
        already = {} if billed.invoice_id is None else {"reason": _billed_already(billed.invoice_id, known)}
        return facts | kept | already
    first, second, *_ = *billed.invoice_ids, None, None
    made = {"outcome": RunOutcome.CREATED, "made": True, "invoice_id": first, "late_invoice_id": second}
    return made | kept | _late(kept, billed)


def _rehearsed(seen: Billable, known: _Known, names: Mapping[Place, str]) -> Facts:
    questions = {"question_count": sum(charge.is_question for charge in seen.charges)}
    if seen.period_id is not None:
        facts: Facts = {"outcome": RunOutcome.UNCHANGED} | _kept(seen.customer_id, seen.period_id, known)
        return facts if seen.invoice_id is None else facts | {"reason": _billed_already(seen.invoice_id, known)}
    if seen.refusal or seen.total is None:
        return {"outcome": RunOutcome.FAILED, "reason": seen.refusal[:_LONGEST]} | questions
    reason = "" if seen.total.minor else _nothing(_words(seen.charges, names))
    total = _total(seen.total)
    return {"outcome": RunOutcome.CREATED, "reason": reason} | total | _late(total, seen) | questions


def _late(period: Facts, seen: Billable | Billed) -> Facts:
    """What is billed and credited beside the period."""
    facts: Facts = {"late_minor": seen.late_minor, "credited_minor": seen.credited_minor}
    return facts | {"reason": LATE_ALONE} if seen.late_minor and not period["total_minor"] else facts


def _known(
    session: Session, terms: Terms, seen: Sequence[Billable | Billed], before: Sequence[Billable | Billed]
) -> _Known:
    """``before``: those of them who were billed before, if they are billed."""
    periods = {one.customer_id: one.period_id for one in seen if one.period_id is not None}
    made_of = lines.of_periods(session, terms.actor, list(periods.values()))
    without = [customer_id for customer_id, period_id in periods.items() if not made_of[period_id]]
    currencies = select(Customer.id, Customer.currency).where(among(Customer.id, without))
    invoice_ids = [one.invoice_id for one in before if one.invoice_id is not None]
    numbers = select(Invoice.id, Invoice.number).where(among(Invoice.id, invoice_ids))
    return _Known(
        made_of,
        dict(session.execute(currencies).all()) if without else {},
        dict(session.execute(numbers).all()) if invoice_ids else {},
    )


def _kept(customer_id: int, period_id: int, known: _Known) -> Facts:
    """What the period was billed with, and why it came to nothing if it did."""
    made_of = known.lines[period_id]
    if not made_of:
        return {"reason": NOTHING_USED} | _total(Money(0, known.currencies[customer_id]))
    total = reduce(add, (line.amount for line in made_of))
    return {"reason": "" if total.minor else _nothing(line.words(SOURCE_LANGUAGE) for line in made_of)} | _total(total)


def _total(total: Money) -> Facts:
    return {"total_minor": total.minor, "currency": total.currency}


def _nothing(explained: Iterable[str]) -> str:
    words = "; ".join(explained)
    return f"Nothing to bill. {words}"[:_LONGEST] if words else NOTHING_USED


def _words(charges: Sequence[Charge], names: Mapping[Place, str]) -> list[str]:
    """As the lines of an invoice would say it."""
    return [invoice_lines.charge_words(charge, names, SOURCE_LANGUAGE) for charge in charges if charge.amount]


def _billed_already(invoice_id: int, known: _Known) -> str:
    number = known.numbers[invoice_id]
    named = f"invoice {number}" if number else f"a draft (no. {invoice_id})"
    return f"Billed already, on {named}"
