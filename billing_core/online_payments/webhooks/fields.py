"""Reading the fields of a gateway's object, each as what it has to be. Pure.

Another shape is refused with the field's name, never guessed at.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from billing_core.money import LARGEST_MINOR, currency_code
from billing_core.online_payments import declines
from billing_core.online_payments.stripe.amounts import from_stripe
from billing_core.text import control_character

Object = Mapping[str, Any]

# More than any id of the gateway's has.
LONGEST_ID: Final = 100
_LONGEST_WORD: Final = 1000
_LAST_SECOND: Final = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())
# Our own ids in metadata, where others may write too.
_LONGEST_NAME: Final = 64


class WrongShape(ValueError):
    """A field is not what the gateway sends there."""

    def __init__(self, field: str, wanted: str) -> None:
        super().__init__(f"“{field}” is {wanted}")


def instant(seconds: object, name: str = "created") -> datetime:
    """The gateway counts seconds since 1970."""
    if type(seconds) is not int or not 0 <= seconds <= _LAST_SECOND:
        raise WrongShape(name, "no instant")
    return datetime.fromtimestamp(seconds, UTC)


def mapping(value: object, name: str) -> Object:
    """An object; an empty one where it is absent."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise WrongShape(name, "no object")
    return value


def part(thing: Object, name: str) -> Object:
    return mapping(thing.get(name), name)


def listed(thing: Object, name: str) -> Sequence[Object]:
    """The objects of a list; none where it is absent."""
    value = thing.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise WrongShape(name, "no list")
    return [mapping(one, name) for one in value]


def whole(thing: Object, name: str) -> int:
    """A whole number of any sign, in the gateway's minor units; 0 where it is absent."""
    value = thing.get(name)
    if value is None:
        return 0
    if type(value) is not int or abs(value) > LARGEST_MINOR:
        raise WrongShape(name, "no amount")
    return value


def amount(thing: Object, name: str) -> int:
    """An amount that has to be there, in the gateway's minor units."""
    value = whole(thing, name)
    if thing.get(name) is None or value < 0:
        raise WrongShape(name, "no amount")
    return value


def money(minor: int, thing: Object) -> dict[str, Any]:
    """The gateway's amount in our minor units, and its currency, which the object names."""
    currency = currency_code(word(thing, "currency"))
    return {"currency": currency, "amount_minor": from_stripe(minor, currency)}


def flag(thing: Object, name: str) -> bool:
    """False where it is absent."""
    value = thing.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise WrongShape(name, "neither true nor false")


def word(thing: Object, name: str) -> str:
    """A text that has to be there, on one line."""
    value = optional_word(thing, name)
    if not value:
        raise WrongShape(name, "missing")
    return value


def optional_word(thing: Object, name: str) -> str:
    """A text on one line, whatever characters it came with; empty where it is absent."""
    value = thing.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise WrongShape(name, "no text")
    return declines.one_line(value[:_LONGEST_WORD])


def own_id(thing: Object) -> str:
    """The gateway's id of the object itself."""
    identity = _checked_id(thing.get("id"), "id")
    if identity is None:
        raise WrongShape("id", "missing")
    return identity


def id_of(thing: Object, name: str) -> str | None:
    """The id of another object, given as a whole or by its id; None where it is absent."""
    value = thing.get(name)
    return _checked_id(own_id(value) if isinstance(value, Mapping) else value, name)


def our_id(thing: Object, name: str) -> str:
    """What may be an id of ours, in metadata; anything else there is none."""
    value = part(thing, "metadata").get(name)
    if not isinstance(value, str):
        return ""
    return "".join(char for char in value[:_LONGEST_WORD] if not control_character(char))[:_LONGEST_NAME]


def _checked_id(value: object, name: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > LONGEST_ID or control_character(value):
        raise WrongShape(name, "no id")
    return value
