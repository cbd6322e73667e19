"""What the usage API answers."""

from typing import Any

from pydantic import with_config
from typing_extensions import TypedDict

from billing_core.metering.ingestion import Recorded

_REFUSED: dict[str, Any] = {
    "index": 2,
    "error": "quantity must not be negative",
    "fields": {"quantity": "must not be negative"},
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
