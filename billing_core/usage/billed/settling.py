"""Dealing with late items: what they change, by the lines of their periods, becomes lines of a draft, or is credited,
waived, or closed where it comes to nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.dates import Day, Period
from billing_core.identity.permissions import Actor
from billing_core.invoices import service as invoices
from billing_core.invoices.content.content import DraftLine
from billing_core.invoices.models import Invoice, InvoiceLineItem
from billing_core.metering.models import NO_BUCKET, PLACES, LateItem, LateKind, Meter, UsagePeriod
from billing_core.metering.periods import is_gone
from billing_core.money import Money, scaled
from billing_core.plans.prices import Place
from billing_core.text import LONGEST_REASON
from billing_core.usage.billed import crediting, drafting, unpaid, worth
from billing_core.usage.billed.drafting import Account, Late
from billing_core.usage.billed.unpaid import Balance
from billing_core.usage.billed.wording import late_words
from billing_core.usage.billed.worth import Changed
from billing_core.usage.charges import Charge
from billing_core.usage.models import Outcome, UsageLine, UsageSettlement

_ONE = 10**PLACES


@dataclass(frozen=True, slots=True)
class Group:
    """Late items that change one line of a billed period, of this meter (its code): by how much, and what that is worth
    together, without what is neither given back nor asked for. ``charge`` is what the line comes to with them.
    ``tax_rate``, in percent, is that at which the line was billed, or else the period; None: neither was.
    ``is_waived``: all of them were withdrawn, and nothing of that is given back, or asked for, since it was waived.
    """

    period: UsagePeriod
    line: UsageLine
    meter: str
    item_ids: tuple[int, ...]
    quantity: Decimal
    worth: Money
    charge: Charge
    tax_rate: Decimal | None
    is_waived: bool


def groups(session: Session, item_ids: Collection[int]) -> list[Group]:
    """These items by the lines that they change. Those that have no price stay out, and open."""
    return in_turn(session, (), item_ids)[1]


def in_turn(session: Session, waived: Collection[int], *choices: Collection[int]) -> list[list[Group]]:
    """``groups`` of the items that are ``waived`` first, what arrived apart from what was withdrawn, and then of each
    of these choices when those before it are dealt with.
    """
    stages = [set(waived), *map(set, choices)]
    item_ids = set[int]().union(*stages)
    if not item_ids:
        return [[] for _ in stages]
    changed = [one for one in worth.of_items(session, item_ids).values() if one.line_id and one.worth]
    changed.sort(key=attrgetter("period_id", "line_id", "item_id"))
    line_ids = {one.line_id for one in changed if one.line_id}
    lines = {line.id: line for line in session.scalars(select(UsageLine).where(among(UsageLine.id, line_ids)))}
    codes = dict(session.execute(select(Meter.id, Meter.code)).all())
    ids = {line.period_id for line in lines.values()}
    periods = {one.id: one for one in session.scalars(select(UsagePeriod).where(among(UsagePeriod.id, ids)))}
    rates = _tax_rates(session, lines.values())
    # What arrived and makes a line more is owed in any case.
    with_others = {one.line_id for one in changed if one.kind is LateKind.WITHDRAWN or _minor([one]) < 0}
    concerned = [line for line in lines.values() if line.id in with_others]
    balances = unpaid.of_lines(session, concerned, waived)
    return [
        [
            Group(
                periods[lines[part.line_id].period_id],
                lines[part.line_id],
                codes[lines[part.line_id].meter_id],
                tuple(one.item_id for one in part.items),
                sum((one.quantity for one in part.items), Decimal(0)),
                Money(part.minor, lines[part.line_id].currency),
                part.items[-1].charge,
                rates.get(part.line_id),
                part.is_waived,
            )
            for part in _parts([one for one in changed if one.item_id in stage], balances, waiving=place == 0)
        ]
        for place, stage in enumerate(stages)
    ]


class _Part(NamedTuple):
    """Items of a line that make a group. In minor units, so much is added to what they are worth: what of a loss is not
    given back, less what of a gain is not asked for.
    """

    line_id: int
    items: Sequence[Changed]
    kept_minor: int = 0
    is_waived: bool = False

    @property
    def minor(self) -> int:
        return _minor(self.items) + self.kept_minor


def _parts(changed: Iterable[Changed], balances: Mapping[int, Balance], *, waiving: bool) -> Iterator[_Part]:
    """Of these items, in the order of their lines. What one part keeps of what was waived, by line, those after it do
    not. ``waiving``: they are waived; what arrived is apart from what was withdrawn.
    """
    for line_id, of_line in groupby(changed, attrgetter("line_id")):
        items = list(of_line)
        balance, kept = balances.get(line_id), 0
        for part in _kept(line_id, items, balance, waiving=waiving) if balance else ():
            if part.is_waived:
                yield part
                items = [one for one in items if one not in part.items]
            else:
                kept += part.kept_minor
        if not waiving:
            if items:
                yield _Part(line_id, items, kept)
            continue
        if arrived := [one for one in items if one.kind is LateKind.ARRIVED]:
            yield _Part(line_id, arrived)
        if withdrawn := [one for one in items if one.kind is LateKind.WITHDRAWN]:
            rest = _Part(line_id, withdrawn, kept)
            if balance:
                balance.forgo(rest.minor)
            yield rest


def _kept(line_id: int, items: Sequence[Changed], balance: Balance, *, waiving: bool) -> Iterator[_Part]:
    """What was withdrawn and makes the line less, and what makes it more, with what is kept of each; then what arrived
    and makes it less, unless that is waived.
    """
    withdrawn = [one for one in items if one.kind is LateKind.WITHDRAWN]
    lost = [one for one in withdrawn if _minor([one]) <= 0]
    kept, less = balance.keep_lost([one.item_id for one in lost], -_minor(lost)), -_minor(lost)
    yield _Part(line_id, lost, kept, is_waived=0 < kept == less)
    gained = [one for one in withdrawn if _minor([one]) > 0]
    kept, more = balance.keep_gained([one.item_id for one in gained], _minor(gained)), _minor(gained)
    yield _Part(line_id, gained, -kept, is_waived=0 < kept == more)
    if not waiving:
        arrived = [one for one in items if one.kind is LateKind.ARRIVED and _minor([one]) < 0]
        yield _Part(line_id, arrived, balance.keep_lost((), -_minor(arrived)))


def _minor(items: Iterable[Changed]) -> int:
    """What they are worth together, in minor units."""
    return sum(one.worth.minor for one in items if one.worth)


def _tax_rates(session: Session, lines: Collection[UsageLine]) -> dict[int, Decimal]:
    """In percent, by the ids of these lines of periods: of each its own, as its period's invoice has it or that of what
    came late, otherwise that of the period's first line. None where no invoice that stands bills the period.
    """
    statement = (
        select(UsageLine, InvoiceLineItem.tax_rate)
        .join(InvoiceLineItem, InvoiceLineItem.usage_line_id == UsageLine.id)
        .join(Invoice, Invoice.id == InvoiceLineItem.invoice_id)
        .where(among(UsageLine.period_id, {line.period_id for line in lines}), ~is_gone(Invoice))
        # Those of the period were written before those of what came late for it.
        .order_by(UsageLine.id)
    )
    of_places: dict[tuple[int, int, int, date], Decimal] = {}
    of_periods: dict[int, Decimal] = {}
    for line, rate in session.execute(statement):
        of_places.setdefault(_place(line), rate)
        of_periods.setdefault(line.period_id, rate)
    found = {line.id: of_places.get(_place(line), of_periods.get(line.period_id)) for line in lines}
    return {line_id: rate for line_id, rate in found.items() if rate is not None}


def _place(line: UsageLine) -> tuple[int, int, int, date]:
    return line.period_id, line.meter_id, line.bucket_id, line.first_day


def on_a_draft(
    session: Session,
    actor: Actor,
    owed: Sequence[Group],
    accounts: Mapping[int, Account],
    *,
    tax_rate: Decimal,
    now: datetime,
) -> dict[int, list[Late]]:
    """The draft's lines for these groups, by customer; each is worth more than nothing. ``tax_rate`` is for those whose
    period has none: the others are taxed as their period was, like what is credited of it.
    """
    names = drafting.names_of_places(session)
    lines: dict[int, list[Late]] = {}
    for settlement, settled, line_ids in _settled(session, actor, Outcome.INVOICED, owed, "", now):
        for group, line_id in zip(settled, line_ids, strict=True):
            customer_id = group.period.customer_id
            description = words(group, names, accounts[customer_id].customer.locale)
            rate = tax_rate if group.tax_rate is None else group.tax_rate
            line = DraftLine.of_amount(description, group.worth, tax_rate=rate, usage_line_id=line_id)
            lines.setdefault(customer_id, []).append(Late(settlement, line, group.worth.currency))
    return lines


def own_drafts(
    session: Session,
    actor: Actor,
    lines: Mapping[int, Sequence[Late]],
    accounts: Mapping[int, Account],
    *,
    today: Day,
    now: datetime,
) -> dict[int, int]:
    """A draft of the late lines alone for each customer; the drafts' ids by customer."""
    contents = [
        drafting.content(accounts[customer_id], of_one[0].currency, [one.line for one in of_one], today)
        for customer_id, of_one in lines.items()
    ]
    ids = invoices.create_many(session, actor, contents, now=now) if contents else []
    for of_one, invoice_id in zip(lines.values(), ids, strict=True):
        for one in of_one:
            one.settlement.invoice_id = invoice_id
    session.flush()
    return dict(zip(lines, ids, strict=True))


