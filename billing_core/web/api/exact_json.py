"""JSON that is exact in both directions: no number passes through a float."""

import json
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, InstanceOf, WithJsonSchema
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from billing_core.money import decimal_places
from billing_core.text import control_character

# Far deeper than any documented body.
DEEPEST = 20
_LONGEST_NUMBER = 100
# A number of an answer in its final form, as ``money`` and ``number`` return it.
WrittenNumber = Annotated[InstanceOf[orjson.Fragment], WithJsonSchema({"type": "number"})]
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS | orjson.OPT_NON_STR_KEYS


class ExactJSON(JSONResponse):
    """Decimals leave as JSON numbers with all their digits, instants as ``2024-02-15T10:00:00Z``."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode(content)


def encode(content: Any) -> bytes:
    return orjson.dumps(content, default=_number, option=_OPTIONS)


@lru_cache(maxsize=16_384)
def money(minor: int, currency: str) -> WrittenNumber:
    """The amount in major units as the documents print it, without needless zeros: ``6050``, ``12.5``, ``0.07``.

    Cached, because programs ask for the same lists again and again, and writing amounts took a tenth of the time.
    """
    places = decimal_places(currency)
    whole, rest = divmod(abs(minor), 10**places)
    sign = "-" if minor < 0 else ""
    return orjson.Fragment(f"{sign}{whole}{_after_the_point(rest, places)}")


@cache
def _after_the_point(rest: int, places: int) -> str:
    """Cached: there are only a few hundred."""
    digits = str(rest).zfill(places).rstrip("0")
    return f".{digits}" if digits else ""


def number(value: Decimal) -> WrittenNumber:
    """A quantity, price or percentage, written as ``money`` writes amounts."""
    whole, _, digits = f"{value:f}".partition(".")
    digits = digits.rstrip("0")
    return orjson.Fragment(f"{whole}.{digits}" if digits else whole)


def _number(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(f"{value:f}")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


class Body(BaseModel):
    """The base of request bodies. Undocumented fields are refused by name."""

    model_config = ConfigDict(extra="forbid")


def _only_a_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")  # pydantic turns only this kind into a refusal
    return value


def _only_a_whole_number(value: Any) -> Any:
    _only_a_number(value)
    if value != int(value):
        raise ValueError("must be a whole number")
    return int(value)


# A JSON number as it was written; a text with digits in it is refused.
Number = Annotated[Decimal, BeforeValidator(_only_a_number)]
WholeNumber = Annotated[int, BeforeValidator(_only_a_whole_number)]


class ExactRequest(Request):
    """Reads JSON numbers as Decimal, and refuses what no database column could store."""

    async def json(self) -> Any:
        if not hasattr(self, "_decoded"):
            self._decoded = decode(await self.body())
        return self._decoded


def decode(body: bytes) -> Any:
    """The JSON document; HTTPException 400 that says what is wrong with it."""
    document = _decoded(body, _STRICTLY)
    refuse_unstorable(document)
    return document


def decode_for_checks(body: bytes) -> Any:
    """The JSON document of a batch whose parts are checked one by one: a value that no column could store does not
    spoil the others. Numbers are Decimals of any size, ``NaN`` and ``Infinity`` too; texts may hold any character.
    """
    return _decoded(body, _LENIENTLY)


def _decoded(body: bytes, hooks: dict[str, Any]) -> Any:
    try:
        # As in files, a byte order mark is not part of the text.
        return json.loads(body.decode("utf-8").lstrip("\ufeff"), **hooks)
    except UnicodeDecodeError:
        raise HTTPException(400, "The body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise HTTPException(400, f"The body is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise HTTPException(400, "The body is nested too deeply") from None


def _decimal(text: str) -> Decimal:
    if len(text) > _LONGEST_NUMBER:
        raise HTTPException(400, f"A number has more than {_LONGEST_NUMBER} digits")
    value = Decimal(text)
    # 1e999999999 is eleven characters, and fits into no memory once written out.
    if not value.is_finite() or abs(value.adjusted()) > _LONGEST_NUMBER:
        raise HTTPException(400, "A number is too large or too small")
    return value


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise HTTPException(400, f"A number has more than {_LONGEST_NUMBER} digits")
    return int(text)


def _refused_constant(text: str) -> None:
    raise HTTPException(400, f"The body is not JSON: {text} is not a number")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise HTTPException(400, "The body names a field twice")
    return members


def _storable_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Names go into the answer."""
    if any(control_character(name) for name, _ in pairs):
        raise HTTPException(400, "The body names a field with a character that cannot be kept")
    return _members(pairs)


def _any_number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")  # an exponent beyond all numbers


_STRICTLY: dict[str, Any] = {
    "parse_float": _decimal,
    "parse_int": _whole,
    "parse_constant": _refused_constant,
    "object_pairs_hook": _members,
}
_LENIENTLY: dict[str, Any] = {
    "parse_float": _any_number,
    "parse_int": _any_number,
    "parse_constant": _any_number,
    "object_pairs_hook": _storable_members,
}


def refuse_unstorable(document: Any) -> None:
    """HTTPException 400 where a text has characters in it that no column could store, or it is nested too deeply."""
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            raise HTTPException(400, "The body is nested too deeply")
        if isinstance(value, str):
            if character := control_character(value):
                raise HTTPException(400, f"The body has a character in it that cannot be kept ({character})")
        elif isinstance(value, dict):
            waiting.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list):
            waiting.extend((part, depth + 1) for part in value)
