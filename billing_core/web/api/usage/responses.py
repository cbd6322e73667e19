"""What the usage API answers."""

from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import InstanceOf, WithJsonSchema, with_config
from typing_extensions import TypedDict

from billing_core.metering.ingestion import Recorded
from billing_core.metering.queries import EventRow
from billing_core.metering.withdrawal import Withdrawn
from billing_core.usage.document import ID
from billing_core.web.api.exact_json import WrittenNumber, number

_REFUSED: dict[str, Any] = {
    "index": 2,
    "error": "quantity must not be negative",
    "fields": {"quantity": "must not be negative"},
}
_EVENT: dict[str, Any] = {
    "organization_id": ID,
    "customer_ref": "EXAMPLE",
    "id": "req_8f14e45f",
    "time": "2023-10-01T12:00:00Z",
    "meter": "api_calls",
    "user": "ana",
    "endpoint": "/v1/search",
    "response_time": 0.42,
    "quantity": 1,
    "properties": {"region": "eu"},
    "received_at": "2023-11-03T08:00:00Z",
    "withdrawn_at": None,
}
_WITHDRAWN: dict[str, Any] = {
    "organization_id": ID,
    "id": "req_8f14e45f",
    "time": "2023-10-01T12:00:00Z",
    "withdrawn_at": "2023-11-03T09:00:00Z",
    "reason": "Counted twice by our gateway",
}
MORE: dict[str, Any] = {
    "Link": {
        "description": 'The address of the next page, with rel="next"; absent on the last one',
        "schema": {"type": "string"},
    }
}
# As it is stored, in its final form.
_Properties = Annotated[InstanceOf[orjson.Fragment], WithJsonSchema({"type": "object", "additionalProperties": True})]
_MaybeNumber = Annotated[
    InstanceOf[orjson.Fragment] | None, WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]})
]


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


@with_config(json_schema_extra={"example": _EVENT})
class UsageEvent(TypedDict):
    """``response_time`` is in seconds, null where nobody told. ``withdrawn_at`` is null while the event counts."""

    organization_id: str
    customer_ref: str
    id: str
    time: datetime
    meter: str
    user: str
    endpoint: str
    response_time: _MaybeNumber
    quantity: WrittenNumber
    properties: _Properties
    received_at: datetime
    withdrawn_at: datetime | None


@with_config(json_schema_extra={"example": {"events": [_EVENT], "count": 1}})
class UsageEventList(TypedDict):
    """``count`` events; the ``Link`` header leads to the next page."""

    events: list[UsageEvent]
    count: int


@with_config(json_schema_extra={"example": _WITHDRAWN})
class UsageWithdrawn(TypedDict):
    """An event that counts nowhere any more; its id stays taken."""

    organization_id: str
    id: str
    time: datetime
    withdrawn_at: datetime
    reason: str


def event(row: EventRow) -> UsageEvent:
    return {
        "organization_id": row.organization_id,
        "customer_ref": row.customer_ref,
        "id": row.id,
        "time": row.occurred_at,
        "meter": row.meter,
        "user": row.user,
        "endpoint": row.endpoint,
        "response_time": None if row.response_time is None else number(row.response_time),
        "quantity": number(row.quantity),
        "properties": orjson.Fragment(row.properties),
        "received_at": row.received_at,
        "withdrawn_at": row.withdrawn_at,
    }


def withdrawn(outcome: Withdrawn, organization_id: str) -> UsageWithdrawn:
    return {
        "organization_id": organization_id,
        "id": outcome.event_id,
        "time": outcome.occurred_at,
        "withdrawn_at": outcome.withdrawn_at,
        "reason": outcome.reason,
    }
