"""What the usage API answers."""

from typing import Any

from pydantic import with_config
from typing_extensions import TypedDict

from billing_core.metering.ingestion import Recorded
from billing_core.metering.queries import EventRow
from billing_core.metering.withdrawal import Withdrawn
from billing_core.usage.document import ID, MaybeNumber, Moment, moment, plain
from billing_core.usage.late import Item
from billing_core.web.api.usage_events import EVENT, UsageEvent, listed

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
MORE: dict[str, Any] = {
    "Link": {
        "description": 'The address of the next page, with rel="next"; absent on the last one',
        "schema": {"type": "string"},
    }
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
class LateEvent(UsageEvent):
    """``change``: `arrived` for a period that had been billed, or `withdrawn` from one. ``worth`` is what that added to
    the period, before tax, in units of ``currency``; both are null where nobody has agreed on a price. ``state``:
    `open`, `invoiced` (on the invoice ``invoice_id``), `credited`, `waived`, `nothing` (it came to 0 with others),
    `unbilled` (its period's invoice was cancelled), `billed_anew`.
    """

    change: str
    billed_period: BilledPeriod
    worth: MaybeNumber
    currency: str | None
    state: str
    invoice_id: int | None


@with_config(json_schema_extra={"example": {"events": [_LATE_EVENT], "count": 1}})
class LateEventList(TypedDict):
    """``count`` entries, of at most as many events as were asked for; the ``Link`` header leads to the next page."""

    events: list[LateEvent]
    count: int


def late_event(row: EventRow, item: Item) -> LateEvent:
    return {
        **listed(row),
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