def close(
    session: Session,
    actor: Actor,
    settled: Sequence[Group],
    accounts: Mapping[int, Account],
    *,
    today: Day,
    now: datetime,
) -> Counter[tuple[int, str]]:
    """Credit these groups, each worth less than nothing, or nothing. What cannot be credited now stays open; what was
    withdrawn of waived usage is waived likewise. Returns what was credited, in minor units before tax, by customer and
    currency.
    """
    credited: Counter[tuple[int, str]] = Counter()
    names = drafting.names_of_places(session)
    nothing = [group for group in settled if not group.worth.minor and not group.is_waived]
    _write(session, actor, Outcome.NOTHING, nothing, "", now)
    _waive_likewise(session, actor, [group for group in settled if group.is_waived], now)
    for period, of_period, off in taken_back(settled):
        language = accounts[period.customer_id].customer.locale
        reason = "; ".join(words(group, names, language) for group in of_period)[:LONGEST_REASON]
        numbers = crediting.credit(session, actor, period, off, reason=reason, today=today, now=now)
        if numbers is not None:
            _write(session, actor, Outcome.CREDITED, of_period, ", ".join(numbers), now)
            credited[period.customer_id, of_period[0].worth.currency] += sum(off.values())
    return credited


def _waive_likewise(session: Session, actor: Actor, settled: Sequence[Group], now: datetime) -> None:
    """For the reasons for which it was waived when it arrived."""
    reasons = unpaid.reasons(session, [group.line.id for group in settled]) if settled else {}
    by_reason: dict[str, list[Group]] = {}
    for group in settled:
        by_reason.setdefault(reasons.get(group.line.id, ""), []).append(group)
    for reason, of_reason in by_reason.items():
        _write(session, actor, Outcome.WAIVED, of_reason, reason, now)


