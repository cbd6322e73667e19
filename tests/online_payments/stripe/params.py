"""Checks what is asked of Stripe as strictly as the types say that Stripe's own library ships.

Those are TypedDicts full of names in quotes, and they allow any text where they list the values, for values to come.
Here the names are resolved, nothing but what is listed passes, and numbers and booleans must be spelled as on the wire.
"""

import operator
import re
import sys
import types
import typing
from decimal import Decimal
from functools import cache, reduce
from typing import Annotated, Any, Literal, Union
from urllib.parse import parse_qsl

import typing_extensions
from pydantic import ConfigDict, StringConstraints, TypeAdapter, with_config
from stripe._request_options import RequestOptions
from stripe._stripe_object import UntypedStripeObject

_OPTIONS = set(RequestOptions.__annotations__)
_WIRE = {
    bool: Literal["true", "false"],
    int: Annotated[str, StringConstraints(pattern=r"^-?\d+$")],
    float: Annotated[str, StringConstraints(pattern=r"^-?\d+(\.\d+)?$")],
    Decimal: Annotated[str, StringConstraints(pattern=r"^-?\d+(\.\d{1,12})?$")],
    # An empty text means "remove this", which nobody wants when making something.
    str: Annotated[str, StringConstraints(min_length=1, max_length=5000)],
}
_METADATA = dict[
    Annotated[str, StringConstraints(max_length=40)], Annotated[str, StringConstraints(min_length=1, max_length=500)]
]


def problems(params: type, form: str) -> str:
    """What Stripe would refuse in this form or query; empty where all is well."""
    try:
        checker(params).validate_python(nested(form))
    except ValueError as error:
        return str(error)
    return ""


def nested(form: str) -> dict[str, Any]:
    """``a[b][0]=c`` as ``{"a": {"b": ["c"]}}``."""
    root: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True, strict_parsing=bool(form)):
        path = re.findall(r"[^\[\]]+", name)
        place = root
        for step in path[:-1]:
            place = place.setdefault(step, {})
        if path[-1] in place:
            raise ValueError(f"{name} is given twice")
        place[path[-1]] = value
    return _lists(root)


@cache
def checker(params: type) -> TypeAdapter[Any]:
    return TypeAdapter(_strict(params))


@cache
def _strict(params: type) -> type:
    """The TypedDict again, closed, with every name resolved and every value as the wire spells it."""
    names = vars(sys.modules[params.__module__]) | {"StripeContext": object}
    fields = {
        field: _wire(_resolved(annotation, names), names)
        for field, annotation in typing_extensions.get_annotations(params).items()
        if field not in _OPTIONS
    }
    return with_config(ConfigDict(extra="forbid"))(typing_extensions.TypedDict(params.__name__, fields))


def _resolved(annotation: Any, names: dict[str, Any]) -> Any:
    while isinstance(annotation, str | typing.ForwardRef):
        text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
        annotation = eval(text, names)
    return annotation


def _wire(annotation: Any, names: dict[str, Any]) -> Any:
    annotation = _resolved(annotation, names)
    origin, given = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing_extensions.NotRequired, typing.NotRequired):
        return typing_extensions.NotRequired[_wire(given[0], names)]
    if origin in (Union, types.UnionType):
        return _union(given, names)
    if origin is list:
        return list[_wire(given[0], names)]
    if origin is dict:
        return _METADATA
    if origin is Literal:
        return annotation
    if typing_extensions.is_typeddict(annotation):
        return _strict(annotation)
    return _WIRE[annotation]


def _union(given: tuple[Any, ...], names: dict[str, Any]) -> Any:
    members = [_resolved(one, names) for one in given]
    listed = [one for one in members if typing.get_origin(one) is Literal and typing.get_args(one) != ("",)]
    kept = [one for one in members if typing.get_origin(one) is not UntypedStripeObject and not (listed and one is str)]
    return reduce(operator.or_, (_wire(one, names) for one in kept))


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[str(index)]) for index in range(len(value))]
    return {key: _lists(one) for key, one in value.items()}
