"""The known layouts: one TOML file each beside this module, read strictly, see docs/import-layouts.md."""

import tomllib
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from billing_core.imports import Kind, Repeats
from billing_core.imports.kinds.registry import DEFINITIONS

_FOLDER: Final = Path(__file__).parent
_HEAD: Final = {"source", "title", "requires", "forbids", "follows"}
_PART: Final = {"fields", "repeats", "existing", "own"}
_ORIGIN: Final = {"column", "first", "joined", "either", "fixed", "words"}


class Malformed(ValueError):
    """What is wrong with a layout's file: a fault of ours."""


@dataclass(frozen=True, slots=True)
class FieldOrigin:
    """Where a field's value is: in the ``columns`` that the file has, the first filled one or ``joined``; with
    ``either``, in the first of them that the file has at all. ``fixed``: the same in every row. ``words``: (theirs,
    ours).
    """

    columns: tuple[str, ...] = ()
    joined: bool = False
    either: bool = False
    fixed: str | None = None
    words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class KnownPart:
    """One kind of a known layout. ``repeats``: which of several rows of one key counts. ``only_new``: those that are
    there already stay as they are. ``own``: a row without any of these columns is none of this kind; without such
    columns, one that has nothing of this kind at all.
    """

    kind: Kind
    fields: AnyMapping[str, FieldOrigin]
    repeats: Repeats | None
    only_new: bool
    own: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownLayout:
    """An export of ``source``, known by having all columns that it ``requires`` and none that it ``forbids``. ``name``:
    that of its file. ``follows``: the column whose blank or repeated cell says that a row follows up on the one above.
    """

    name: str
    source: str
    title: str
    requires: tuple[str, ...]
    forbids: tuple[str, ...]
    follows: str | None
    parts: tuple[KnownPart, ...]


@cache
def known_layouts() -> tuple[KnownLayout, ...]:
    return tuple(read(file.stem, file.read_text("utf-8")) for file in sorted(_FOLDER.glob("*.toml")))


def read(name: str, text: str) -> KnownLayout:
    """Malformed where anything is missing, or not understood."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise Malformed(f"{name}: {fault}") from None
    kinds = {kind.value: kind for kind in Kind}
    _refuse_unknown(name, content, _HEAD | kinds.keys())
    parts = tuple(_part(f"{name}, {kind}", kind, content[kind.value]) for kind in Kind if kind.value in content)
    if not parts:
        raise Malformed(f"{name}: it holds nothing")
    return KnownLayout(
        name,
        _text(name, content, "source"),
        _text(name, content, "title"),
        _texts(name, content.get("requires")),
        _texts(name, content.get("forbids", []), may_be_empty=True),
        _text(name, content, "follows") if "follows" in content else None,
        parts,
    )


def _part(name: str, kind: Kind, content: Any) -> KnownPart:
    _refuse_unknown(name, content, _PART)
    definition = DEFINITIONS[kind]
    fields = content.get("fields", {})
    _refuse_unknown(name, fields, {field.name for field in definition.fields})
    # Whose the rows are may be said by a person, where no column says it.
    if missing := set(definition.required) - set(fields) - {"customer_ref"}:
        raise Malformed(f"{name}: {', '.join(sorted(missing))} must be there")
    existing = content.get("existing", "change")
    if existing not in ("keep", "change"):
        raise Malformed(f"{name}: existing is keep or change, not {existing}")
    repeats = content.get("repeats")
    if repeats is not None and (repeats not in (Repeats.FIRST, Repeats.LAST) or not definition.one_counts):
        raise Malformed(f"{name}: repeats is not {repeats}")
    return KnownPart(
        kind,
        {field: _origin(f"{name}, {field}", origin) for field, origin in fields.items()},
        None if repeats is None else Repeats(repeats),
        existing == "keep",
        _texts(name, content.get("own", []), may_be_empty=True),
    )


def _origin(name: str, content: Any) -> FieldOrigin:
    if isinstance(content, str):
        return FieldOrigin((content,))
    _refuse_unknown(name, content, _ORIGIN)
    ways = content.keys() - {"words"}
    if len(ways) != 1:
        raise Malformed(f"{name}: one of {', '.join(sorted(_ORIGIN - {'words'}))}")
    (way,) = ways
    words = content.get("words", {})
    if not isinstance(words, dict) or not all(isinstance(ours, str) for ours in words.values()):
        raise Malformed(f"{name}: words are texts")
    if way in ("fixed", "column"):
        value = _text(name, content, way)
        return FieldOrigin(fixed=value) if way == "fixed" else FieldOrigin((value,), words=tuple(words.items()))
    columns = _texts(name, content[way])
    return FieldOrigin(columns, joined=way == "joined", either=way == "either", words=tuple(words.items()))


def _refuse_unknown(name: str, content: Any, known: set[str]) -> None:
    if not isinstance(content, dict):
        raise Malformed(f"{name}: a table belongs here")
    if unknown := content.keys() - known:
        raise Malformed(f"{name}: {', '.join(sorted(unknown))} is not known here")


def _text(name: str, content: AnyMapping[str, Any], key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name}: {key} is a text")
    return value


def _texts(name: str, content: Any, *, may_be_empty: bool = False) -> tuple[str, ...]:
    if not isinstance(content, list) or not (content or may_be_empty):
        raise Malformed(f"{name}: a list of columns belongs here")
    if not all(isinstance(one, str) and one for one in content):
        raise Malformed(f"{name}: columns are texts")
    return _all_once(name, content)


def _all_once(name: str, columns: Sequence[str]) -> tuple[str, ...]:
    if len(set(columns)) < len(columns):
        raise Malformed(f"{name}: a column is named twice")
    return tuple(columns)
