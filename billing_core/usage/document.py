"""The statement as the published analytics document writes it: definitions, examples, and how each part is made.

Times are in UTC and have no offset, as in its example. Numbers are exact; they never pass through a float. Members that
the document does not know are there only where they have something to tell.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NotRequired

from pydantic import WithJsonSchema, with_config
from typing_extensions import TypedDict

from billing_core.metering.queries import Usage
from billing_core.money import Money
from billing_core.plans.segments import Segment
from billing_core.usage.charges import Charge
from billing_core.usage.organizations import NO_TIER, Organization
from billing_core.usage.parts import Part
from billing_core.usage.statement import Bill, Statement, average_response_time
from billing_core.usage.windows import Window

Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]
MaybeNumber = Annotated[Decimal | None, WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]})]
# In UTC, without an offset.
Moment = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$"})]

ID = "456e7890-e89b-12d3-a456-426614174001"
_START, _END = "2023-10-01T00:00:00", "2023-10-31T23:59:59"
_ORGANIZATION: dict[str, Any] = {"id": ID, "name": "Example Corp", "subscription_tier": "basic"}
_USAGE: dict[str, Any] = {
    "organization_id": ID,
    "total_users": 25,
    "active_users": 18,
    "total_api_calls": 12500,
    "average_response_time": 0.42,
    "period": {"start_date": _START, "end_date": _END},
}
_BILLING: dict[str, Any] = {
    "included_api_calls": 10000,
    "total_api_calls": 12500,
    "overage_calls": 2500,
    "price_per_call": 0.001,
    "total_cost": 2.5,
    "currency": "USD",
}
EXAMPLE: dict[str, Any] = {
    "invoice_number": f"INV-{ID}-202310",
    "organization": _ORGANIZATION,
    "billing_period": {"start": _START, "end": _END},
    "usage": _USAGE,
    "billing": _BILLING,
    "generated_at": "2023-11-01T10:00:00",
    "due_date": "2023-11-30T23:59:59",
}


class StatementOrganization(TypedDict):
    """``subscription_tier`` is the code of the plan at the period's end, `none` on no plan."""

    id: str
    name: str
    subscription_tier: str


class StatementPeriod(TypedDict):
    start: Moment
    end: Moment


class UsagePeriod(TypedDict):
    start_date: Moment
    end_date: Moment


@with_config(json_schema_extra={"example": _USAGE})
class OrganizationUsage(TypedDict):
    """``total_users``: seen until the period's end; ``active_users``: with a call in it; the average is in seconds."""

    organization_id: str
    total_users: int
    active_users: int
    total_api_calls: int
    average_response_time: Number
    period: UsagePeriod


class BillingSegment(TypedDict):
    """Part of the period, on one version of one plan, or on none."""

    start: Moment
    end: Moment
    plan: str
    version: int | None
    included_api_calls: int
    total_api_calls: int
    overage_calls: int
    price_per_call: MaybeNumber
    cost: Number


class BillingPrice(TypedDict):
    """``quantity`` `units`, or `packages`, at a ``price`` for ``per`` units; a `fee`; or, last, the `minimum` that is
    owed because the others come to less. Of a part of the period ``share``, such as `15/31`, is due.
    """

    kind: str
    quantity: Number
    price: Number
    per: Number
    share: str


class BillingPart(TypedDict):
    """The calls of one bucket, or where ``bucket`` is null those in none, on the days of one segment. ``cost`` is what
    ``prices`` come to, rounded once; null where the plan has no price for them.
    """

    start: Moment
    end: Moment
    bucket: str | None
    total_api_calls: int
    included: Number
    prices: list[BillingPrice]
    cost: MaybeNumber


@with_config(json_schema_extra={"example": _BILLING})
class OrganizationBilling(TypedDict):
    """``price_per_call`` is the plan's at the period's end, null on no plan. ``unpriced_calls``, where there are any,
    are those on no plan or in a bucket without a price, which cost nothing because nobody has agreed on one.
    ``segments`` are there where the plan changed inside the period, and ``parts`` where calls fall into buckets with
    prices of their own: the other numbers are their sums, and not all ``overage_calls`` have the plan's price then.
    """

    included_api_calls: int
    total_api_calls: int
    overage_calls: int
    price_per_call: MaybeNumber
    total_cost: Number
    currency: str
    unpriced_calls: NotRequired[int]
    segments: NotRequired[list[BillingSegment]]
    parts: NotRequired[list[BillingPart]]


class MonthsInvoice(TypedDict):
    """The real invoice of the month, whose days are those of the billing zone. ``number`` is null while it is a draft;
    ``status`` is one of the invoices API's; ``total`` has the tax.
    """

    number: str | None
    status: str
    total: Number