def taken_back(found: Iterable[Group]) -> Iterator[tuple[UsagePeriod, list[Group], dict[int, int]]]:
    """Those of these groups that are worth less than nothing, by period, and by how much, in minor units by the ids of
    their lines.
    """
    for period, of_period in _by_period([group for group in found if group.worth.minor < 0]):
        yield period, of_period, {group.line.id: -group.worth.minor for group in of_period}


def waive(session: Session, actor: Actor, item_ids: Collection[int], *, reason: str, now: datetime) -> None:
    """Close these items for good; those without a price too."""
    (found,) = in_turn(session, item_ids)
    _write(session, actor, Outcome.WAIVED, found, reason, now)
    priced = {item_id for group in found for item_id in group.item_ids}
    by_period: dict[int, list[int]] = {}
    unpriced = select(LateItem.id, LateItem.period_id).where(among(LateItem.id, set(item_ids) - priced))
    for item_id, period_id in session.execute(unpriced):
        by_period.setdefault(period_id, []).append(item_id)
    for period_id, ids in by_period.items():
        _mark(session, _made(session, actor, Outcome.WAIVED, period_id, reason, now), ids)


def standing_on(session: Session, period_ids: Collection[int]) -> dict[int, str]:
    """Of these periods, by id: the invoice that bills late items of one and was not cancelled."""
    if not period_ids:
        return {}
    statement = (
        select(UsageSettlement.period_id, Invoice.id, Invoice.number)
        .join(Invoice, Invoice.id == UsageSettlement.invoice_id)
        .where(among(UsageSettlement.period_id, period_ids), ~is_gone(Invoice))
    )
    return {
        period_id: f"invoice {number}" if number else f"the draft no. {invoice_id}"
        for period_id, invoice_id, number in session.execute(statement)
    }


