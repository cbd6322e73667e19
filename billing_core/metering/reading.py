"""One given event, checked and brought into the one form in which events are kept and compared."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import chain, repeat
from typing import Any, Final

from billing_core.dates import in_utc
from billing_core.metering.models import API_CALLS, PLACES
from billing_core.text import control_character

FIELDS: Final = (
    "id",
    "organization_id",
    "customer_ref",
    "time",
    "meter",
    "user",
    "endpoint",
    "response_time",
    "quantity",
    "properties",
)
_KNOWN: Final = frozenset(FIELDS)
LONGEST: Final = {"id": 255, "organization_id": 64, "customer_ref": 64, "meter": 64, "user": 255, "endpoint": 500}
# Seconds. A sum over a hundred million of the longest still fits into an integer of the database.
LONGEST_RESPONSE: Final = 86_400
LARGEST_QUANTITY: Final = 1_000_000_000
_LARGEST: Final = {"response_time": LONGEST_RESPONSE, "quantity": LARGEST_QUANTITY}
LARGEST_PROPERTIES: Final = 10_000
DEEPEST_PROPERTIES: Final = 10
# Steps in the path of an address, which whoever sends a request follows beforehand: to withdraw such an event by HTTP
# would not come to its address. Kept are only those that were taken before.
UNADDRESSABLE: Final = frozenset({".", ".."})
UNADDRESSABLE_REASON: Final = "must be more than one or two dots, which no address can name"
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD: Final = timedelta(days=1)

_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_QUOTED: Final = json.encoder.encode_basestring
_LONGEST_NUMBER: Final = 100
NO_PROPERTIES: Final = "{}"
# What an event has where nobody told.
_UNTOLD: Final[dict[str, Any]] = {
    "meter": API_CALLS,
    "user": "",
    "endpoint": "",
    "response_time": None,
    "quantity": Decimal(1),
    "properties": NO_PROPERTIES,
}
_STEP: Final = Decimal(1).scaleb(-PLACES)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?(?:([Zz])|([+-]\d\d):?(\d\d))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the event at this place of a batch, counted from 0, was not kept: in words, and for each field at fault.
    ``taken``: its id is another event's, which has other content.
    """

    index: int
    error: str
    fields: dict[str, str]
    taken: bool = False


def refusal(index: int, fields: Mapping[str, str], *, taken: bool = False) -> Refusal:
    error = "; ".join(f"{name} {reason}" for name, reason in fields.items())
    return Refusal(index, error, dict(fields), taken)


# Not frozen, as to make one would take seven times as long.
@dataclass(slots=True)
class Event:
    """A readable event. ``organization`` is how it names its customer, in the field ``named_by``; ``time`` is when it
    happened in ISO form, in UTC and to the microsecond; ``response_time`` is in seconds; ``properties`` a JSON object
    with sorted names; ``digest`` the SHA-256 of everything but ``organization``.
    """

    index: int
    named_by: str
    organization: str
    id: str
    occurred_at: datetime
    time: str
    meter: str
    user: str
    endpoint: str
    response_time: Decimal | None
    quantity: Decimal
    properties: str
    digest: str


class Unreadable(Exception):
    """Why a value has no meaning, in words for whoever sent it."""


