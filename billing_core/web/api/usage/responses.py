"""What the usage API answers."""

from typing import Any

import orjson
from pydantic import with_config
from typing_extensions import TypedDict

from billing_core.metering.ingestion import Recorded
from billing_core.metering.late.listing import LateEvent
from billing_core.metering.withdrawal import Withdrawn
from billing_core.usage.document import ID, MaybeNumber, Moment, moment, plain
from billing_core.usage.late import Item
from billing_core.web.api.usage_events import EVENT, MaybeMoment, MaybeProperties

_REFUSED: dict[str, Any] = {
    "index": 2,
    "error": "quantity must not be negative",
    "fields": {"quantity": "must not be negative"},
}
_WITHDRAWN: dict[str, Any] = {
    "organization_id": ID,
    "id": "req_8f14e45f",
    "time": "2023-10-01T12:00:00",
    "withdrawn_at": "2023-11-03T09:00:00",
    "reason": "Counted twice by our gateway",
}


class UsageRefusal(TypedDict):
    """An event that was not kept, by its place in the batch, counted from 0: why, and which field is at fault."""

    index: int
    error: str
    fields: dict[str, str]


@with_config(json_schema_extra={"example": {"accepted": 2, "repeated": 1, "late": 0, "refused": [_REFUSED]}})
class UsageRecorded(TypedDict):
    """``accepted`` are new, ``late`` ones among them; ``repeated`` were known with the same content."""

    accepted: int
    repeated: int
    late: int
    refused: list[UsageRefusal]


def recorded(outcome: Recorded) -> UsageRecorded:
    return {
        "accepted": outcome.accepted,
        "repeated": outcome.repeated,
        "late": outcome.late,
        "refused": [{"index": one.index, "error": one.error, "fields": one.fields} for one in outcome.refused],
    }


_LATE_EVENT: dict[str, Any] = {
    **EVENT,
    "late": True,
    "archived": False,
    "change": "arrived",
    "billed_period": {"start_date": "2023-10-01", "end_date": "2023-10-31"},
    "worth": 0.001,
    "currency": "USD",
    "state": "open",
    "invoice_id": None,
}


class BilledPeriod(TypedDict):
    """Days of the billing zone, both included."""

    start_date: str
    end_date: str


@with_config(json_schema_extra={"example": _LATE_EVENT})
class LateUsageEvent(TypedDict):
    """As in the list of an organization's events; of an ``archived`` one the endpoint, the response time, the quantity,
    the properties and when it was received are null. ``change``: `arrived` for a period that had been billed, or
    `withdrawn` from one. ``worth`` is what that added to the period, before tax, in units of ``currency``; both are
    null where nobody has agreed on a price. ``state``: `open`, `invoiced` (on the invoice ``invoice_id``), `credited`,
    `waived` (also what was withdrawn of that), `nothing` (it came to 0 with others), `unbilled` (its
    period's invoice was cancelled), `billed_anew`.
    """

    id: str
    organization_id: str
    customer_ref: str
    time: Moment
    meter: str
    user: str
    endpoint: str | None
    response_time: MaybeNumber
    quantity: MaybeNumber
    properties: MaybeProperties
    bucket: str | None
    received_at: MaybeMoment
    late: bool
    withdrawn_at: MaybeMoment
    withdrawn_reason: str | None
    archived: bool
    change: str
    billed_period: BilledPeriod
    worth: MaybeNumber
    currency: str | None
    state: str
    invoice_id: int | None


@with_config(json_schema_extra={"example": {"events": [_LATE_EVENT], "count": 1}})
class LateEventList(TypedDict):
    """``count`` entries, of at most as many events as were asked for; the ``Link`` header leads to the next page."""

    events: list[LateUsageEvent]
    count: int


def late_event(row: LateEvent, item: Item) -> LateUsageEvent:
    return {
        "id": row.id,
        "organization_id": row.organization_id,
        "customer_ref": row.customer_ref,
        "time": moment(row.occurred_at),
        "meter": row.meter,
        "user": row.user,
        "endpoint": row.endpoint,
        "response_time": None if row.response_time is None else plain(row.response_time),
        "quantity": None if row.quantity is None else plain(row.quantity),
        "properties": None if row.properties is None else orjson.Fragment(row.properties),
        "bucket": row.bucket,
        "received_at": None if row.received_at is None else moment(row.received_at),
        "late": row.late,
        "withdrawn_at": None if row.withdrawn_at is None else moment(row.withdrawn_at),
        "withdrawn_reason": row.withdrawn_reason,
        "archived": row.archived,
        "change": item.kind.value,
        "billed_period": {"start_date": f"{item.first_day}", "end_date": f"{item.last_day}"},
        "worth": None if item.worth is None else plain(item.worth.amount),
        "currency": None if item.worth is None else item.worth.currency,
        "state": item.state.value,
        "invoice_id": item.invoice_id,
    }


@with_config(json_schema_extra={"example": _WITHDRAWN})
class UsageWithdrawn(TypedDict):
    """An event that counts nowhere any more; its id stays taken."""

    organization_id: str
    id: str
    time: Moment
    withdrawn_at: Moment
    reason: str


def withdrawn(outcome: Withdrawn, organization_id: str) -> UsageWithdrawn:
    return {
        "organization_id": organization_id,
        "id": outcome.event_id,
        "time": moment(outcome.occurred_at),
        "withdrawn_at": moment(outcome.withdrawn_at),
        "reason": outcome.reason,
    }
