"""What was waived is neither given back nor asked for. Of usage that is withdrawn nobody is credited for what was never
asked of them; and where late usage had made a period less, nobody is asked for what was never credited to them.

What is asked for a line of a billed period and for all that came late for it stays, when something is credited, at
least what a bill made anew would charge now, which leaves out what was waived. Nor does it get above that because of a
credit that was waived, once what should have been credited does not count any more. Without waivers all are the same.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.invoices.models import Invoice
from billing_core.metering.models import LateItem, LateKind, UsageEventKey, UsagePeriod
from billing_core.metering.periods import is_gone
from billing_core.text import LONGEST_REASON
from billing_core.usage.billed import waivers, worth
from billing_core.usage.charges import Charge
from billing_core.usage.models import Outcome, UsageLine, UsageSettlement
from billing_core.usage.parts import PartKind


@dataclass(slots=True)
class Balance:
    """Of a line of which something was waived, in minor units. ``over_minor``: what is asked for it, with all that is
    open, beyond what a bill made anew would charge and the credits that stay waived; below 0, so much less.

    First that is kept of what was waived itself when it arrived. By the ids of its open items, ``lost`` is by how much
    the withdrawal of that makes the line less, and ``gained`` how much of it makes the line more.
    """

    over_minor: int
    lost: dict[int, int]
    gained: dict[int, int]

    def keep_lost(self, item_ids: Collection[int], less_minor: int) -> int:
        """How much is not given back of these items, which make the line so much less."""
        own = _popped(self.lost, item_ids)
        # What is gained was asked for already, as it were, and will not be.
        unpaid = max(0, sum(self.gained.values()) - self.over_minor)
        kept = max(0, min(max(own, unpaid - sum(self.lost.values())), unpaid, less_minor))
        self.over_minor += kept
        return kept

    def keep_gained(self, item_ids: Collection[int], more_minor: int) -> int:
        """How much is not asked for these items, which make the line so much more."""
        own = _popped(self.gained, item_ids)
        # What a waived event leaves to others that were there too.
        left = max(0, self.over_minor - own - sum(self.gained.values()))
        kept = min(own + left, more_minor)
        self.over_minor -= kept
        return kept

    def forgo(self, minor: int) -> None:
        """So much is waived of what was withdrawn. A credit that is waived counts as given."""
        self.over_minor -= max(0, minor)


def _popped(own: dict[int, int], item_ids: Collection[int]) -> int:
    return sum(own.pop(item_id, 0) for item_id in item_ids)


def of_lines(session: Session, lines: Collection[UsageLine], waiving: Collection[int]) -> dict[int, Balance]:
    """By the ids of these lines of periods, once the items that are ``waiving`` are waived too, but for those of them
    that were withdrawn. Lines without waivers are left out.
    """
    concerned = _with_waivers(session, lines, waiving)
    if not concerned:
        return {}
    late = _late(session, concerned, waiving)
    asked, anew = _asked(session, concerned, late), _charged_anew(session, concerned, late, waiving)
    return {
        line_id: Balance(asked[line_id] + of_line.pending_minor - anew[line_id], of_line.lost, of_line.gained)
        for line_id, of_line in late.items()
    }


def reasons(session: Session, line_ids: Collection[int]) -> dict[int, str]:
    """Why something was waived of the days of these lines, by their ids, however often these were billed."""
    statement = (
        select(UsageLine.id, UsageSettlement.reason)
        .join(UsagePeriod, UsagePeriod.id == UsageLine.period_id)
        .join(
            LateItem,
            (LateItem.customer_id == UsagePeriod.customer_id)
            & (LateItem.meter_id == UsageLine.meter_id)
            & (LateItem.bucket_id == UsageLine.bucket_id)
            & LateItem.day.between(UsageLine.first_day, UsageLine.last_day),
        )
        .join(UsageSettlement, UsageSettlement.id == LateItem.settlement_id)
        .where(
            among(UsageLine.id, line_ids),
            UsageSettlement.outcome == Outcome.WAIVED,
        )
        .group_by(UsageLine.id, UsageSettlement.reason)
        .order_by(func.min(LateItem.id))
    )
    found: dict[int, list[str]] = {}
    for line_id, reason in session.execute(statement):
        why = found.setdefault(line_id, [])
        # What was waived likewise has those of what came before.
        if reason != "; ".join(why):
            why.append(reason)
    return {line_id: "; ".join(why)[:LONGEST_REASON] for line_id, why in found.items()}


def _with_waivers(session: Session, lines: Collection[UsageLine], waiving: Collection[int]) -> list[UsageLine]:
    """Those of these lines of whose periods something was waived."""
    if not lines:
        return []
    statement = (
        select(LateItem.period_id)
        .outerjoin(UsageSettlement, UsageSettlement.id == LateItem.settlement_id)
        .where(
            among(LateItem.period_id, {line.period_id for line in lines}),
            or_(UsageSettlement.outcome == Outcome.WAIVED, among(LateItem.id, waiving)),
        )
    )
    periods = set(session.scalars(statement.distinct()))
    return [
        line
        for line in lines
        if line.period_id in periods or any(part.get("kind") == PartKind.WAIVED for part in line.parts)
    ]


@dataclass(slots=True)
class _Late:
    """What a line comes to with all that came late, and in minor units what is still to be asked for that or credited.
    ``arrived`` is what arrived and was waived, by settlement, and ``standing_minor`` what of that was not withdrawn.
    ``lost`` and ``gained`` as ``Balance`` has them.
    """

    charge: Charge
    pending_minor: int = 0
    arrived: Counter[int | None] = field(default_factory=Counter)
    standing_minor: int = 0
    lost: dict[int, int] = field(default_factory=dict)
    gained: dict[int, int] = field(default_factory=dict)


def _late(session: Session, lines: Collection[UsageLine], waiving: Collection[int]) -> dict[int, _Late]:
    """By the ids of these lines."""
    rows = {row.id: row for row in session.execute(_items(lines, waiving))}
    line_ids = {line.id for line in lines}
    found: dict[int, _Late] = {}
    # What was waived made the line less, by the line and the event.
    lowered: Counter[tuple[int, str]] = Counter()
    for item_id, changed in sorted(worth.of_items(session, rows).items()):
        if changed.line_id not in line_ids or not changed.worth:
            continue
        row, minor = rows[item_id], changed.worth.minor
        late = found.setdefault(changed.line_id, _Late(changed.charge))
        late.charge = changed.charge
        if changed.kind is LateKind.ARRIVED and row.is_waived:
            late.arrived[row.settlement_id] += minor
            late.standing_minor += 0 if row.is_withdrawn else minor
            lowered[changed.line_id, row.event_id] += max(0, -minor)
        elif row.is_pending:
            late.pending_minor += minor
            if minor < 0 and row.is_own:
                late.lost[item_id] = -minor
            if minor > 0:
                late.gained[item_id] = min(minor, lowered[changed.line_id, row.event_id])
    return found


def _items(lines: Collection[UsageLine], waiving: Collection[int]) -> Select[*tuple[Any, ...]]:
    """What came late for the periods of these lines."""
    is_waived = or_(UsageSettlement.outcome == Outcome.WAIVED, among(LateItem.id, waiving))
    return (
        select(
            LateItem.id,
            LateItem.event_id,
            LateItem.settlement_id,
            func.coalesce(is_waived, false()).label("is_waived"),
            or_(UsageSettlement.id.is_(None), is_gone(Invoice)).label("is_pending"),
            UsageEventKey.withdrawn_at.is_not(None).label("is_withdrawn"),
            _is_own(waiving).label("is_own"),
        )
        .join(UsagePeriod, UsagePeriod.id == LateItem.period_id)
        .join(
            UsageEventKey,
            (UsageEventKey.customer_id == LateItem.customer_id) & (UsageEventKey.event_id == LateItem.event_id),
        )
        .outerjoin(UsageSettlement, UsageSettlement.id == LateItem.settlement_id)
        .outerjoin(Invoice, Invoice.id == UsageSettlement.invoice_id)
        .where(among(LateItem.period_id, {line.period_id for line in lines}))
    )


def _is_own(waiving: Collection[int]) -> ColumnElement[bool]:
    """In SQL, of late items with their periods: it was withdrawn of what was waived of these days when it arrived."""
    arrived = aliased(LateItem)
    waived = (
        select(arrived.id)
        .outerjoin(UsageSettlement, UsageSettlement.id == arrived.settlement_id)
        .where(
            arrived.customer_id == LateItem.customer_id,
            # Has an index with the other two.
            arrived.occurred_at == LateItem.occurred_at,
            arrived.event_id == LateItem.event_id,
            arrived.kind == LateKind.ARRIVED,
            arrived.day.between(UsagePeriod.first_day, UsagePeriod.last_day),
            or_(UsageSettlement.outcome == Outcome.WAIVED, among(arrived.id, waiving)),
        )
    )
    return and_(LateItem.kind == LateKind.WITHDRAWN, waived.correlate(LateItem, UsagePeriod).exists())


def _asked(session: Session, lines: Collection[UsageLine], late: Mapping[int, _Late]) -> dict[int, int]:
    """By the ids of these lines, in minor units, less what was credited. A credit that was waived counts as given: it
    makes up for nothing else. Once what it would have been for is withdrawn, it does not.
    """
    of_place = aliased(UsageLine)
    same = (
        (of_place.period_id == UsageLine.period_id)
        & (of_place.meter_id == UsageLine.meter_id)
        & (of_place.bucket_id == UsageLine.bucket_id)
        & (of_place.first_day == UsageLine.first_day)
    )
    waived = case((UsageSettlement.outcome == Outcome.WAIVED, UsageSettlement.id))
    statement = (
        select(UsageLine.id, waived, func.sum(of_place.amount_minor))
        .join(of_place, same)
        .outerjoin(UsageSettlement, UsageSettlement.id == of_place.settlement_id)
        .outerjoin(Invoice, Invoice.id == UsageSettlement.invoice_id)
        .where(
            among(UsageLine.id, [line.id for line in lines]),
            or_(Invoice.id.is_(None), ~is_gone(Invoice)),
        )
        .group_by(UsageLine.id, waived)
    )
    asked = {line_id: min(0, of_line.standing_minor) for line_id, of_line in late.items()}
    for line_id, settlement_id, minor in session.execute(statement):
        # What is left of a settlement that waived was withdrawn.
        counted = int(minor) if settlement_id is None else min(0, int(minor) - late[line_id].arrived[settlement_id])
        asked[line_id] += counted
    return asked


def _charged_anew(
    session: Session, lines: Collection[UsageLine], late: Mapping[int, _Late], waiving: Collection[int]
) -> dict[int, int]:
    """What a bill made anew would charge for these lines, by their ids, in minor units."""
    ids = {line.period_id for line in lines}
    periods = {one.id: one for one in session.scalars(select(UsagePeriod).where(among(UsagePeriod.id, ids)))}
    by_days: dict[Period, dict[int, list[UsageLine]]] = {}
    for line in lines:
        period = periods[line.period_id]
        by_customer = by_days.setdefault(Period(period.first_day, period.last_day), {})
        by_customer.setdefault(period.customer_id, []).append(line)
    found = {}
    for days, by_customer in by_days.items():
        charged = {
            customer_id: [late[line.id].charge for line in of_one] for customer_id, of_one in by_customer.items()
        }
        less = waivers.without(session, charged, days, ids, waiving)
        for customer_id, of_customer in by_customer.items():
            for line, charge in zip(of_customer, less[customer_id], strict=True):
                assert charge.amount is not None  # noqa: S101  # what has no price changes no line
                found[line.id] = charge.amount.minor
    return found