def read(index: int, given: object, *, now: datetime) -> Event | Refusal:
    """The event as it is kept, or why it cannot be."""
    if not isinstance(given, Mapping):
        return Refusal(index, "An event is an object with an id, an organization and a time", {})
    problems: dict[str, str] = {}
    if not _KNOWN.issuperset(given):
        problems = {str(name)[:80]: "is not a field of an event" for name in given if name not in _KNOWN}
    values: dict[str, Any] = {}
    named_by = "customer_ref" if given.get("customer_ref") is not None else "organization_id"
    if named_by == "customer_ref" and given.get("organization_id") is not None:
        problems["customer_ref"] = "cannot be given beside organization_id"
    for name, check in _CHECKS[named_by]:
        value = given.get(name)
        if value is None and name in _UNTOLD:
            values[name] = _UNTOLD[name]
            continue
        try:
            values[name] = check(value, name)
        except Unreadable as unreadable:
            problems.setdefault(name, str(unreadable))
    if "time" in values and values["time"] > now + FURTHEST_AHEAD:
        problems["time"] = "lies more than a day in the future"
    if problems:
        return refusal(index, problems)
    time = _in_iso_form(values["time"])
    took = values["response_time"]
    return Event(
        index,
        named_by,
        values[named_by],
        values["id"],
        values["time"],
        time,
        values["meter"],
        values["user"],
        values["endpoint"],
        took,
        values["quantity"],
        values["properties"],
        digest_of_written(
            values["id"],
            time,
            values["meter"],
            values["user"],
            values["endpoint"],
            None if took is None else plain(took),
            plain(values["quantity"]),
            values["properties"],
        ),
    )


def _in_iso_form(occurred_at: datetime) -> str:
    return occurred_at.isoformat(timespec="microseconds")


def digest(
    event_id: str,
    occurred_at: datetime,
    meter: str,
    user: str,
    endpoint: str,
    response_time: Decimal | None,
    quantity: Decimal,
    properties: str,
) -> str:
    """The SHA-256 of an event's id and content."""
    took = None if response_time is None else plain(response_time)
    time = _in_iso_form(occurred_at)
    return digest_of_written(event_id, time, meter, user, endpoint, took, plain(quantity), properties)


def digest_of_written(
    event_id: str,
    time: str,
    meter: str,
    user: str,
    endpoint: str,
    response_time: str | None,
    quantity: str,
    properties: str,
) -> str:
    """The same, of an instant such as ``2024-02-15T10:00:00.000000+00:00`` and of ``plain`` numbers. Kept for ever:
    what is in it, and how, must never change.
    """
    # A list in JSON. The encoder as a whole takes three times as long as its function for texts.
    took = "null" if response_time is None else f'"{response_time}"'
    names = f"{_QUOTED(meter)},{_QUOTED(user)},{_QUOTED(endpoint)}"
    content = f'[{_QUOTED(event_id)},"{time}",{names},{took},"{quantity}",{_QUOTED(properties)}]'
    return sha256(content.encode()).hexdigest()


def digests_of_written(
    event_ids: Sequence[str],
    times: Sequence[str],
    meters: Sequence[str],
    users: Sequence[str],
    endpoints: Sequence[str],
    response_times: Sequence[str | None],
    quantities: Sequence[str],
) -> list[str]:
    """Those of many events without properties, in two thirds of the time: texts usually stand in JSON as they are."""
    texts = "".join(chain(event_ids, meters, users, endpoints))
    if _QUOTED(texts) != f'"{texts}"':
        columns = (event_ids, times, meters, users, endpoints, response_times, quantities)
        return list(map(digest_of_written, *columns, repeat(NO_PROPERTIES)))
    taken = ["null" if took is None else f'"{took}"' for took in response_times]
    contents = [
        f'["{event_id}","{time}","{meter}","{user}","{endpoint}",{took},"{quantity}","{NO_PROPERTIES}"]'
        for event_id, time, meter, user, endpoint, took, quantity in zip(
            event_ids, times, meters, users, endpoints, taken, quantities, strict=True
        )
    ]
    return [sha256(content.encode()).hexdigest() for content in contents]


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise Unreadable("must be a text")
    # Without outer spaces, as cells of files are read: an event is the same by whichever way it comes.
    text = value.strip()
    if len(text) > LONGEST[name]:
        raise Unreadable(f"may have at most {LONGEST[name]} characters")
    # Names and ids stand in one line.
    if not text.isprintable() and (character := _unprintable(text)):
        raise Unreadable(f"has a character in it that cannot be kept ({character})")
    return text


def _unprintable(value: str) -> str | None:
    return control_character(value) or next((f"U+{ord(one):04X}" for one in value if one in "\t\r\n"), None)


def _needed(value: object, name: str) -> str:
    if value is None:
        raise Unreadable("is needed")
    text = _text(value, name)
    if not text:
        raise Unreadable("is needed")
    return text


