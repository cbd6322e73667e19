"""Mapping a file's columns to ours: guessed from the names, editable, remembered per layout."""

import enum
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.errors import Invalid
from billing_core.imports import Kind
from billing_core.imports.kind import EVERY_CUSTOMER, Definition
from billing_core.imports.models import ColumnMapping
from billing_core.imports.sources import Layout


class Together(enum.StrEnum):
    """How several columns are one value. FIRST: the first that is filled. JOINED: all that are filled."""

    FIRST = "first"
    JOINED = "joined"


@dataclass(frozen=True, slots=True)
class FromColumns:
    """The value is in these columns of the file; ``together`` matters where there are several. ``readings``: how its
    numbers or dates are written, where that was chosen. ``words``: what words of the file stand for, as (theirs, ours).
    """

    columns: tuple[str, ...]
    together: Together = Together.FIRST
    readings: tuple[str, ...] = ()
    words: tuple[tuple[str, str], ...] = ()

    @property
    def named(self) -> str:
        """As people and commands write it."""
        return ("|" if self.together is Together.FIRST else "+").join(self.columns)


def from_column(column: str) -> FromColumns:
    """The value is in this one column."""
    return FromColumns((column,))


@dataclass(frozen=True, slots=True)
class Fixed:
    """Every row has this value."""

    value: str


Origin = FromColumns | Fixed


class Mapping(dict[str, Origin]):
    """Our field -> the origin of its values. A missing field is not imported."""

    @property
    def fixed(self) -> dict[str, str]:
        return {name: origin.value for name, origin in self.items() if isinstance(origin, Fixed)}


def guess(definition: Definition, header: Iterable[str]) -> Mapping:
    """By the columns' names. No column is used for two fields."""
    by_name: dict[str, str] = {}
    for column in header:
        by_name.setdefault(plain(column), column)
    mapping = Mapping()
    for field in definition.fields:
        for name in (field.name, *field.synonyms):
            named_field = by_name.get(plain(name))
            if named_field is not None and from_column(named_field) not in mapping.values():
                mapping[field.name] = from_column(named_field)
                break
    return mapping


def read_changes(definition: Definition, texts: Iterable[str]) -> dict[str, Origin | None]:
    """``field=column``, ``field=A+B`` for columns that are joined, ``field=A|B`` for the first of them that is filled,
    ``field==fixed value``, or ``field=`` to leave the field out.
    """
    changes: dict[str, Origin | None] = {}
    for text in texts:
        name, equals, origin = text.partition("=")
        if not equals:
            raise Invalid(f"“{text}” is not a mapping: write field=column, or field==value for a fixed value")
        name = definition.field(name.strip()).name
        if origin.startswith("="):
            changes[name] = Fixed(origin[1:].strip())
        else:
            changes[name] = from_column(origin.strip()) if origin.strip() else None
    return changes


def settle(
    definition: Definition, layout: Layout, start: Mapping, changes: dict[str, Origin | None] | None = None
) -> Mapping:
    """``start`` with the changes. Invalid where it names a column that the file lacks or omits a required one."""
    mapping = Mapping(start)
    for name, origin in (changes or {}).items():
        definition.field(name)
        if origin is None:
            mapping.pop(name, None)
        else:
            mapping[name] = origin if isinstance(origin, Fixed) else _in_file(layout, name, origin)
    _refuse_incomplete(definition, layout, mapping)
    return mapping


def _in_file(layout: Layout, field: str, origin: FromColumns) -> FromColumns:
    """With the columns as the file names them. A + or | stands between several, unless a column has it in its name."""
    by_name = {plain(column): column for column in layout.header}
    found = [_column(layout, by_name, name) for name in origin.columns]
    if found == [None]:
        (written,) = origin.columns
        for sign, together in (("|", Together.FIRST), ("+", Together.JOINED)):
            if sign in written:
                names = [name.strip() for name in written.split(sign)]
                return _in_file(layout, field, replace(origin, columns=tuple(names), together=together))
    for name, column in zip(origin.columns, found, strict=True):
        if column is None:
            raise Invalid(f"The file has no column “{name}”. {_columns_of(layout)}", fields={field: "no such column"})
    return replace(origin, columns=tuple(column for column in found if column is not None))


