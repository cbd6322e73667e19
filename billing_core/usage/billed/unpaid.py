"""What was waived is not given back: of usage that is withdrawn, nobody is credited for what was never asked of them.

What was asked for a line of a billed period and for all that came late for it stays, when something is credited, at
least what a bill made anew would charge now, which leaves out what was waived. Without waivers both are the same.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.invoices.models import Invoice
from billing_core.metering.models import LateItem, LateKind, UsagePeriod
from billing_core.metering.periods import is_gone
from billing_core.text import LONGEST_REASON
from billing_core.usage.billed import waivers, worth
from billing_core.usage.charges import Charge
from billing_core.usage.models import Outcome, UsageLine, UsageSettlement
from billing_core.usage.parts import PartKind


@dataclass(slots=True)
class Unpaid:
    """How much is not given back of what was withdrawn of a line, in minor units: ``minor``. First that is kept of what
    was waived itself when it arrived: ``own`` is by how much that makes the line less, by the ids of its open items.
    """

    minor: int
    own: dict[int, int]

    def take(self, item_ids: Collection[int], less_minor: int) -> int:
        """Of these items, which make the line so much less; what it comes to is taken off."""
        own = sum(self.own.pop(item_id, 0) for item_id in item_ids)
        wanted = max(own, self.minor - sum(self.own.values()))
        taken = max(0, min(wanted, self.minor, less_minor))
        self.minor -= taken
        return taken


def of_lines(session: Session, lines: Collection[UsageLine], waiving: Collection[int]) -> dict[int, Unpaid]:
    """By the ids of these lines of periods, once the items that are ``waiving`` are waived too. Lines without waivers
    are left out.
    """
    concerned = _with_waivers(session, lines, waiving)
    if not concerned:
        return {}
    late = _late(session, concerned, waiving)
    asked, least = _asked(session, concerned), _charged_anew(session, concerned, late, waiving)
    return {
        line.id: Unpaid(max(0, least[line.id] - asked[line.id] - late[line.id].pending_minor), late[line.id].own)
        for line in concerned
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
            LateItem.kind == LateKind.ARRIVED,
            UsageSettlement.outcome == Outcome.WAIVED,
        )
        .group_by(UsageLine.id, UsageSettlement.reason)
        .order_by(func.min(LateItem.id))
    )
    found: dict[int, list[str]] = {}
    for line_id, reason in session.execute(statement):
        found.setdefault(line_id, []).append(reason)
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
            LateItem.kind == LateKind.ARRIVED,
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
    """What a line comes to with all that came late, and what is still to be asked for that or credited, in minor units;
    ``own`` as ``Unpaid`` has it.
    """

    charge: Charge
    pending_minor: int
    own: dict[int, int]


def _late(session: Session, lines: Collection[UsageLine], waiving: Collection[int]) -> dict[int, _Late]:
    """By the ids of these lines."""
    gone = select(UsageSettlement.id).join(Invoice, Invoice.id == UsageSettlement.invoice_id).where(is_gone(Invoice))
    is_pending = or_(LateItem.settlement_id.is_(None), LateItem.settlement_id.in_(gone))
    statement = (
        select(LateItem.id, is_pending, _is_own(waiving))
        .join(UsagePeriod, UsagePeriod.id == LateItem.period_id)
        .where(among(LateItem.period_id, {line.period_id for line in lines}))
    )
    items = {item_id: (pending, own) for item_id, pending, own in session.execute(statement)}
    found: dict[int, _Late] = {}
    forgone: Counter[int] = Counter()
    chosen = set(waiving)
    for item_id, changed in sorted(worth.of_items(session, items).items()):
        if not changed.line_id or not changed.worth:
            continue
        late = found.setdefault(changed.line_id, _Late(changed.charge, 0, {}))
        late.charge = changed.charge
        is_pending_one, is_own = items[item_id]
        if not is_pending_one:
            continue
        late.pending_minor += changed.worth.minor
        if is_own:
            late.own[item_id] = -changed.worth.minor
        if item_id in chosen and changed.kind is LateKind.ARRIVED:
            forgone[changed.line_id] += changed.worth.minor
    for line_id, minor in forgone.items():
        found[line_id].pending_minor -= max(minor, 0)
    return found


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


def _asked(session: Session, lines: Collection[UsageLine]) -> dict[int, int]:
    """By the ids of these lines, in minor units, less what was credited. A credit that was waived counts as given: it
    makes up for nothing else.
    """
    of_place = aliased(UsageLine)
    same = (
        (of_place.period_id == UsageLine.period_id)
        & (of_place.meter_id == UsageLine.meter_id)
        & (of_place.bucket_id == UsageLine.bucket_id)
        & (of_place.first_day == UsageLine.first_day)
    )
    statement = (
        select(UsageLine.id, func.sum(of_place.amount_minor))
        .join(of_place, same)
        .outerjoin(UsageSettlement, UsageSettlement.id == of_place.settlement_id)
        .outerjoin(Invoice, Invoice.id == UsageSettlement.invoice_id)
        .where(
            among(UsageLine.id, [line.id for line in lines]),
            or_(UsageSettlement.id.is_(None), UsageSettlement.outcome != Outcome.WAIVED, of_place.amount_minor < 0),
            or_(Invoice.id.is_(None), ~is_gone(Invoice)),
        )
        .group_by(UsageLine.id)
    )
    return {line_id: int(minor) for line_id, minor in session.execute(statement)}


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