def _instant(value: object, _name: str) -> datetime:
    if value is None:
        raise Unreadable("is needed")
    return instant(value)


def instant(value: object) -> datetime:
    """An instant in UTC of one that was told, in UTC unless it has an offset; Unreadable where it is none."""
    moment = value if isinstance(value, datetime) else _parsed(value)
    utc = in_utc(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
    if utc < EARLIEST:
        raise Unreadable(f"lies before {EARLIEST.year}")
    return utc


def _parsed(value: object) -> datetime:
    """Digits beyond the microsecond are dropped."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Unreadable("must be a time such as 2024-02-15T10:00:00Z")
    day, time, fraction, zulu, hours, minutes = match.groups()
    offset = "+00:00" if zulu or hours is None else f"{hours}:{minutes}"
    seconds = time if time.count(":") == 2 else f"{time}:00"
    try:
        return datetime.fromisoformat(f"{day}T{seconds}.{(fraction or '0')[:6]:0<6}{offset}")
    except ValueError:
        raise Unreadable("is not a time that there is") from None


def _number(value: object, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unreadable("must be a number")
    if isinstance(value, Decimal) and not value.is_finite():
        raise Unreadable("must be a number")
    if value < 0:
        raise Unreadable("must not be negative")
    if value > _LARGEST[name]:
        raise Unreadable(f"may be at most {_LARGEST[name]:,}")
    exact = Decimal(value).quantize(_STEP)
    if exact != value:
        raise Unreadable(f"may have at most {PLACES} decimals")
    return exact


def _properties(value: object, _name: str) -> str:
    if not isinstance(value, Mapping):
        raise Unreadable("must be an object")
    written = as_json(value)
    if len(written.encode()) > LARGEST_PROPERTIES:
        raise Unreadable(f"may have at most {LARGEST_PROPERTIES:,} bytes")
    return written


def as_json(value: object) -> str:
    """JSON in the one form that equal values have: names sorted, numbers without needless zeros; Unreadable."""
    return _written(value, 1)


def _written(value: object, depth: int) -> str:
    if depth > DEEPEST_PROPERTIES and isinstance(value, Mapping | list):
        raise Unreadable(f"may be nested at most {DEEPEST_PROPERTIES} deep")
    match value:
        case None | True | False:
            return _JSON(value)
        case str():
            if character := control_character(value):
                raise Unreadable(f"has a character in it that cannot be kept ({character})")
            return _JSON(value)
        case int() | Decimal():
            return _exact(value)
        case list():
            return f"[{','.join(_written(part, depth + 1) for part in value)}]"
        case Mapping():
            if not all(isinstance(name, str) for name in value):
                raise Unreadable("must have texts as names")
            pairs = (f"{_written(name, 0)}:{_written(value[name], depth + 1)}" for name in sorted(value))
            return f"{{{','.join(pairs)}}}"
        case _:
            raise Unreadable("has a value in it that is no text, number, true, false, null, list or object")


def _exact(value: int | Decimal) -> str:
    # 1e999999999 is eleven characters, and fits into no memory once written out.
    exact = Decimal(value)
    if (
        not exact.is_finite()
        or len(exact.as_tuple().digits) > _LONGEST_NUMBER
        or abs(exact.adjusted()) > _LONGEST_NUMBER
    ):
        raise Unreadable("has a number in it that is too long")
    return plain(exact)


def plain(value: Decimal) -> str:
    """Without an exponent and needless zeros."""
    text = f"{value:f}"
    plain = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if plain == "-0" else plain


# By the field in which an event names its customer.
_CHECKS: Final[dict[str, tuple[tuple[str, Callable[[object, str], Any]], ...]]] = {
    named_by: (
        ("id", _needed),
        (named_by, _needed),
        ("time", _instant),
        ("meter", _needed),
        ("user", _text),
        ("endpoint", _text),
        ("response_time", _number),
        ("quantity", _number),
        ("properties", _properties),
    )
    for named_by in ("customer_ref", "organization_id")
}
