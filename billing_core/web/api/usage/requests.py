"""What the usage API takes: events, as a JSON document or as one JSON object a line, each of them checked by itself."""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.exceptions import HTTPException

from billing_core.errors import Invalid
from billing_core.metering.ingestion import MOST_EVENTS
from billing_core.metering.late.listing import LateEvent
from billing_core.metering.models import API_CALLS
from billing_core.metering.reading import (
    DEEPEST_PROPERTIES,
    LARGEST_PROPERTIES,
    LARGEST_QUANTITY,
    LONGEST,
    UNADDRESSABLE,
)
from billing_core.metering.reading import LONGEST_RESPONSE as SLOWEST
from billing_core.text import LONGEST_REASON
from billing_core.usage.document import ID
from billing_core.web.api.exact_json import Body, decode_for_checks
from billing_core.web.requests.mistakes import REQUIRED, UNKNOWN

JSON, LINES = "application/json", "application/x-ndjson"
EXAMPLE: Final[dict[str, Any]] = {
    "id": "req_8f14e45f",
    "customer_ref": "EXAMPLE",
    "time": "2023-10-01T12:00:00Z",
    "meter": API_CALLS,
    "user": "ana",
    "endpoint": "/v1/search",
    "response_time": 0.42,
    "quantity": 1,
    "properties": {"region": "eu"},
}


def _text(name: str, about: str) -> dict[str, Any]:
    return {"type": "string", "maxLength": LONGEST[name], "description": about}


_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["id", "time"],
    "additionalProperties": False,
    "properties": {
        "id": _text("id", "Your own id of it, once for each organization, for ever; not one or two dots alone")
        | {"minLength": 1, "not": {"enum": sorted(UNADDRESSABLE)}},
        "organization_id": _text("organization_id", "Whose it is: the UUID, `cus_…`, or our key of the customer"),
        "customer_ref": _text("customer_ref", "In its place: our key of the customer"),
        "time": {
            "type": "string",
            "format": "date-time",
            "description": "When it happened, in UTC unless it has an offset; at most a day ahead",
        },
        "meter": _text("meter", "What was used") | {"default": API_CALLS},
        "user": _text("user", "Who used it, by your name for them"),
        "endpoint": _text("endpoint", "What was called"),
        "response_time": {
            "type": "number",
            "minimum": 0,
            "maximum": SLOWEST,
            "description": "In seconds, with at most six decimals",
        },
        "quantity": {
            "type": "number",
            "minimum": 0,
            "maximum": LARGEST_QUANTITY,
            "default": 1,
            "description": "How much, with at most six decimals",
        },
        "properties": {
            "type": "object",
            "description": f"Anything else: at most {LARGEST_PROPERTIES:,} bytes, nested at most "
            f"{DEEPEST_PROPERTIES} deep",
        },
    },
}
BODY: Final[dict[str, Any]] = {
    "required": True,
    "description": "One event may also be sent by itself, without `events` around it",
    "content": {
        JSON: {
            "schema": {
                "type": "object",
                "required": ["events"],
                "additionalProperties": False,
                "properties": {"events": {"type": "array", "maxItems": MOST_EVENTS, "items": _EVENT}},
                "example": {"events": [EXAMPLE]},
            }
        },
        LINES: {
            "schema": {
                "type": "string",
                "description": "One event in each line, which has no line breaks inside",
                "example": "".join(
                    f"{json.dumps(EXAMPLE | {'id': name})}\n" for name in ("req_8f14e45f", "req_c9f0f895")
                ),
            }
        },
    },
}


# Reading is not for the threads that carry requests out, and making sense of it is not for the one that reads.
async def _sent(request: Request) -> tuple[str, bytes]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind, await request.body()


def _given(sent: Annotated[tuple[str, bytes], Depends(_sent)]) -> list[Any]:
    """The events of the body, unchecked."""
    kind, body = sent
    if not body:
        raise _about_the_body(REQUIRED)
    match kind:
        case "application/json":
            return _of_document(decode_for_checks(body))
        case "application/x-ndjson":
            return _of_lines(body)
    raise _about_the_body(f"must be sent with Content-Type: {JSON} or {LINES}")


def _about_the_body(reason: str) -> Invalid:
    return Invalid(f"body: {reason}", fields={"body": reason})


def _of_document(document: Any) -> list[Any]:
    if not isinstance(document, Mapping):
        raise _about_the_body("must be a JSON object with events, or one event")
    if "events" not in document:
        return [document]
    surplus = {name[:80]: UNKNOWN for name in document if name != "events"}
    if surplus:
        raise Invalid("; ".join(f"{name}: {reason}" for name, reason in surplus.items()), fields=surplus)
    events = document["events"]
    if not isinstance(events, list):
        raise Invalid("events: must be a list", fields={"events": "must be a list"})
    return events


def _of_lines(body: bytes) -> list[Any]:
    lines = [
        (number, line) for number, line in enumerate(body.removeprefix(BOM_UTF8).split(b"\n"), start=1) if line.strip()
    ]
    if len(lines) > MOST_EVENTS:
        # Refused for their number, before any is read.
        return lines
    events = []
    for number, line in lines:
        try:
            events.append(decode_for_checks(line))
        except HTTPException as refusal:
            raise HTTPException(400, f"Line {number}: {refusal.detail}") from None
    return events


def _truth(value: Any) -> bool:
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError("must be true or false")


GivenEvents = Annotated[list[Any], Depends(_given)]
Atomic = Annotated[
    bool,
    BeforeValidator(_truth),
    WithJsonSchema({"type": "boolean"}),
    Query(description="Keep all of them, or none where one is refused"),
]
OrganizationName = Annotated[
    str, Path(alias="org_id", description="The organization: its UUID, `cus_…`, or our key of it", examples=[ID])
]
EventId = Annotated[str, Path(alias="id", description="The event's own id", examples=[EXAMPLE["id"]])]


class Withdrawal(Body):
    """Why an event is taken back."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "Counted twice by our gateway"}})

    reason: str = Field(
        min_length=1, max_length=LONGEST_REASON, description="Why it does not count", examples=["Twice"]
    )


# Where a page of late events ends: the customer's integer id, the event's time to the microsecond, and its id.
_PLACE: Final = (
    r"^[0-9]{1,9},[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z,[^\u0000-\u001f\u007f]{1,255}$"
)


def place_of(written: str) -> tuple[int, datetime, str]:
    """Customer, time and id, as ``place_after`` writes them; ValueError where they are not."""
    customer_id, occurred_at, event_id = written.split(",", 2)
    return int(customer_id), datetime.fromisoformat(occurred_at), event_id


def place_after(row: LateEvent) -> str:
    """How the next page's address names the last event of this one."""
    return f"{row.customer_id},{row.occurred_at:%Y-%m-%dT%H:%M:%S.%f}Z,{row.id}"


def _place(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(_PLACE, value):
        with suppress(ValueError):
            place_of(value)
            return value
    raise ValueError("must be what the address of a next page has")


# It may be absent from an address; null cannot be written there, and the description does not offer it.
StartingAfterEvent = Annotated[
    str | None,
    BeforeValidator(_place),
    WithJsonSchema({"type": "string", "pattern": _PLACE}),
    Query(description="Where the page before ended; the `Link` header has it"),
]
