"""Billing customers' usage: a draft for each customer and period, once; a period that comes to nothing has none.

An invoice that was cancelled frees its period: it can be billed anew, without what was waived of it. One that was
written off does not, since it was owed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import add

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.audit.service import Trace
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.dates import Day, Period, day_in
from billing_core.errors import Conflict, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.metering import bucket_changes, periods
from billing_core.metering.models import LateItem, UsagePeriod
from billing_core.metering.periods import is_gone
from billing_core.money import Money
from billing_core.payment_terms.reading import understood
from billing_core.plans import queries as plans
from billing_core.plans.queries import is_billed_elsewhere
from billing_core.usage import late
from billing_core.usage.billed import drafting, proposal, settling, waivers
from billing_core.usage.billed.drafting import Account, Billable
from billing_core.usage.billed.proposal import Proposal
from billing_core.usage.charges import Charge, charges_of, has_usage
from billing_core.usage.late import Dealt
from billing_core.usage.models import Outcome, UsageSettlement


@dataclass(frozen=True, slots=True)
class Billed:
    """What became of one customer. ``created``: its period is billed by this call, not by one before. ``invoice_id``
    None: it came to nothing. ``late_invoice_ids`` are the drafts of what came late for earlier periods that this call
    made: one if the period came to nothing, and one as a document of its own if that is chosen. ``late_minor`` is what
    came late and is on all drafts of this call, ``credited_minor`` what was credited of earlier periods, in minor units
    before tax. ``period_id`` None: it was not billed, because of the ``refusal``. ``own_invoice_id``: the document of
    its own among the late ones.
    """

    customer_id: int
    name: str
    period_id: int | None
    invoice_id: int | None
    created: bool
    refusal: str = ""
    late_invoice_ids: tuple[int, ...] = ()
    late_minor: int = 0
    credited_minor: int = 0
    own_invoice_id: int | None = None

    @property
    def next_invoice_id(self) -> int | None:
        """The draft that bills the period, or else what came late on the next invoice; not the document of its own."""
        others = (id_ for id_ in self.late_invoice_ids if id_ != self.own_invoice_id)
        return next(others, None) if self.invoice_id is None else self.invoice_id

    @property
    def invoice_ids(self) -> tuple[int, ...]:
        """The invoice of the period, of this call or of one before, and those of what came late."""
        return self.late_invoice_ids if self.invoice_id is None else (self.invoice_id, *self.late_invoice_ids)


def customers_to_bill(session: Session, actor: Actor, period: Period) -> list[int]:
    """The active customers for whom ``has_to_bill`` holds."""
    actor.require(Permission.USAGE_READ)
    statement = select(Customer.id).where(visible_to(actor), Customer.active, has_to_bill(period))
    return list(session.scalars(statement.order_by(Customer.id)))


def has_to_bill(period: Period) -> ColumnElement[bool]:
    """In SQL: the customer used something in the period, was on a plan, or has open late items of an earlier one; and
    its usage is not billed with a subscription.
    """
    owes = or_(has_usage(period), late.has_open(Customer.id, before=period.start))
    return and_(owes, ~is_billed_elsewhere(Customer.id, period))


def rehearse(
    session: Session, actor: Actor, customer_ids: Collection[int], period: Period, *, now: datetime
) -> list[Billable]:
    """What billing these customers would make; nothing is changed."""
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.PLAN_READ)
    accounts = _accounts(session, actor, customer_ids, locked=False)
    charges = charges_of(session, list(accounts), period)
    found = [one for one, _ in _billable(session, accounts, charges, period, now)]
    to_bill = {one.customer_id: accounts[one.customer_id] for one in found if one.can_be_billed}
    expected = late.expected(session, to_bill) if to_bill else late.Dealt()
    return [_with_late(one, expected) for one in found]


def _with_late(one: Billable, expected: Dealt) -> Billable:
    if one.total is None:
        return one
    key = one.customer_id, one.total.currency
    return replace(one, late_minor=expected.owed[key], credited_minor=expected.credited[key])


def propose(session: Session, actor: Actor, customer_id: int, period: Period, *, now: datetime) -> Proposal:
    """The invoice that ``bill`` would make, line by line; nothing is changed."""
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.PLAN_READ)
    accounts = _accounts(session, actor, [customer_id], locked=False)
    charges = charges_of(session, [customer_id], period, unused=True)
    ((one, _),) = _billable(session, accounts, charges, period, now)
    return proposal.of(session, one, accounts[customer_id], late.groups_for_next_invoices(session, accounts))


def bill(
    session: Session,
    actor: Actor,
    customer_id: int,
    period: Period,
    *,
    now: datetime,
    today: Day,
    tax_rate: Decimal = Decimal(0),
    billed_with: str | None = None,
) -> Billed:
    """``bill_many`` for one customer; Conflict where it refuses."""
    (outcome,) = bill_many(
        session, actor, [customer_id], period, now=now, today=today, tax_rate=tax_rate, billed_with=billed_with
    )
    if outcome.refusal:
        raise Conflict(f"{outcome.name}: {outcome.refusal}")
    return outcome


def bill_many(
    session: Session,
    actor: Actor,
    customer_ids: Collection[int],
    period: Period,
    *,
    now: datetime,
    today: Day,
    tax_rate: Decimal = Decimal(0),
    billed_with: str | None = None,
) -> list[Billed]:
    """Bill the usage of each of these customers in the period, with drafts of the day that ``today`` is where their
    business is; ``tax_rate`` in percent. What came late for earlier periods is taxed as those were.
    ``billed_with``: the subscription that bills it, where one does.

    The customers are locked: whoever records usage of theirs meanwhile waits, and what it records is late.
    """
    actor.require(Permission.INVOICE_WRITE)
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.PLAN_READ)
    accounts = _accounts(session, actor, customer_ids, locked=True)
    # What was not used has its line too: what comes late for it is priced by that.
    charges = charges_of(session, list(accounts), period, unused=True)
    found = _billable(session, accounts, charges, period, now, billed_with=billed_with)
    to_bill = [one for one, _ in found if one.can_be_billed]
    chosen = {one.customer_id for one in to_bill}
    freed = [before for one, cancelled in found if one.customer_id in chosen for before in cancelled]
    _replace(session, actor, freed, now)
    kept = drafting.keep(session, actor, to_bill, period, freed, now=now)
    billed = {one.customer_id: accounts[one.customer_id] for one in to_bill}
    dealt = late.of_next_invoices(session, actor, billed, today=today, tax_rate=tax_rate, now=now)
    drafts = drafting.draft(
        session, actor, to_bill, period, kept, dealt.lines, accounts, today=today, tax_rate=tax_rate, now=now
    )
    traces = [_trace(one, period, drafts.get(one.customer_id)) for one in to_bill]
    audit.record_many(session, actor, "usage.bill", traces, now=now)
    return [_outcome(one, kept, drafts, dealt) for one, _ in found]


def _outcome(one: Billable, kept: Mapping[int, int], drafts: Mapping[int, int], dealt: Dealt) -> Billed:
    if one.customer_id not in kept:
        return Billed(one.customer_id, one.name, one.period_id, one.invoice_id, False, one.refusal)
    assert one.total is not None  # noqa: S101  # questions are not billed
    invoice_id, lines = drafts.get(one.customer_id), dealt.lines.get(one.customer_id)
    key = one.customer_id, one.total.currency
    alone = lines[0].settlement.invoice_id if lines and invoice_id is None else None
    return Billed(
        one.customer_id,
        one.name,
        kept[one.customer_id],
        invoice_id,
        True,
        late_invoice_ids=tuple(id_ for id_ in (alone, dealt.own.get(one.customer_id)) if id_ is not None),
        late_minor=dealt.owed[key],
        credited_minor=dealt.credited[key],
        own_invoice_id=dealt.own.get(one.customer_id),
    )


def _replace(session: Session, actor: Actor, freed: Sequence[UsagePeriod], now: datetime) -> None:
    """They stand no longer, and what changed them afterwards is billed with the days that it came for."""
    periods.replace(session, freed, now=now)
    for before in freed:
        anew = UsageSettlement(
            period_id=before.id, outcome=Outcome.BILLED_ANEW, invoice_id=None, settled_at=now, settled_by=actor.name
        )
        session.add(anew)
        session.flush()
        # What was waived stays so: the bill leaves it out.
        waived = select(UsageSettlement.id).where(
            UsageSettlement.period_id == before.id, UsageSettlement.outcome == Outcome.WAIVED
        )
        not_waived = or_(LateItem.settlement_id.is_(None), LateItem.settlement_id.not_in(waived))
        items = update(LateItem).where(LateItem.period_id == before.id, not_waived).values(settlement_id=anew.id)
        session.execute(items.execution_options(synchronize_session=False))


def _accounts(session: Session, actor: Actor, customer_ids: Collection[int], *, locked: bool) -> dict[int, Account]:
    """By the customers' ids, in their order, which is that in which everybody locks them."""
    statement = (
        select(Customer)
        .where(among(Customer.id, customer_ids), visible_to(actor))
        .order_by(Customer.id)
        .execution_options(populate_existing=locked)
    )
    if locked:
        statement = statement.with_for_update(key_share=True)
    businesses = {business.id: business for business in session.scalars(select(Business))}
    found = {one.id: Account(one, businesses[one.business_id]) for one in session.scalars(statement)}
    for customer_id in customer_ids:
        if customer_id not in found:
            raise NotFound(f"There is no customer {customer_id}")
    return found


