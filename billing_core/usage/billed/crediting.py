"""Crediting usage that was billed and does not count any more: credit notes to the invoices that billed it, at the tax
rates of the lines that did.

What is due on such an invoice is lowered; what was paid for it becomes the customer's credit, which pays later ones.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.dates import Day, day_of
from billing_core.identity.permissions import Actor
from billing_core.invoices import credit_notes
from billing_core.invoices import queries as invoices
from billing_core.invoices.content.totals import Share
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.metering.models import UsagePeriod
from billing_core.money import nearest
from billing_core.payments import crediting
from billing_core.usage.models import Outcome, UsageLine, UsageSettlement

# A line type and a tax rate, as credit notes take an invoice apart.
_Cell = tuple[str, Decimal]
# A meter, a bucket, and the first day of a segment: what has one line in its period, and others for what came late.
_Place = tuple[int, int, date]
# What is planned to be credited of invoices, by their ids: minor units by cell, tax included.
Taken = dict[int, Counter[_Cell]]

_OWED: Final = (InvoiceState.OPEN, InvoiceState.PAID)


@dataclass(slots=True)
class _Billing:
    """An invoice that bills the period. By cell, in minor units: ``listed`` are its lines before tax and the invoice's
    own discount, ``whole`` what they come to with both, and ``left`` what no credit note took off. ``lines`` are those
    of each place, as they are listed. ``counted`` of what is listed was credited, or is to be; ``taken`` is planned,
    tax included, and ``before`` is what was planned before that.
    """

    invoice: Invoice
    listed: Counter[_Cell]
    whole: Counter[_Cell]
    left: dict[_Cell, Share]
    lines: dict[_Place, list[tuple[_Cell, int]]]
    before: Counter[_Cell]
    counted: Counter[_Cell] = field(default_factory=Counter)
    taken: Counter[_Cell] = field(default_factory=Counter)

    @property
    def is_owed(self) -> bool:
        """One that was credited whole is cancelled by that."""
        return self.invoice.state in _OWED

    def room(self, cell: _Cell) -> int:
        """What can be credited of the cell, tax included."""
        invoice, share = self.invoice, self.left[cell]
        possible = invoice.due_minor + invoice.paid_minor - invoice.refunded_minor
        return min(
            share.net_minor + share.tax_minor - self.before[cell] - self.taken[cell],
            possible - self.before.total() - self.taken.total(),
        )

    def take(self, cell: _Cell, listed_minor: int) -> int:
        """Plan to credit so much of what is listed; returns what is left of that, for want of room. All that is ever
        taken is rounded together, so that crediting a line piece by piece credits it whole.
        """
        listed, whole, counted = self.listed[cell], self.whole[cell], self.counted[cell]
        if listed <= 0 or whole <= 0:
            # Other lines take off all that was billed for usage, or more.
            return listed_minor
        wanted = nearest((counted + listed_minor) * whole, listed) - nearest(counted * whole, listed)
        given = min(wanted, max(self.room(cell), 0))
        self.counted[cell] += listed_minor
        self.taken[cell] += given
        return 0 if given == wanted else listed_minor - nearest(given * listed, whole)

    @property
    def parts(self) -> tuple[Share, ...]:
        """What is planned, each split at its own rate."""
        return tuple(
            part
            for cell, minor in self.taken.items()
            if minor
            for part in credit_notes.parts_of([self.left[cell]], minor, self.invoice.currency)
        )


def credit(
    session: Session,
    actor: Actor,
    period: UsagePeriod,
    off: Mapping[int, int],
    *,
    reason: str,
    today: Day,
    now: datetime,
) -> list[str] | None:
    """Credit what these lines of the period, by their ids, were billed too much, in minor units before tax and
    discounts; the numbers of the credit notes. None where the period's invoices do not have so much left to credit, as
    while they are drafts. The customer is locked.
    """
    ids = _invoices_of(session, period)
    planned = _planned(session, period, invoices.many_for_change(session, actor, ids) if ids else [], off, {})
    if planned is None:
        return None
    numbers: list[str] = []
    for one in planned:
        on = day_of(today, one.invoice.business_id)
        numbers += crediting.credit(session, actor, one.invoice, one.parts, reason=reason, today=on, now=now)
    return numbers


def is_possible(session: Session, period: UsagePeriod, off: Mapping[int, int], taken: Taken) -> bool:
    """Whether ``credit`` would, which changes nothing. ``taken``: what was found possible before; this is added."""
    ids = _invoices_of(session, period)
    found = {invoice.id: invoice for invoice in session.scalars(select(Invoice).where(Invoice.id.in_(ids)))}
    planned = _planned(session, period, [found[id_] for id_ in ids], off, taken)
    if planned is None:
        return False
    for one in planned:
        taken[one.invoice.id] = one.before + one.taken
    return True


def _invoices_of(session: Session, period: UsagePeriod) -> list[int]:
    """Those that bill the period, and what came late for it."""
    later = select(UsageSettlement.invoice_id).where(
        UsageSettlement.period_id == period.id, UsageSettlement.outcome == Outcome.INVOICED
    )
    ids = (period.invoice_id, *session.scalars(later.order_by(UsageSettlement.id)))
    return list(dict.fromkeys(one for one in ids if one))


def _planned(
    session: Session, period: UsagePeriod, billed: Sequence[Invoice], off: Mapping[int, int], taken: Taken
) -> list[_Billing] | None:
    """First of the lines that billed it, the oldest first, without what was credited of them before; what these have
    no room for, of the invoices' others.
    """
    places, credited = _places(session, period)
    found = [_billing(session, invoice, places, taken.get(invoice.id, Counter())) for invoice in billed]
    wanted: Counter[tuple[int, _Cell]] = Counter()
    less = Counter({places[line_id]: minor for line_id, minor in off.items()})
    for place in {**less, **credited}:
        passed_by = credited[place]
        for number, one in enumerate(found):
            for cell, listed in one.lines.get(place, ()):
                passed = min(passed_by, listed)
                passed_by -= passed
                one.counted[cell] += passed
                if one.is_owed:
                    part = min(less[place], listed - passed)
                    less[place] -= part
                    wanted[number, cell] += part
    rest = less.total() + sum(found[number].take(cell, listed) for (number, cell), listed in wanted.items() if listed)
    for one in found:
        for cell in one.left if one.is_owed else ():
            if rest and one.room(cell) > 0:
                rest = one.take(cell, rest)
    return None if rest > 0 else [one for one in found if one.taken.total()]


def _places(session: Session, period: UsagePeriod) -> tuple[dict[int, _Place], Counter[_Place]]:
    """The places of the period's lines and those of what came late, by their ids; and what was credited of each place,
    in minor units before tax and discounts.
    """
    credited: Counter[_Place] = Counter()
    places: dict[int, _Place] = {}
    columns = (UsageLine.id, UsageLine.meter_id, UsageLine.bucket_id, UsageLine.first_day, UsageLine.amount_minor)
    statement = (
        select(*columns, UsageSettlement.outcome)
        .outerjoin(UsageSettlement, UsageSettlement.id == UsageLine.settlement_id)
        .where(UsageLine.period_id == period.id)
        .order_by(UsageLine.id)
    )
    for line_id, meter_id, bucket_id, first_day, minor, outcome in session.execute(statement):
        places[line_id] = meter_id, bucket_id, first_day
        if outcome is Outcome.CREDITED:
            credited[places[line_id]] -= minor
    return places, credited


def _billing(session: Session, invoice: Invoice, places: Mapping[int, _Place], before: Counter[_Cell]) -> _Billing:
    content = invoices.content(session, invoice)
    totals = content.totals()
    listed: Counter[_Cell] = Counter()
    lines: dict[_Place, list[tuple[_Cell, int]]] = {}
    for line, minor in zip(content.lines, totals.lines, strict=True):
        cell = (line.type, line.tax_rate)
        listed[cell] += minor
        if line.usage_line_id is not None and line.usage_line_id in places and minor:
            lines.setdefault(places[line.usage_line_id], []).append((cell, minor))
    whole = Counter({(one.type, one.rate): one.net_minor + one.tax_minor for one in totals.shares})
    left = {(one.type, one.rate): one for one in credit_notes.left(session, invoice)}
    return _Billing(invoice, listed, whole, left, lines, before)