@with_config(json_schema_extra={"example": EXAMPLE})
class InvoiceDocument(TypedDict):
    """``invoice`` is there once a real invoice bills the month."""

    invoice_number: str
    organization: StatementOrganization
    billing_period: StatementPeriod
    usage: OrganizationUsage
    billing: OrganizationBilling
    generated_at: Moment
    due_date: Moment
    invoice: NotRequired[MonthsInvoice]


def invoice(statement: Statement) -> InvoiceDocument:
    """The whole document."""
    organization, window = statement.organization, statement.window
    body: InvoiceDocument = {
        "invoice_number": statement.number,
        "organization": {
            "id": organization.uuid,
            "name": organization.name,
            "subscription_tier": organization.tier,
        },
        "billing_period": {"start": moment(window.start), "end": moment(window.end)},
        "usage": usage(organization, window, statement.usage),
        "billing": billing(statement.bill, window),
        "generated_at": moment(statement.generated_at.replace(microsecond=0)),
        "due_date": moment(window.due_at),
    }
    if (real := statement.invoice) is not None:
        body["invoice"] = {"number": real.number, "status": real.status.value, "total": _amount(real.total)}
    return body


def usage(organization: Organization, window: Window, used: Usage) -> OrganizationUsage:
    return {
        "organization_id": organization.uuid,
        "total_users": used.total_users,
        "active_users": used.active_users,
        "total_api_calls": used.calls,
        "average_response_time": plain(average_response_time(used)),
        "period": period(window),
    }


def billing(bill: Bill, window: Window) -> OrganizationBilling:
    body: OrganizationBilling = {
        "included_api_calls": bill.included_calls,
        "total_api_calls": bill.calls,
        "overage_calls": bill.overage_calls,
        "price_per_call": None if bill.price_per_call is None else plain(bill.price_per_call),
        "total_cost": _amount(bill.total),
        "currency": bill.currency,
    }
    if bill.unpriced_calls:
        body["unpriced_calls"] = bill.unpriced_calls
    by_segment = bill.by_segment()
    if len(by_segment) > 1:
        body["segments"] = [_segment(segment, part, window) for segment, part in by_segment]
    if bill.has_buckets:
        body["parts"] = [_part(charge, window) for charge in bill.charges]
    return body


def _segment(segment: Segment, bill: Bill, window: Window) -> BillingSegment:
    version = segment.version
    within = window.within(segment.days)
    return {
        "start": moment(within.start),
        "end": moment(within.end),
        "plan": version.code if version else NO_TIER,
        "version": version.number if version else None,
        "included_api_calls": bill.included_calls,
        "total_api_calls": bill.calls,
        "overage_calls": bill.overage_calls,
        "price_per_call": plain(version.price_per_call) if version else None,
        "cost": _amount(bill.total),
    }


def _part(charge: Charge, window: Window) -> BillingPart:
    within = window.within(charge.segment.days)
    return {
        "start": moment(within.start),
        "end": moment(within.end),
        "bucket": charge.bucket,
        "total_api_calls": int(charge.quantity),
        "included": plain(charge.included),
        "prices": [_price(part) for part in charge.parts],
        "cost": None if charge.amount is None else _amount(charge.amount),
    }


def _price(part: Part) -> BillingPrice:
    return {
        "kind": part.kind.value,
        "quantity": plain(part.quantity),
        "price": plain(part.price),
        "per": plain(part.per),
        "share": str(part.share),
    }


def period(window: Window) -> UsagePeriod:
    return {"start_date": moment(window.start), "end_date": moment(window.end)}


def moment(instant: datetime) -> str:
    """``2023-10-01T00:00:00``, with as many digits of a second as it has."""
    return instant.replace(tzinfo=None).isoformat()


def _amount(money: Money) -> Decimal:
    return plain(money.amount)


def plain(number: Decimal) -> Decimal:
    """Without needless zeros."""
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()


def as_json(value: object) -> str:
    """The document for people and programs at a terminal, indented."""
    return _written(value, "\n")


def _written(value: object, line: str) -> str:
    inner = line + "  "
    match value:
        case Decimal():
            return f"{value:f}"
        case Mapping():
            members = [f"{json.dumps(name)}: {_written(member, inner)}" for name, member in value.items()]
            return "{" + inner + f",{inner}".join(members) + line + "}"
        case str() | int() | None:
            return json.dumps(value, ensure_ascii=False)
        case Sequence():
            return "[" + inner + f",{inner}".join(_written(member, inner) for member in value) + line + "]"
    raise TypeError(f"{type(value).__name__} has no form in JSON")
