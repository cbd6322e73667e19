"""Late items: what events change in billed periods, as they come for them or are taken back, and what becomes of it.

As the business has it, they go onto the customer's next invoice of usage, onto a document of their own, or are waived;
for single ones a person chooses. A sent invoice never changes: what is worth less than nothing is credited.
"""

import enum
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from billing_core.audit import service as audit
from billing_core.businesses.models import Business
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.dates import Day
from billing_core.errors import BillingError, Conflict, Invalid
from billing_core.identity.permissions import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.metering.models import LateItem, LateKind, LateUsage, Meter, UsagePeriod
from billing_core.metering.periods import is_gone
from billing_core.money import Money
from billing_core.text import reason_of
from billing_core.usage.billed import crediting, settling, worth
from billing_core.usage.billed.crediting import Taken
from billing_core.usage.billed.drafting import Account, Late
from billing_core.usage.billed.settling import Group
from billing_core.usage.models import UsageSettlement

MOST_AT_ONCE = 1_000
# The choices by which items are billed or credited, in the order in which they are.
_BILLED: Final = (LateUsage.OWN_DOCUMENT, LateUsage.NEXT_INVOICE)


class ItemState(enum.StrEnum):
    """Where a late item stands. OPEN: nothing has become of it yet. UNBILLED: the invoice of its period was cancelled,
    and it is billed with the period. The others are those of its settlement.
    """

    OPEN = "open"
    UNBILLED = "unbilled"
    INVOICED = "invoiced"
    CREDITED = "credited"
    WAIVED = "waived"
    NOTHING = "nothing"
    BILLED_ANEW = "billed_anew"


@dataclass(frozen=True, slots=True)
class Item:
    """One late item. ``quantity`` is what it adds to what was billed, in the meter's terms, and ``worth`` what it adds
    to its period, before tax; None where nobody has agreed on a price. ``invoice_id``: the invoice that it is on.
    ``reason``: of waiving, or the numbers of credit notes. ``wanted``: what was chosen for it, None as the business
    has it.
    """

    id: int
    customer_id: int
    customer_name: str
    event_id: str
    kind: LateKind
    occurred_at: datetime
    noticed_at: datetime
    meter: str
    user: str
    first_day: date
    last_day: date
    quantity: Decimal
    worth: Money | None
    state: ItemState
    wanted: LateUsage | None
    invoice_id: int | None
    reason: str


_SETTLED_ON, _BILLED_ON = aliased(Invoice), aliased(Invoice)
_FACTS: Final[dict[str, InstrumentedAttribute[Any]]] = {
    "id": LateItem.id,
    "customer_id": LateItem.customer_id,
    "customer_name": Customer.name,
    "event_id": LateItem.event_id,
    "kind": LateItem.kind,
    "occurred_at": LateItem.occurred_at,
    "noticed_at": LateItem.noticed_at,
    "meter": Meter.code,
    "user": LateItem.user,
    "first_day": UsagePeriod.first_day,
    "last_day": UsagePeriod.last_day,
}


def items(
    session: Session,
    actor: Actor,
    *,
    customer_id: int | None = None,
    open_only: bool = False,
    after_id: int = 0,
    limit: int = 100,
) -> list[Item]:
    """Late items in the order in which they came, those after this one."""
    actor.require(Permission.USAGE_READ)
    statement = _items().where(visible_to(actor, LateItem.customer_id), LateItem.id > after_id)
    if customer_id is not None:
        statement = statement.where(LateItem.customer_id == customer_id)
    if open_only:
        statement = statement.where(_is_open())
    return _read(session, statement.order_by(LateItem.id).limit(limit))


def of_events(
    session: Session, actor: Actor, event_ids: Collection[tuple[int, str]]
) -> dict[tuple[int, str], list[Item]]:
    """What these events (customer's id and event's) changed when they came late or were taken back, and what became of
    it, by the same.
    """
    actor.require(Permission.USAGE_READ)
    customer_ids = {customer_id for customer_id, _ in event_ids}
    statement = _items().where(
        visible_to(actor, LateItem.customer_id),
        among(LateItem.customer_id, customer_ids),
        LateItem.event_id.in_({event_id for _, event_id in event_ids}),
    )
    found: dict[tuple[int, str], list[Item]] = {}
    for one in _read(session, statement.order_by(LateItem.id)):
        found.setdefault((one.customer_id, one.event_id), []).append(one)
    return found