def _billable(
    session: Session,
    accounts: dict[int, Account],
    charges: Mapping[int, Sequence[Charge]],
    period: Period,
    now: datetime,
    *,
    billed_with: str | None = None,
) -> list[tuple[Billable, list[UsagePeriod]]]:
    """Each customer, and the billed periods that are free again."""
    standing: dict[int, list[UsagePeriod]] = {}
    free: dict[int, list[UsagePeriod]] = {}
    for kept, is_free in _billed_before(session, accounts, period):
        (free if is_free else standing).setdefault(kept.customer_id, []).append(kept)
    freed = [one.id for of_customer in free.values() for one in of_customer]
    settled_on = settling.standing_on(session, freed)
    rebucketed = _rebucketed(session, free, period)
    elsewhere = plans.billed_with(session, list(accounts), period)
    to_charge = waivers.without(session, charges, period, freed)
    found = []
    for customer_id, account in accounts.items():
        one = _asked(account, to_charge[customer_id])
        kept_here, free_here = standing.get(customer_id, []), free.get(customer_id, [])
        if kept_here and (kept_here[0].first_day, kept_here[0].last_day) == (period.start, period.end):
            one = replace(one, period_id=kept_here[0].id, invoice_id=kept_here[0].invoice_id)
        elif kept_here:
            days = Period(kept_here[0].first_day, kept_here[0].last_day)
            one = replace(one, refusal=f"Its usage is billed from {days} already, which shares days with {period}")
        elif customer_id in elsewhere and elsewhere[customer_id][0] != billed_with:
            subscription, first_day = elsewhere[customer_id]
            one = replace(one, refusal=f"From {first_day} on its usage is billed with the subscription {subscription}")
        elif on := next((settled_on[one.id] for one in free_here if one.id in settled_on), ""):
            one = replace(one, refusal=f"Late usage of {period} is on {on}: cancel that too, or credit it")
        elif customer_id in rebucketed:
            one = replace(one, refusal=rebucketed[customer_id])
        elif not account.customer.active:
            one = replace(one, refusal="It is deactivated: nothing new is billed to it")
        elif period.end >= day_in(account.zone, now):
            one = replace(one, refusal=f"The period {period} is not over in {account.zone}: it can be billed after it")
        else:
            one = replace(one, refusal=_unpriced(one.charges) or _without_due_date(account))
        found.append((one, free_here))
    return found


