"""What the usage API answers."""

from typing import Any

from pydantic import with_config
from typing_extensions import TypedDict

from billing_core.metering.ingestion import Recorded
from billing_core.metering.withdrawal import Withdrawn
from billing_core.usage.document import ID, Moment, moment
from billing_core.web.api.usage_events import EVENT, UsageEvent

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


@with_config(json_schema_extra={"example": {"events": [EVENT | {"late": True}], "count": 1}})
class LateEventList(TypedDict):
    """``count`` events; the ``Link`` header leads to the next page."""

    events: list[UsageEvent]
    count: int


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