def has_open(customer_id: ColumnElement[int] | InstrumentedAttribute[int], *, before: date) -> ColumnElement[bool]:
    """In SQL: the customer in this column has open items of periods that ended before this day."""
    theirs = _joined(select(LateItem.customer_id)).where(_is_open(), UsagePeriod.last_day < before)
    return customer_id.in_(theirs)


def want(session: Session, actor: Actor, item_ids: Collection[int], wanted: LateUsage | None, *, now: datetime) -> None:
    """Choose what shall become of these open items when their customers are billed next; None: as the business has
    it. A waiver needs its reason at once: see ``waive``.
    """
    actor.require(Permission.INVOICE_WRITE)
    if wanted is LateUsage.WAIVE:
        raise Invalid("Waiving needs a reason", fields={"reason": "is needed"})
    for customer_id, ids in _chosen(session, actor, item_ids).items():
        marked = update(LateItem).where(among(LateItem.id, ids)).values(wanted=wanted)
        session.execute(marked.execution_options(synchronize_session=False))
        _audit(session, actor, customer_id, {"wanted": wanted.value if wanted else None, "items": len(ids)}, now)


def settle(
    session: Session,
    actor: Actor,
    item_ids: Collection[int],
    *,
    now: datetime,
    today: Day,
    tax_rate: Decimal = Decimal(0),
) -> list[int]:
    """Put these open items onto documents of their own: a draft for each customer, whose ids are returned, and credit
    notes. Those without a price, or whose invoice cannot be credited yet, stay open; so do those of a customer who
    cannot be invoiced, which is refused where there is no other. ``tax_rate``, in percent, is for what came for a
    period without an invoice: the others are taxed as theirs was.
    """
    actor.require(Permission.INVOICE_WRITE)
    invoice_ids: list[int] = []
    refused: list[BillingError] = []
    chosen = _chosen(session, actor, item_ids)
    for customer_id, ids in chosen.items():
        accounts = {customer_id: _account(session, customer_id)}
        try:
            with session.begin_nested():
                found = settling.groups(session, ids)
                made = _onto_own(session, actor, found, accounts, today=today, tax_rate=tax_rate, now=now)
        except BillingError as refusal:
            refused.append(refusal)
            continue
        invoice_ids += made.values()
        _audit(session, actor, customer_id, {"settled": len(ids), "invoices": list(made.values())}, now)
    if refused and len(refused) == len(chosen):
        raise refused[0]
    return invoice_ids


def waive(session: Session, actor: Actor, item_ids: Collection[int], *, reason: str, now: datetime) -> None:
    """Nobody is billed for these open items, nor credited."""
    actor.require(Permission.INVOICE_WRITE)
    why = reason_of(reason)
    for customer_id, ids in _chosen(session, actor, item_ids).items():
        settling.waive(session, actor, ids, reason=why, now=now)
        _audit(session, actor, customer_id, {"waived": len(ids), "reason": why}, now)


@dataclass(frozen=True, slots=True)
class Dealt:
    """What became of the open items of customers, by their ids. ``lines`` go onto the invoices that are being made,
    ``own`` are the drafts of documents of their own. ``owed`` is what both come to, and ``credited`` what was taken off
    earlier invoices, by customer and currency, in minor units before tax.
    """

    lines: dict[int, list[Late]] = field(default_factory=dict)
    own: dict[int, int] = field(default_factory=dict)
    owed: Counter[tuple[int, str]] = field(default_factory=Counter)
    credited: Counter[tuple[int, str]] = field(default_factory=Counter)


