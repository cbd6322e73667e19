"""What the analytics API takes: an organization, and a period of time."""

import re
from datetime import date, datetime, time
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BeforeValidator, WithJsonSchema

from billing_core.usage.document import ID

_TIME = r"[ T](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)(?P<offset>Z|[+-][0-9]{2}:[0-9]{2})?"
_MOMENT = re.compile(rf"(?P<day>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:{_TIME})?", re.IGNORECASE)
_A_DAY = "(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31"
_DESCRIBED = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
        {
            "type": "string",
            "pattern": rf"^(19|20|21)[0-9]{{2}}-({_A_DAY})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$",
        },
    ]
}


def _moment(value: Any, *, of_a_bare_day: time) -> datetime:
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a time such as 2023-10-01T00:00:00, in UTC unless it has an offset (write + as %2B)")
    try:
        if match["time"] is None:
            return datetime.combine(datetime.fromisoformat(match["day"]).date(), of_a_bare_day)
        return datetime.fromisoformat(value.upper())
    except ValueError:
        raise ValueError("there is no such time") from None


def _start(value: Any) -> datetime:
    return _moment(value, of_a_bare_day=time())


def _end(value: Any) -> datetime:
    return _moment(value, of_a_bare_day=time(23, 59, 59))


def _day(value: Any) -> date:
    moment = _start(value)
    if len(value) != len("2023-10-01"):
        raise ValueError("must be a day such as 2023-10-01")
    return moment.date()


# What may be absent from an address; null cannot be written there, and the description does not offer it.
Start = Annotated[
    datetime | None,
    BeforeValidator(_start),
    WithJsonSchema(_DESCRIBED),
    Query(
        alias="billing_period_start",
        description="The first instant, in UTC unless it has an offset; by default the first day of this month",
        examples=["2023-10-01T00:00:00"],
    ),
]
End = Annotated[
    datetime | None,
    BeforeValidator(_end),
    WithJsonSchema(_DESCRIBED),
    Query(
        alias="billing_period_end",
        description="The last instant: given to the second, with all of that second; by default now",
        examples=["2023-10-31T23:59:59"],
    ),
]
StartingAfterDay = Annotated[
    date | None,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date"}),
    Query(description="The last day of the page before"),
]
OrganizationId = Annotated[
    str,
    Path(alias="org_id", description="The organization's UUID", examples=[ID], json_schema_extra={"format": "uuid"}),
]
