"""What billing writes: billed periods with their lines, and the drafts that have the same lines."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.dates import Day, Period
from billing_core.identity.permissions import Actor
from billing_core.invoices import service as invoices
from billing_core.invoices.content.content import Content, DraftLine, blank_for
from billing_core.metering import bucket_changes
from billing_core.metering.models import HOLDS_ON, NO_BUCKET, PLACES, Meter, MeterBucket, UsagePeriod
from billing_core.metering.quantities import from_events
from billing_core.metering.quantities.stretches import Stretch
from billing_core.money import Money, scaled
from billing_core.plans.prices import Place
from billing_core.usage.billed import invoice_lines
from billing_core.usage.charges import Charge
from billing_core.usage.models import UsageLine, UsageSettlement

_LINES: Final = cast("Table", UsageLine.__table__)
_PERIODS: Final = cast("Table", UsagePeriod.__table__)
_NAME_INVOICE: Final = (
    update(_PERIODS).where(_PERIODS.c.id == bindparam("period")).values(invoice_id=bindparam("invoice"))
)
_ONE: Final = 10**PLACES


@dataclass(frozen=True, slots=True)
class Account:
    """A customer as billing needs it."""

    customer: Customer
    business: Business

    @property
    def zone(self) -> str:
        return self.customer.time_zone or self.business.time_zone


@dataclass(frozen=True, slots=True)
class Billable:
    """One customer's usage in a period as it would be billed now. ``total`` is before tax, None where a charge is a
    question. ``period_id`` and ``invoice_id``: it is billed already; ``refusal``: why it cannot be. ``late_minor`` is
    what came late for earlier periods and would be billed with it, ``credited_minor`` what would be credited of those,
    in minor units before tax.
    """

    customer_id: int
    name: str
    ref: str
    charges: tuple[Charge, ...]
    total: Money | None
    period_id: int | None = None
    invoice_id: int | None = None
    refusal: str = ""
    late_minor: int = 0
    credited_minor: int = 0

    @property
    def can_be_billed(self) -> bool:
        return self.period_id is None and not self.refusal


@dataclass(frozen=True, slots=True)
class Late:
    """A line of a draft that bills late items, and the settlement that names the draft once there is one."""

    settlement: UsageSettlement
    line: DraftLine
    currency: str


def keep(
    session: Session,
    actor: Actor,
    to_bill: Collection[Billable],
    period: Period,
    freed: Collection[UsagePeriod],
    *,
    now: datetime,
) -> dict[int, int]:
    """The ids of the billed periods by customer, without their invoices so far. ``freed``: those that they replace,
    whose events are in the buckets of then.
    """
    latest = bucket_changes.latest(session)
    of_then = {one.customer_id: one.bucket_change_id for one in freed if one.first_day <= period.start}
    rows = [
        {
            "customer_id": one.customer_id,
            "first_day": period.start,
            "last_day": period.end,
            "billed_at": now,
            "billed_by": actor.name,
            "cuts": _cuts(one.charges, period),
            "bucket_change_id": of_then.get(one.customer_id, latest),
        }
        for one in to_bill
    ]
    if not rows:
        return {}
    ids = session.scalars(insert(_PERIODS).returning(_PERIODS.c.id, sort_by_parameter_order=True), rows)
    return {one.customer_id: id_ for one, id_ in zip(to_bill, ids, strict=True)}


def _cuts(charges: Iterable[Charge], period: Period) -> list[str]:
    """The days on which the segments after the first begin; one in which nothing was used or agreed has no charge."""
    begun = {charge.segment.first_day for charge in charges}
    begun |= {charge.segment.last_day + timedelta(days=1) for charge in charges}
    return [f"{day}" for day in sorted(begun) if period.start < day <= period.end]


def draft(
    session: Session,
    actor: Actor,
    to_bill: Sequence[Billable],
    period: Period,
    kept: Mapping[int, int],
    late: Mapping[int, Sequence[Late]],
    accounts: Mapping[int, Account],
    *,
    today: Day,
    tax_rate: Decimal,
    now: datetime,
) -> dict[int, int]:
    """Write what each period is made of, and a draft of that and of what came late for whoever owes something. Returns
    the invoices of the periods, by customer.
    """
    names, held = names_of_places(session), _held_before(session, to_bill, period)
    charged = [(one, [charge for charge in one.charges if charge.amount]) for one in to_bill]
    rows = [
        _row(kept[one.customer_id], position, charge)
        | {"held_event_id": held.get((one.customer_id, charge.meter_id, charge.bucket_id, charge.segment.first_day))}
        for one, charges in charged
        for position, charge in enumerate(charges, start=1)
    ]
    line_ids = iter(insert_lines(session, rows))
    contents, owing = [], set()
    for one, charges in charged:
        assert one.total is not None  # noqa: S101  # questions are not billed
        account, more = accounts[one.customer_id], [item.line for item in late.get(one.customer_id, [])]
        language = account.customer.locale
        shown = [
            line
            for charge, line_id in zip(charges, islice(line_ids, len(charges)), strict=True)
            if is_shown(charge)
            for line in invoice_lines.of_charge(charge, names, language, tax_rate=tax_rate, usage_line_id=line_id)
        ]
        if one.total.minor:
            owing.add(one.customer_id)
        if one.total.minor or more:
            contents.append(content(account, one.total.currency, [*shown, *more] if one.total.minor else more, today))
    ids = invoices.create_many(session, actor, contents, now=now) if contents else []
    billed = {}
    for made, invoice_id in zip(contents, ids, strict=True):
        if made.customer_id in owing:
            billed[made.customer_id] = invoice_id
        for item in late.get(made.customer_id, []):
            item.settlement.invoice_id = invoice_id
    session.flush()
    if billed:
        named = [{"period": kept[customer_id], "invoice": invoice_id} for customer_id, invoice_id in billed.items()]
        session.connection().execute(_NAME_INVOICE, named)
    return billed


def is_shown(charge: Charge) -> bool:
    """Whether an invoice tells of it: something was used, or is owed."""
    return bool(charge.quantity or (charge.amount and charge.amount.minor))


def _held_before(
    session: Session, to_bill: Sequence[Billable], period: Period
) -> dict[tuple[int, int, int, date], str]:
    """The event whose quantity holds when the days of a charge begin: by customer, meter, bucket and first day."""
    meters = session.scalars(select(Meter).where(Meter.aggregation.in_(HOLDS_ON))).all()
    days = {(one.customer_id, charge.segment.days) for one in to_bill for charge in one.charges} if meters else ()
    stretches = [Stretch(customer_id, one.start, one.end) for customer_id, one in days]
    return {
        (stretches[place].customer_id, meter_id, bucket_id, stretches[place].first_day): event_id
        for (place, meter_id, bucket_id), event_id in from_events.held_before(
            session, stretches, period, meters
        ).items()
    }


def insert_lines(session: Session, rows: Sequence[dict[str, Any]]) -> list[int]:
    """The ids of these lines of billed periods, in their order."""
    if not rows:
        return []
    return list(session.scalars(insert(_LINES).returning(_LINES.c.id, sort_by_parameter_order=True), rows))


def content(account: Account, currency: str, lines: Iterable[DraftLine], today: Day) -> Content:
    """A draft for the customer with these lines."""
    return replace(blank_for(account.customer, account.business, today), currency=currency, lines=tuple(lines))


def names_of_places(session: Session) -> dict[Place, str]:
    """What meters and their buckets are called."""
    meters = {(id_, NO_BUCKET): name for id_, name in session.execute(select(Meter.id, Meter.name))}
    buckets = session.execute(select(MeterBucket.meter_id, MeterBucket.id, MeterBucket.name))
    return meters | {(meter_id, id_): name for meter_id, id_, name in buckets}


def _row(period_id: int, position: int, charge: Charge) -> dict[str, Any]:
    amount, version = charge.amount, charge.segment.version
    assert amount is not None  # noqa: S101  # questions are not billed
    assert version is not None  # noqa: S101  # nothing has a price without a plan
    whole, millionths = divmod(scaled(charge.quantity, PLACES), _ONE)
    return {
        "period_id": period_id,
        "position": position,
        "meter_id": charge.meter_id,
        "bucket_id": charge.bucket_id,
        "first_day": charge.segment.first_day,
        "last_day": charge.segment.last_day,
        "plan_version_id": version.id,
        "whole": whole,
        "millionths": millionths,
        "included": charge.included,
        "parts": [part.stored() for part in charge.parts],
        "currency": amount.currency,
        "amount_minor": amount.minor,
    }