def of_next_invoices(
    session: Session,
    actor: Actor,
    accounts: Mapping[int, Account],
    *,
    today: Day,
    tax_rate: Decimal,
    now: datetime,
) -> Dealt:
    """Deal with the open items of these customers, who are being billed and locked, as it was chosen for each."""
    by_choice, dealt = _by_choice(session, accounts), Dealt()
    in_turn = _in_turn(session, by_choice)
    if waived := by_choice.get(LateUsage.WAIVE):
        _waive_as_set(session, actor, waived, accounts, now)
    for choice, found in in_turn.items():
        without = [one for one in found if one.worth.minor <= 0]
        dealt.credited.update(settling.close(session, actor, without, accounts, today=today, now=now))
        owed = [one for one in found if one.worth.minor > 0]
        lines = settling.on_a_draft(session, actor, owed, accounts, tax_rate=tax_rate, now=now)
        dealt.owed.update(_owed(owed))
        if choice is LateUsage.OWN_DOCUMENT:
            dealt.own.update(settling.own_drafts(session, actor, lines, accounts, today=today, now=now))
        else:
            dealt.lines.update(lines)
    return dealt


def expected(session: Session, accounts: Mapping[int, Account]) -> Dealt:
    """What ``of_next_invoices`` would come to now: ``owed`` and ``credited`` alone. Nothing is changed."""
    dealt = Dealt()
    taken: Taken = {}
    for found in _in_turn(session, _by_choice(session, accounts)).values():
        dealt.owed.update(_owed(found))
        for period, of_period, off in settling.taken_back(found):
            if crediting.is_possible(session, period, off, taken):
                dealt.credited[period.customer_id, of_period[0].worth.currency] += sum(off.values())
    return dealt


def _by_choice(session: Session, accounts: Mapping[int, Account]) -> dict[LateUsage, list[int]]:
    """The open items of these customers, by what shall become of them."""
    statement = select(LateItem.id, LateItem.customer_id, LateItem.wanted).where(
        among(LateItem.customer_id, accounts), _is_open()
    )
    by_choice: dict[LateUsage, list[int]] = {}
    for item_id, customer_id, wanted in session.execute(_joined(statement).order_by(LateItem.id)):
        choice = wanted or LateUsage(accounts[customer_id].business.late_usage)
        by_choice.setdefault(choice, []).append(item_id)
    return by_choice


def _in_turn(session: Session, by_choice: Mapping[LateUsage, Collection[int]]) -> dict[LateUsage, list[Group]]:
    """Those of these items that are billed or credited, in the order in which they are: after those that are waived."""
    chosen = [by_choice.get(choice, ()) for choice in _BILLED]
    _, *found = settling.in_turn(session, by_choice.get(LateUsage.WAIVE, ()), *chosen)
    return dict(zip(_BILLED, found, strict=True))


def _owed(found: Iterable[Group]) -> Counter[tuple[int, str]]:
    """What those come to that are worth more than nothing, in minor units by customer and currency."""
    owed: Counter[tuple[int, str]] = Counter()
    for one in found:
        if one.worth.minor > 0:
            owed[one.period.customer_id, one.worth.currency] += one.worth.minor
    return owed


def groups_for_next_invoices(session: Session, accounts: Mapping[int, Account]) -> list[Group]:
    """What ``of_next_invoices`` puts onto them, or credits. The caller has checked the permission."""
    return _in_turn(session, _by_choice(session, accounts))[LateUsage.NEXT_INVOICE]


def _waive_as_set(
    session: Session, actor: Actor, item_ids: Collection[int], accounts: Mapping[int, Account], now: datetime
) -> None:
    of_customer = select(LateItem.id, LateItem.customer_id).where(among(LateItem.id, item_ids))
    by_reason: dict[str, list[int]] = {}
    for item_id, customer_id in session.execute(of_customer):
        by_reason.setdefault(accounts[customer_id].business.late_usage_reason, []).append(item_id)
    for reason, ids in by_reason.items():
        settling.waive(session, actor, ids, reason=reason, now=now)


def _onto_own(
    session: Session,
    actor: Actor,
    found: Collection[Group],
    accounts: Mapping[int, Account],
    *,
    today: Day,
    tax_rate: Decimal,
    now: datetime,
) -> dict[int, int]:
    settling.close(session, actor, [one for one in found if one.worth.minor <= 0], accounts, today=today, now=now)
    owed = [one for one in found if one.worth.minor > 0]
    lines = settling.on_a_draft(session, actor, owed, accounts, tax_rate=tax_rate, now=now)
    return settling.own_drafts(session, actor, lines, accounts, today=today, now=now)


