"""An event of usage as the APIs show it: what was told, under the names of the usage API, and what became of it."""

from typing import Annotated, Any

import orjson
from pydantic import InstanceOf, WithJsonSchema, with_config
from typing_extensions import TypedDict

from billing_core.metering.queries import EventRow
from billing_core.usage.document import ID, MaybeNumber, Moment, Number, moment, plain

EVENT: dict[str, Any] = {
    "id": "req_8f14e45f",
    "organization_id": ID,
    "customer_ref": "EXAMPLE",
    "time": "2023-10-01T12:00:00",
    "meter": "api_calls",
    "user": "ana",
    "endpoint": "/v1/search",
    "response_time": 0.42,
    "quantity": 1,
    "properties": {"region": "eu"},
    "bucket": None,
    "received_at": "2023-10-01T12:00:03",
    "late": False,
    "withdrawn_at": None,
    "withdrawn_reason": None,
}
_Properties = Annotated[InstanceOf[orjson.Fragment], WithJsonSchema({"type": "object", "additionalProperties": True})]
MaybeProperties = Annotated[
    InstanceOf[orjson.Fragment] | None,
    WithJsonSchema({"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}]}),
]
MaybeMoment = Annotated[str | None, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})]


@with_config(json_schema_extra={"example": EVENT})
class UsageEvent(TypedDict):
    """Times are in UTC. Where nobody told, ``user`` and ``endpoint`` are empty, and ``response_time`` is null. A
    ``bucket`` is the code of the meter's that it falls into, null outside of all. A ``late`` one came after its period
    was billed; a withdrawn one counts nowhere.
    """

    id: str
    organization_id: str
    customer_ref: str
    time: Moment
    meter: str
    user: str
    endpoint: str
    response_time: MaybeNumber
    quantity: Number
    properties: _Properties
    bucket: str | None
    received_at: Moment
    late: bool
    withdrawn_at: MaybeMoment
    withdrawn_reason: str | None


def listed(row: EventRow) -> UsageEvent:
    return {
        "id": row.id,
        "organization_id": row.organization_id,
        "customer_ref": row.customer_ref,
        "time": moment(row.occurred_at),
        "meter": row.meter,
        "user": row.user,
        "endpoint": row.endpoint,
        "response_time": None if row.response_time is None else plain(row.response_time),
        "quantity": plain(row.quantity),
        # Kept as JSON, with each number as it was written.
        "properties": orjson.Fragment(row.properties),
        "bucket": row.bucket,
        "received_at": moment(row.received_at),
        "late": row.late,
        "withdrawn_at": None if row.withdrawn_at is None else moment(row.withdrawn_at),
        "withdrawn_reason": row.withdrawn_reason,
    }
