"""What a program says of its file, by fields that are named as the options of ``import auto``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from billing_core.errors import BillingError, Invalid
from billing_core.imports import Kind, Lines, Repeats, sources
from billing_core.imports.automatic.answers import Answers, encoding, separator

# Of one field.
MOST_VALUES: Final = 1_000
SEVERAL: Final = ("kind", "map", "word", "reading", "keep-line", "drop-line")
ONE: Final = (
    "profile",
    "no-customer",
    "lines",
    "repeats",
    "set-aside",
    "member",
    "sheet",
    "encoding",
    "separator",
    "header-line",
)
FIELDS: Final = (*SEVERAL, *ONE)
_LONGEST_NUMBER: Final = 9
_T = TypeVar("_T")
# By field, as ``of_lines`` has them.
Given = Mapping[str, Sequence[str]]


def of_lines(fields: Mapping[str, str]) -> dict[str, list[str]]:
    """As forms have them: of what may be said several times, one a line."""
    return {
        name: [line for line in value.splitlines() if line.strip()] if name in SEVERAL else [value]
        for name, value in fields.items()
    }


def read(given: Given) -> Answers:
    """Invalid, with the field at fault, where one is not known or says nothing that it may."""
    for name, values in given.items():
        if name not in FIELDS:
            raise _invalid(name, f"is not known. What can be said: {', '.join(FIELDS)}")
        if len(values) > (MOST_VALUES if name in SEVERAL else 1):
            most = f"{MOST_VALUES:,} times at most" if name in SEVERAL else "once"
            raise _invalid(name, f"can be said {most}")
    chosen = sources.Chosen(
        _one(given, "encoding", encoding),
        _one(given, "separator", separator),
        _one(given, "header-line", _number),
        _one(given, "sheet", str),
        tuple(_each(given, "keep-line", _number)),
        tuple(_each(given, "drop-line", _number)),
    )
    return Answers(
        profile=_one(given, "profile", str),
        kinds=tuple(_each(given, "kind", _of(Kind))),
        maps=_said(given, "map"),
        words=_said(given, "word"),
        readings=_said(given, "reading"),
        lines=_one(given, "lines", _of(Lines)),
        repeats=_one(given, "repeats", _of(Repeats)),
        set_aside=_one(given, "set-aside", _number) or 0,
        owner=_one(given, "no-customer", _ref) or "",
        source=chosen,
    )


def told(given: Given) -> dict[str, str | list[str]]:
    """As programs are shown what they have said."""
    return {name: list(values) if name in SEVERAL else values[0] for name, values in given.items() if values}


def member(given: Given) -> str | None:
    """The file that is taken, of an archive with several."""
    return _one(given, "member", str)


def _said(given: Given, name: str) -> tuple[str, ...]:
    """Of fields of the file, which Answers itself tells from others."""
    texts = tuple(given.get(name, ()))
    try:
        Answers(**{f"{name}s": texts})  # type: ignore[arg-type]  # each of these is texts
    except BillingError as refusal:
        raise _invalid(name, str(refusal)) from None
    return texts


def _one(given: Given, name: str, reading: Callable[[str], _T]) -> _T | None:
    return next(iter(_each(given, name, reading)), None)


def _each(given: Given, name: str, reading: Callable[[str], _T]) -> list[_T]:
    try:
        return [reading(value) for value in given.get(name, ())]
    except BillingError as refusal:
        raise _invalid(name, str(refusal)) from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise Invalid("must be a whole number")
    return int(text)


def _ref(text: str) -> str:
    if not (ref := text.strip()):
        raise Invalid("must not be empty")
    return ref


def _of(choices: Any) -> Callable[[str], Any]:
    def chosen(text: str) -> Any:
        if text not in list(choices):
            raise Invalid(f"must be one of {', '.join(choices)}")
        return choices(text)

    return chosen


def _invalid(name: str, reason: str) -> Invalid:
    return Invalid(f"{name}: {reason}", fields={name: reason})