def _write(
    session: Session, actor: Actor, outcome: Outcome, settled: Sequence[Group], reason: str, now: datetime
) -> None:
    for _ in _settled(session, actor, outcome, settled, reason, now):
        pass


def _settled(
    session: Session, actor: Actor, outcome: Outcome, settled: Sequence[Group], reason: str, now: datetime
) -> Iterable[tuple[UsageSettlement, list[Group], list[int]]]:
    """A settlement for each period, with the ids of its lines in the order of its groups."""
    for period, of_period in _by_period(settled):
        made = _made(session, actor, outcome, period.id, reason, now)
        rows = [_row(group, made.id, position) for position, group in enumerate(of_period, start=1)]
        line_ids = drafting.insert_lines(session, rows)
        _mark(session, made, [item_id for group in of_period for item_id in group.item_ids])
        yield made, of_period, line_ids


def _made(
    session: Session, actor: Actor, outcome: Outcome, period_id: int, reason: str, now: datetime
) -> UsageSettlement:
    made = UsageSettlement(period_id=period_id, outcome=outcome, reason=reason, settled_at=now, settled_by=actor.name)
    session.add(made)
    session.flush()
    return made


def _mark(session: Session, settlement: UsageSettlement, item_ids: Collection[int]) -> None:
    settled = update(LateItem).where(among(LateItem.id, item_ids)).values(settlement_id=settlement.id)
    session.execute(settled.execution_options(synchronize_session=False))


def _by_period(settled: Sequence[Group]) -> list[tuple[UsagePeriod, list[Group]]]:
    by_period: dict[int, list[Group]] = {}
    for group in settled:
        by_period.setdefault(group.period.id, []).append(group)
    return [(of_period[0].period, of_period) for of_period in by_period.values()]


def _row(group: Group, settlement_id: int, position: int) -> dict[str, Any]:
    same = ("period_id", "meter_id", "bucket_id", "first_day", "last_day", "plan_version_id", "included", "currency")
    whole, millionths = divmod(scaled(group.quantity, PLACES), _ONE)
    return {
        **{name: getattr(group.line, name) for name in same},
        "position": position,
        "whole": whole,
        "millionths": millionths,
        "parts": [],
        "amount_minor": group.worth.minor,
        "settlement_id": settlement_id,
    }


def words(group: Group, names: Mapping[Place, str], language: str) -> str:
    """As the invoice or the credit note says it."""
    line = group.line
    return late_words(
        group.meter,
        names[line.meter_id, NO_BUCKET],
        Period(line.first_day, line.last_day),
        bucket="" if line.bucket_id == NO_BUCKET else names[line.meter_id, line.bucket_id],
        quantity=group.quantity,
        charge=group.charge,
        worth=group.worth,
        language=language,
    )