def _column(layout: Layout, by_name: dict[str, str], name: str) -> str | None:
    return name if name in layout.header else by_name.get(plain(name))


def _refuse_incomplete(definition: Definition, layout: Layout, mapping: Mapping) -> None:
    missing = [name for name in definition.required if name not in mapping]
    if not missing:
        return
    message = f"No column of the file is {_listed(missing)}. {_columns_of(layout)}"
    if missing == ["customer_ref"] and definition.kind is Kind.PRODUCTS:
        message = (
            f"The file names no customer (customer_ref), and products are the customer's own. {_columns_of(layout)} "
            f"Name the column, one customer (customer_ref==REF), or every customer (customer_ref=={EVERY_CUSTOMER})."
        )
    raise Invalid(message, fields=dict.fromkeys(missing, "is required"))


def remembered(session: Session, definition: Definition, layout: Layout) -> Mapping | None:
    """The mapping last used for files with exactly these columns."""
    statement = select(ColumnMapping.mapping).where(
        ColumnMapping.kind == definition.kind.value, ColumnMapping.layout == layout_key(layout)
    )
    stored = session.scalar(statement)
    return None if stored is None else from_json(definition, layout, stored)


def remember(session: Session, definition: Definition, layout: Layout, mapping: Mapping) -> None:
    """Store the mapping for the next file of this layout."""
    statement = select(ColumnMapping).where(
        ColumnMapping.kind == definition.kind.value, ColumnMapping.layout == layout_key(layout)
    )
    remembered_before = session.scalars(statement).one_or_none()
    if remembered_before is None:
        remembered_before = ColumnMapping(kind=definition.kind.value, layout=layout_key(layout))
        session.add(remembered_before)
    if remembered_before.mapping != to_json(mapping):
        remembered_before.mapping = to_json(mapping)


def start_for(session: Session, definition: Definition, layout: Layout) -> Mapping:
    """The remembered mapping, otherwise the guess."""
    from_before = remembered(session, definition, layout)
    return guess(definition, layout.header) if from_before is None else from_before


def layout_key(layout: Layout) -> str:
    """Files with the same column names in the same order are one layout."""
    return hashlib.sha256("\0".join(layout.header).encode()).hexdigest()


def to_json(mapping: Mapping) -> dict[str, Any]:
    """The mapping as it is stored."""
    return {name: _origin_json(origin) for name, origin in sorted(mapping.items())}


def _origin_json(origin: Origin) -> dict[str, Any]:
    """Without what is as usual."""
    if isinstance(origin, Fixed):
        return {"value": origin.value}
    stored: dict[str, Any] = (
        {"column": origin.columns[0]}
        if len(origin.columns) == 1
        else {
            "columns": list(origin.columns),
            "together": origin.together.value,
        }
    )
    if origin.readings:
        stored["readings"] = list(origin.readings)
    if origin.words:
        stored["words"] = dict(origin.words)
    return stored


def from_json(definition: Definition, layout: Layout, stored: dict[str, Any]) -> Mapping:
    """What ``to_json`` returned, as far as the kind and the layout still have it."""
    known = {item.name for item in definition.fields}
    mapping = Mapping()
    for name, origin in stored.items():
        if name not in known:
            continue
        if "value" in origin:
            mapping[name] = Fixed(origin["value"])
            continue
        columns = tuple(origin["columns"]) if "columns" in origin else (origin.get("column"),)
        if set(columns) <= set(layout.header):
            together = Together(origin.get("together", Together.FIRST))
            words = tuple(origin.get("words", {}).items())
            mapping[name] = FromColumns(columns, together, tuple(origin.get("readings", ())), words)
    return mapping


def plain(name: str) -> str:
    """A column's name without case, accents, blanks and punctuation."""
    bare = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]+", "", bare) or name.strip()


def _columns_of(layout: Layout) -> str:
    shown = [name if len(name) <= 40 else name[:39] + "…" for name in layout.header[:40]]
    return f"Its columns are: {', '.join(shown)}{' …' if len(layout.header) > 40 else ''}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