def _billed_before(
    session: Session, accounts: dict[int, Account], period: Period
) -> Iterator[tuple[UsagePeriod, bool]]:
    """What is billed on days of the period, and whether its invoice was cancelled."""
    kept = periods.overlapping(session, list(accounts), period)
    ids = [one.invoice_id for one in kept if one.invoice_id is not None]
    gone = set(session.scalars(select(Invoice.id).where(among(Invoice.id, ids), is_gone(Invoice)))) if ids else set()
    for one in kept:
        yield one, one.invoice_id in gone


def _rebucketed(session: Session, freed: Mapping[int, Sequence[UsagePeriod]], period: Period) -> dict[int, str]:
    """Why customers' days cannot be billed with or without others than before: their events are in the buckets of then,
    those beside them in today's, and a level that holds on would be billed in both.
    """
    of_others = [
        one
        for of_one in freed.values()
        for one in of_one
        if (one.first_day, one.last_day) != (period.start, period.end)
    ]
    changed = bucket_changes.changed_since(session, [one.id for one in of_others])
    return {
        one.customer_id: f"Its usage was billed from {Period(one.first_day, one.last_day)}, and {changed[one.id]} has "
        "had other buckets since: bill exactly those days again"
        for one in of_others
        if one.id in changed
    }


def _asked(account: Account, charges: Sequence[Charge]) -> Billable:
    """``total`` is in the customer's currency: all its plans are, as it keeps the currency once it was on one."""
    customer = account.customer
    amounts = [charge.amount for charge in charges if charge.amount]
    questions = any(charge.is_question for charge in charges)
    total = None if questions else reduce(add, amounts, Money(0, customer.currency))
    return Billable(customer.id, customer.name, customer.ref, tuple(charges), total)


def _unpriced(charges: Sequence[Charge]) -> str:
    """Why these charges cannot be billed; empty where they can."""
    for charge in charges:
        if charge.is_question:
            days, why = charge.segment.days, "it was on no plan" if charge.segment.version is None else "no price"
            return f"{charge.quantity.normalize():f} of {charge.meter} from {days} cannot be priced: {why}"
    return ""


def _without_due_date(account: Account) -> str:
    """Why a draft for the customer would have no due date; empty where it has one. One of many keeps no other back."""
    terms = account.customer.payment_terms or account.business.payment_terms
    if understood(terms):
        return ""
    whose = "customer" if account.customer.payment_terms else "business"
    return f"The payment terms “{terms}” are not understood: change those of the {whose}, so that a due date follows"


def _trace(one: Billable, period: Period, invoice_id: int | None) -> Trace:
    total = str(one.total)
    facts = {"period": str(period), "total": total, "invoice": invoice_id}
    return Trace(("customer", one.customer_id), one.name, after=facts)
