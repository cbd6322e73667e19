"""The proof that every event of usage is in one period's bill or is one late item, and that bills are on invoices."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, case, func, or_, select, type_coerce, union_all
from sqlalchemy.orm import Session, aliased

from billing_core import proof
from billing_core.customers.models import Customer
from billing_core.invoices.models import Invoice, InvoiceLineItem
from billing_core.metering.models import (
    BY_DAYS,
    FROM_EVENTS,
    PLACES,
    Aggregation,
    LateItem,
    LateKind,
    Meter,
    UsageDay,
    UsageEvent,
    UsageEventKey,
    UsagePeriod,
    ZoneKind,
)
from billing_core.metering.periods import is_gone
from billing_core.proof import Check
from billing_core.usage.billed import followed
from billing_core.usage.models import UsageLine, UsageSettlement

_ONE: Final = 10**PLACES
_STANDS: Final = UsagePeriod.replaced_at.is_(None)
_BILLED: Final = UsageLine.settlement_id.is_(None)
_SUMS: Final = Meter.aggregation.in_(BY_DAYS)


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _apart(session)
    yield _quantities(session)
    yield _followed(session)
    yield _settled(session)
    yield _late(session)
    yield _invoiced(session)


def _apart(session: Session) -> Check:
    other = aliased(UsagePeriod)
    both = (
        select(Customer.ref, UsagePeriod.first_day, UsagePeriod.last_day)
        .join(Customer, Customer.id == UsagePeriod.customer_id)
        .join(
            other,
            (other.customer_id == UsagePeriod.customer_id)
            & (other.id != UsagePeriod.id)
            & (other.first_day <= UsagePeriod.last_day)
            & (other.last_day >= UsagePeriod.first_day),
        )
        .where(_STANDS, other.replaced_at.is_(None))
        .order_by(UsagePeriod.customer_id, UsagePeriod.first_day)
    )
    return Check(
        "No day of usage is in two billed periods",
        proof.count(session, UsagePeriod, _STANDS),
        proof.named(session, both, "customer {0}, {1} to {2}"),
    )


def _quantities(session: Session) -> Check:
    """Of meters whose events add up, day by day, with the line that covers the day, if any: what nobody billed is wrong
    too.
    """
    day, item = UsageDay, LateItem
    covering = (
        (UsageLine.period_id == UsagePeriod.id)
        & (UsageLine.meter_id == day.meter_id)
        & (UsageLine.bucket_id == day.bucket_id)
        & day.day.between(UsageLine.first_day, UsageLine.last_day)
        & _BILLED
    )
    used = (
        select(UsagePeriod.id.label("period_id"), day.meter_id, UsageLine.id.label("line_id"), *_used(1))
        .join(
            day,
            (day.customer_id == UsagePeriod.customer_id)
            & (day.zone_kind == ZoneKind.BILLING)
            & day.day.between(UsagePeriod.first_day, UsagePeriod.last_day),
        )
        .join(Meter, Meter.id == day.meter_id)
        .outerjoin(UsageLine, covering)
        .where(_STANDS, _SUMS)
    )
    changed_line = (
        (UsageLine.period_id == item.period_id)
        & (UsageLine.meter_id == item.meter_id)
        & (UsageLine.bucket_id == item.bucket_id)
        & item.day.between(UsageLine.first_day, UsageLine.last_day)
        & _BILLED
    )
    changed = (
        select(item.period_id, item.meter_id, UsageLine.id, *_changed(-1))
        .join(Meter, Meter.id == item.meter_id)
        .join(UsagePeriod, UsagePeriod.id == item.period_id)
        .outerjoin(UsageLine, changed_line)
        .where(_STANDS, _SUMS)
    )
    billed = (
        select(UsageLine.period_id, UsageLine.meter_id, UsageLine.id, -UsageLine.whole, -UsageLine.millionths)
        .join(UsagePeriod, UsagePeriod.id == UsageLine.period_id)
        .join(Meter, Meter.id == UsageLine.meter_id)
        .where(_STANDS, _BILLED, _SUMS)
    )
    rows = union_all(used, changed, billed).subquery("rows")
    wrong = (
        select(rows.c.period_id, rows.c.meter_id)
        .group_by(rows.c.period_id, rows.c.meter_id, rows.c.line_id)
        .having(_differ(rows))
        .subquery("wrong")
    )
    named = (
        select(Customer.ref, UsagePeriod.first_day, UsagePeriod.last_day, Meter.code)
        .select_from(wrong)
        .outerjoin(UsagePeriod, UsagePeriod.id == wrong.c.period_id)
        .outerjoin(Customer, Customer.id == UsagePeriod.customer_id)
        .outerjoin(Meter, Meter.id == wrong.c.meter_id)
        .order_by(wrong.c.period_id, wrong.c.meter_id)
    )
    return Check(
        "Every event of a billed period is in its bill, or a late item",
        proof.count(session, UsageLine, _BILLED),
        proof.named(session, named, "customer {0}, {1} to {2}, {3}"),
    )


def _followed(session: Session) -> Check:
    wrong = tuple(islice(followed.differing(session), proof.NAMED))
    words = []
    for period_id, meter_id in wrong:
        period, meter = session.get_one(UsagePeriod, period_id), session.get_one(Meter, meter_id)
        ref = session.get_one(Customer, period.customer_id).ref
        words.append(f"customer {ref}, {period.first_day} to {period.last_day}, {meter.code}")
    lines = (UsageLine.meter_id.in_(select(Meter.id).where(Meter.aggregation.in_(FROM_EVENTS))), _BILLED)
    return Check(
        "A bill of a meter that is billed from its events, with its late items, is what these come to",
        proof.count(session, UsageLine, *lines),
        tuple(words),
    )


def _settled(session: Session) -> Check:
    """Of an invoice that was cancelled the items are open again, or settled otherwise; those of a period that was
    billed anew are in its bill, which what was waived of them is taken off.
    """
    stands = (
        select(UsageSettlement.id)
        .join(UsagePeriod, UsagePeriod.id == UsageSettlement.period_id)
        .outerjoin(Invoice, Invoice.id == UsageSettlement.invoice_id)
    )
    standing = stands.where(_STANDS, or_(Invoice.id.is_(None), ~is_gone(Invoice)))
    items = (
        select(LateItem.settlement_id, LateItem.meter_id, LateItem.bucket_id, *_changed(1))
        .join(Meter, Meter.id == LateItem.meter_id)
        .where(
            LateItem.settlement_id.in_(select(UsageLine.settlement_id).where(~_BILLED)),
            LateItem.settlement_id.in_(standing),
        )
    )
    key = (UsageLine.settlement_id, UsageLine.meter_id, UsageLine.bucket_id)
    lines = select(*key, -UsageLine.whole, -UsageLine.millionths).where(UsageLine.settlement_id.in_(standing))
    rows = union_all(items, lines).subquery("rows")
    keys = (rows.c.settlement_id, rows.c.meter_id, rows.c.bucket_id)
    wrong = select(rows.c.settlement_id).group_by(*keys).having(_differ(rows))
    return Check(
        "What was settled of late usage is what its items come to",
        proof.count(session, UsageLine, ~_BILLED),
        proof.named(session, wrong.order_by(rows.c.settlement_id), "settlement id {0}"),
    )


def _late(session: Session) -> Check:
    arrived = (LateItem.kind == LateKind.ARRIVED) & _STANDS
    same = (LateItem.customer_id == UsageEvent.customer_id) & (LateItem.event_id == UsageEvent.event_id)
    items = select(LateItem.customer_id, LateItem.event_id).join(UsagePeriod, UsagePeriod.id == LateItem.period_id)
    late = UsageEvent.late
    no_item = select(UsageEvent.customer_id, UsageEvent.event_id).where(late, ~items.where(arrived, same).exists())
    not_late = items.join(UsageEvent, same).where(arrived, ~late)
    key = (UsageEventKey.customer_id == LateItem.customer_id) & (UsageEventKey.event_id == LateItem.event_id)
    not_withdrawn = items.outerjoin(UsageEventKey, key).where(
        LateItem.kind == LateKind.WITHDRAWN, UsageEventKey.withdrawn_at.is_(None)
    )
    wrong = union_all(no_item, not_late, not_withdrawn).subquery("wrong")
    named = (
        select(Customer.ref, wrong.c.event_id)
        .outerjoin_from(wrong, Customer, Customer.id == wrong.c.customer_id)
        .order_by(wrong.c.customer_id, wrong.c.event_id)
    )
    return Check(
        "Every late event is a late item, and every late item a late event or one that was withdrawn",
        proof.count(session, LateItem),
        proof.named(session, named, "customer {0}, event “{1}”"),
    )


def _invoiced(session: Session) -> Check:
    """A line that comes to 0 may be on its invoice, and need not."""
    on_invoice = func.coalesce(UsageSettlement.invoice_id, UsagePeriod.invoice_id)
    owed = or_(_BILLED, UsageSettlement.invoice_id.is_not(None)) & (UsageLine.amount_minor != 0)
    bills = InvoiceLineItem.usage_line_id.is_not(None)
    # A line of a period is as many lines of its invoice as it has prices.
    amount = func.sum(InvoiceLineItem.amount_minor).label("amount")
    key = (InvoiceLineItem.usage_line_id, InvoiceLineItem.invoice_id)
    billed_lines = select(*key, amount).where(bills).group_by(*key).cte("billed")
    billed = billed_lines.c
    same = (
        (billed.usage_line_id == UsageLine.id)
        & (billed.invoice_id == on_invoice)
        & (billed.amount == UsageLine.amount_minor)
    )
    lines = (
        select(Customer.ref, UsageLine.first_day, UsageLine.last_day, Meter.code)
        .select_from(UsageLine)
        .join(UsagePeriod, UsagePeriod.id == UsageLine.period_id)
        .join(Customer, Customer.id == UsagePeriod.customer_id)
        .join(Meter, Meter.id == UsageLine.meter_id)
        .outerjoin(UsageSettlement, UsageSettlement.id == UsageLine.settlement_id)
    )
    missing = lines.outerjoin(billed_lines, same).where(owed, billed.usage_line_id.is_(None))
    differing = lines.join(billed_lines, billed.usage_line_id == UsageLine.id).where(~same)
    unknown = (
        select(InvoiceLineItem.id)
        .outerjoin(UsageLine, UsageLine.id == InvoiceLineItem.usage_line_id)
        .where(bills, UsageLine.id.is_(None))
        .order_by(InvoiceLineItem.id)
    )
    words = "customer {0}, {1} to {2}, {3}"
    wrong = (
        *proof.named(session, missing.order_by(UsageLine.id), words),
        *proof.named(session, differing.order_by(UsageLine.id), words),
        *proof.named(session, unknown, "line id {0} of an invoice bills usage that there is not"),
    )
    return Check(
        "What a billed period comes to is on its invoice",
        proof.count(session, UsageLine),
        tuple(dict.fromkeys(wrong))[: proof.NAMED],
    )


def _used(sign: int) -> tuple[ColumnElement[Any], ...]:
    """What a day counts of its meter, beside ``Meter``: the columns ``whole`` and ``millionths``."""
    counts = Meter.aggregation == Aggregation.COUNT
    whole = case((counts, UsageDay.calls), else_=UsageDay.whole)
    millionths = case((counts, 0), else_=UsageDay.millionths)
    return (sign * whole).label("whole"), (sign * millionths).label("millionths")


def _changed(sign: int) -> tuple[ColumnElement[Any], ...]:
    """What a late item changes of its meter, in the same columns."""
    counts, quantity = Meter.aggregation == Aggregation.COUNT, type_coerce(LateItem.quantity, BigInteger)
    whole = case((counts, LateItem.calls), else_=quantity // _ONE)
    millionths = case((counts, 0), else_=quantity % _ONE)
    return (sign * whole).label("whole"), (sign * millionths).label("millionths")


def _differ(rows: Any) -> ColumnElement[bool]:
    """The sums of both columns together are not 0: in one number they would not fit into an integer."""
    millionths = func.sum(rows.c.millionths)
    whole = func.sum(rows.c.whole)
    return or_(millionths % _ONE != 0, whole != -(millionths // _ONE))
