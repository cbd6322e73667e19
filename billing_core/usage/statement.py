"""A statement of one organization's usage in a window, and what its calls cost by the plans that it was on."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from itertools import groupby
from math import floor
from operator import add
from typing import cast

from sqlalchemy import bindparam, select

from billing_core.businesses.models import Business
from billing_core.database.engine import Reads, connection_of
from billing_core.dates import Period, day_in
from billing_core.identity.permissions import Actor, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import Invoice
from billing_core.metering import queries as metering
from billing_core.metering.models import NO_BUCKET, UsagePeriod
from billing_core.metering.periods import is_gone
from billing_core.metering.queries import Day, Usage
from billing_core.money import Money, nearest
from billing_core.plans import queries as plans
from billing_core.plans.segments import Segment, split
from billing_core.usage.charges import Charge, rates_of_calls
from billing_core.usage.organizations import Organization
from billing_core.usage.windows import Window


@dataclass(frozen=True, slots=True)
class Bill:
    """What the calls cost: the charges of which it is the sum, segment by segment, in each that of the calls in no
    bucket and those of all buckets that were used or have a price. Nothing is pooled among them.
    """

    charges: tuple[Charge, ...]
    currency: str

    @property
    def included_calls(self) -> int:
        """Whole calls, used or not."""
        return sum(floor(one.included) for one in self.charges)

    @property
    def calls(self) -> int:
        return sum(int(one.quantity) for one in self.charges)

    @property
    def overage_calls(self) -> int:
        """Those beyond what is included, also where there is no price for them."""
        return sum(max(0, int(one.quantity) - floor(one.included)) for one in self.charges)

    @property
    def unpriced_calls(self) -> int:
        """Calls on days on no plan, or in a bucket for which the plan has no price."""
        return sum(int(one.quantity) for one in self.charges if one.is_question)

    @property
    def price_per_call(self) -> Decimal | None:
        """That of the plan, in major units, at the end of the window; None on no plan."""
        last = self.charges[-1].segment.version
        return None if last is None else last.price_per_call

    @property
    def has_buckets(self) -> bool:
        return any(one.bucket_id != NO_BUCKET for one in self.charges)

    @property
    def total(self) -> Money:
        return reduce(add, [one.amount for one in self.charges if one.amount], Money(0, self.currency))

    def by_segment(self) -> list[tuple[Segment, "Bill"]]:
        """Each segment with its part of the bill."""
        grouped = groupby(self.charges, key=lambda one: one.segment)
        return [(segment, Bill(tuple(charges), self.currency)) for segment, charges in grouped]


@dataclass(frozen=True, slots=True)
class RealInvoice:
    """The invoice that bills usage of the statement's month. ``number`` is None while it is a draft; ``total`` has its
    tax.
    """

    number: str | None
    status: InvoiceStatus
    total: Money


@dataclass(frozen=True, slots=True)
class Statement:
    """Not an invoice: its number never enters a series, and the same month has the same one. ``invoice``: the real one
    of that month, once there is one.
    """

    organization: Organization
    window: Window
    usage: Usage
    bill: Bill
    generated_at: datetime
    invoice: RealInvoice | None = None

    @property
    def number(self) -> str:
        return f"INV-{self.organization.uuid}-{self.window.start:%Y%m}"


def statement(session: Reads, actor: Actor, organization: Organization, window: Window, *, now: datetime) -> Statement:
    """``organization``: as on the window's last day. The session reads at one moment, so that the parts agree."""
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.INVOICE_READ)
    usage = usage_in(session, actor, organization, window)
    bill = bill_of(session, actor, organization, window, calls=usage.calls)
    invoice = _invoice_of(session, organization, Period.month_of(window.start.date()), now=now)
    return Statement(organization, window, usage, bill, now, invoice)


def usage_in(session: Reads, actor: Actor, organization: Organization, window: Window) -> Usage:
    """What the organization used."""
    return metering.usage_of(session, actor, organization.customer_id, start=window.start, end=window.end)


def bill_of(session: Reads, actor: Actor, organization: Organization, window: Window, *, calls: int) -> Bill:
    """What the organization's ``calls`` in the window cost, priced as an invoice of the days that it touches would."""
    actor.require(Permission.PLAN_READ)
    segments = split(window.days, plans.on_plan(session, organization.customer_id, window.days))
    rates = rates_of_calls(session, {one.version for one in segments if one.version})
    meter_id, _ = rates.calls
    charges = []
    for segment in segments:
        if len(segments) == 1 and not rates.bucket_codes:
            counted = {NO_BUCKET: calls}
        else:
            part = window.within(segment.days)
            counted = metering.calls_by_bucket(session, actor, organization.customer_id, start=part.start, end=part.end)
        used = {(meter_id, bucket_id): Decimal(count) for bucket_id, count in counted.items()}
        charges += [
            rates.charge(segment, place, used.get(place, Decimal(0)), window.days)
            for place in sorted({rates.calls, *rates.of(segment), *used})
        ]
    return Bill(tuple(charges), organization.currency)


def _invoice_of(session: Reads, organization: Organization, month: Period, *, now: datetime) -> RealInvoice | None:
    """The first one that bills days of the month, in the billing zone, and was not cancelled."""
    facts = {"customer_id": organization.customer_id, "first_day": month.start, "last_day": month.end}
    row = connection_of(session).execute(_INVOICE, facts).one_or_none()
    if row is None:
        return None
    status = lifecycle.status(cast("lifecycle.Facts", row), day_in(row.time_zone, now))
    return RealInvoice(row.number, status, Money(row.total_minor, row.currency))


def average_response_time(usage: Usage | Day) -> Decimal:
    """In seconds, over all calls, rounded half up to two digits; 0 without calls."""
    if not usage.calls:
        return Decimal(0)
    numerator, denominator = usage.response_time_sum.as_integer_ratio()
    return Decimal(nearest(numerator * 100, denominator * usage.calls)).scaleb(-2)


# Put together once, which takes longer than carrying it out.
_INVOICE = (
    select(
        Invoice.business_id,
        Invoice.number,
        Invoice.total_minor,
        Invoice.currency,
        Invoice.state,
        Invoice.late_after,
        Invoice.paid_minor,
        Invoice.refunded_minor,
        Invoice.viewed_at,
        Business.time_zone,
    )
    .join(UsagePeriod, UsagePeriod.invoice_id == Invoice.id)
    .join(Business, Business.id == Invoice.business_id)
    .where(
        UsagePeriod.customer_id == bindparam("customer_id"),
        UsagePeriod.replaced_at.is_(None),
        UsagePeriod.first_day <= bindparam("last_day"),
        UsagePeriod.last_day >= bindparam("first_day"),
        ~is_gone(Invoice),
    )
    .order_by(UsagePeriod.first_day)
    .limit(1)
)