def _chosen(session: Session, actor: Actor, item_ids: Collection[int]) -> dict[int, list[int]]:
    """These items by their customers, who are locked; Conflict where one is not open any more."""
    ids = sorted(set(item_ids))
    if not 0 < len(ids) <= MOST_AT_ONCE:
        raise Invalid(f"Choose from 1 to {MOST_AT_ONCE:,} late items", fields={"items": f"are {len(ids):,}"})
    owners = select(LateItem.customer_id).where(among(LateItem.id, ids), visible_to(actor, LateItem.customer_id))
    for customer_id in session.scalars(owners.distinct().order_by(LateItem.customer_id)).all():
        customers.for_change(session, actor, customer_id)
    found: dict[int, list[int]] = {}
    chosen = select(LateItem.id, LateItem.customer_id).where(
        among(LateItem.id, ids), visible_to(actor, LateItem.customer_id), _is_open()
    )
    for item_id, customer_id in session.execute(_joined(chosen).order_by(LateItem.customer_id, LateItem.id)):
        found.setdefault(customer_id, []).append(item_id)
    if sum(map(len, found.values())) < len(ids):
        raise Conflict("Some of these items are not open any more, or never were. Look at them again.")
    return found


def _account(session: Session, customer_id: int) -> Account:
    customer = session.get_one(Customer, customer_id)
    return Account(customer, session.get_one(Business, customer.business_id))


def _audit(session: Session, actor: Actor, customer_id: int, after: dict[str, Any], now: datetime) -> None:
    name = session.scalar(select(Customer.name).where(Customer.id == customer_id)) or ""
    audit.record(session, actor, "usage.late", ("customer", customer_id), label=name, after=after, now=now)


def _joined(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """With what says where an item stands: its period and settlement, and their invoices."""
    return (
        statement.join(UsagePeriod, UsagePeriod.id == LateItem.period_id)
        .outerjoin(_BILLED_ON, _BILLED_ON.id == UsagePeriod.invoice_id)
        .outerjoin(UsageSettlement, UsageSettlement.id == LateItem.settlement_id)
        .outerjoin(_SETTLED_ON, _SETTLED_ON.id == UsageSettlement.invoice_id)
    )


def _is_open() -> ColumnElement[bool]:
    """In SQL, of what is ``_joined``: nothing has become of it, or what it was put on was cancelled, and its period is
    billed.
    """
    return and_(_is_unsettled(), or_(_BILLED_ON.id.is_(None), ~is_gone(_BILLED_ON)))


def _is_unsettled() -> ColumnElement[bool]:
    """In SQL: nothing has become of it, whether its period's invoice stands or not."""
    settled = and_(LateItem.settlement_id.is_not(None), or_(_SETTLED_ON.id.is_(None), ~is_gone(_SETTLED_ON)))
    return and_(UsagePeriod.replaced_at.is_(None), ~settled)


def _items() -> Select[*tuple[Any, ...]]:
    statement = select(
        *(column.label(name) for name, column in _FACTS.items()),
        LateItem.wanted,
        UsageSettlement.outcome,
        UsageSettlement.invoice_id,
        UsageSettlement.reason,
        _is_open().label("is_open"),
        and_(_is_unsettled(), ~_is_open()).label("unbilled"),
    )
    return (
        _joined(statement)
        .join(Customer, Customer.id == LateItem.customer_id)
        .join(Meter, Meter.id == LateItem.meter_id)
    )


def _read(session: Session, statement: Select[*tuple[Any, ...]]) -> list[Item]:
    rows = session.execute(statement).all()
    changed = worth.of_items(session, [row.id for row in rows]) if rows else {}
    return [_item(row, changed[row.id]) for row in rows]


def _item(row: Any, changed: worth.Changed) -> Item:
    unsettled = ItemState.UNBILLED if row.unbilled else ItemState.OPEN if row.is_open else None
    facts: dict[str, Any] = {name: getattr(row, name) for name in _FACTS}
    return Item(
        **facts,
        quantity=changed.quantity,
        worth=changed.worth,
        state=unsettled or ItemState(row.outcome.value),
        wanted=row.wanted,
        invoice_id=None if unsettled else row.invoice_id,
        reason="" if unsettled else row.reason,
    )
