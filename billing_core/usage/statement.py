"""A statement of one organization's usage in a window, and what it costs by the plans that it was on."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import add

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.dates import Period, day_in
from billing_core.identity.permissions import Actor, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import Invoice
from billing_core.metering import queries as metering
from billing_core.metering.models import UsagePeriod
from billing_core.metering.periods import is_gone
from billing_core.metering.queries import Day, Usage
from billing_core.money import Money, nearest
from billing_core.plans import queries as plans
from billing_core.plans.segments import Charged, charge, split
from billing_core.usage.organizations import Organization
from billing_core.usage.windows import Window


@dataclass(frozen=True, slots=True)
class Bill:
    """What the calls cost, and the segments that it is the sum of: nothing is pooled among them."""

    parts: tuple[Charged, ...]
    currency: str

    @property
    def included_calls(self) -> int:
        return sum(part.segment.included_calls for part in self.parts)

    @property
    def calls(self) -> int:
        return sum(part.calls for part in self.parts)

    @property
    def overage_calls(self) -> int:
        """Those beyond the allowance, also where there is no price for them."""
        return sum(part.overage_calls for part in self.parts)

    @property
    def unpriced_calls(self) -> int:
        """Calls on days on no plan."""
        return sum(part.calls for part in self.parts if part.segment.version is None)

    @property
    def price_per_call(self) -> Decimal | None:
        """In major units, at the end of the window; None on no plan."""
        last = self.parts[-1].segment.version
        return None if last is None else last.price_per_call

    @property
    def total(self) -> Money:
        return reduce(add, [part.cost for part in self.parts if part.cost], Money(0, self.currency))


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


def statement(
    session: Session, actor: Actor, organization: Organization, window: Window, *, now: datetime
) -> Statement:
    """``organization``: as on the window's last day. The session reads at one moment, so that the parts agree."""
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.INVOICE_READ)
    usage = usage_in(session, actor, organization, window)
    bill = bill_of(session, actor, organization, window, calls=usage.calls)
    invoice = _invoice_of(session, organization, Period.month_of(window.start.date()), now=now)
    return Statement(organization, window, usage, bill, now, invoice)


def usage_in(session: Session, actor: Actor, organization: Organization, window: Window) -> Usage:
    """What the organization used."""
    return metering.usage_of(session, actor, organization.customer_id, start=window.start, end=window.end)


def bill_of(session: Session, actor: Actor, organization: Organization, window: Window, *, calls: int) -> Bill:
    """What the organization's ``calls`` in the window cost."""
    actor.require(Permission.PLAN_READ)
    segments = split(window.days, plans.on_plan(session, organization.customer_id, window.days))
    if len(segments) == 1:
        return Bill((charge(segments[0], calls),), organization.currency)
    parts = []
    for segment in segments:
        part = window.within(segment.days)
        parts.append(charge(segment, usage_in(session, actor, organization, part).calls))
    return Bill(tuple(parts), organization.currency)


def _invoice_of(session: Session, organization: Organization, month: Period, *, now: datetime) -> RealInvoice | None:
    """The first one that bills days of the month, in the billing zone, and was not cancelled."""
    facts = {"customer_id": organization.customer_id, "first_day": month.start, "last_day": month.end}
    row = session.execute(_INVOICE, facts).one_or_none()
    if row is None:
        return None
    invoice, zone = row
    return RealInvoice(invoice.number, lifecycle.status(invoice, day_in(zone, now)), invoice.total)


def average_response_time(usage: Usage | Day) -> Decimal:
    """In seconds, over all calls, rounded half up to two digits; 0 without calls."""
    if not usage.calls:
        return Decimal(0)
    numerator, denominator = usage.response_time_sum.as_integer_ratio()
    return Decimal(nearest(numerator * 100, denominator * usage.calls)).scaleb(-2)


# Put together once, which takes longer than carrying it out.
_INVOICE = (
    select(Invoice, Business.time_zone)
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
