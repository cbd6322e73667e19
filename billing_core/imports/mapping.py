"""Mapping a file's columns to ours: guessed from the names, editable, remembered per layout."""

import enum
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.errors import Invalid
from billing_core.imports.cells import Unreadable
from billing_core.imports.kind import EVERY_CUSTOMER, NEWEST_BY, Definition, Field
from billing_core.imports.models import ColumnMapping
from billing_core.imports.sources import NO_HEADER, Layout
from billing_core.imports.words.answers import LEAVE_OUT, literal
from billing_core.imports.words.spelling import same_word
from billing_core.imports.writing.columns import known_readings, read_alone, with_reading

# The last column of a file of rejected rows. It is of no use to an import, and any file may have it.
REASON_COLUMN: Final = "Not imported because"


class Together(enum.StrEnum):
    """How several columns are one value. FIRST: the first that is filled. JOINED: all that are filled."""

    FIRST = "first"
    JOINED = "joined"


@dataclass(frozen=True, slots=True)
class FromColumns:
    """The value is in these columns of the file; ``together`` matters where there are several. ``readings``: how its
    numbers or dates are written, where that was chosen. ``words``: what words of the file stand for, as (theirs, ours).
    ``or_else``: where the value is if all of these are blank; of it only the columns matter.
    """

    columns: tuple[str, ...]
    together: Together = Together.FIRST
    readings: tuple[str, ...] = ()
    words: tuple[tuple[str, str], ...] = ()
    or_else: "FromColumns | None" = None

    @property
    def alternatives(self) -> tuple[tuple[str, ...], ...]:
        """The first that is filled is the value; the columns of one are joined."""
        mine = (self.columns,) if self.together is Together.JOINED else tuple((column,) for column in self.columns)
        return mine if self.or_else is None else (*mine, *self.or_else.alternatives)

    @property
    def named(self) -> str:
        """As people and commands write it."""
        return "|".join("+".join(joined) for joined in self.alternatives)


def from_column(column: str) -> FromColumns:
    """The value is in this one column."""
    return FromColumns((column,))


@dataclass(frozen=True, slots=True)
class Fixed:
    """Every row has this value."""

    value: str


Origin = FromColumns | Fixed
# By field: what words of the file stand for.
Words = AnyMapping[str, AnyMapping[str, str]]


class Mapping(dict[str, Origin]):
    """Our field -> the origin of its values. A missing field is not imported."""

    @property
    def fixed(self) -> dict[str, str]:
        return {name: origin.value for name, origin in self.items() if isinstance(origin, Fixed)}


def guess(definition: Definition, header: Iterable[str]) -> Mapping:
    """By the columns' names. No column is used for two fields."""
    free: dict[str, str] = {}
    for column in header:
        if column != REASON_COLUMN:
            free.setdefault(plain(column), column)
    mapping = Mapping()
    for field in definition.fields:
        if (origin := _guessed(field, free)) is not None:
            mapping[field.name] = origin
            used = {column for joined in origin.alternatives for column in joined}
            free = {name: column for name, column in free.items() if column not in used}
    return mapping


def _guessed(field: Field, free: dict[str, str]) -> FromColumns | None:
    """One column, joined with those that continue it; or those that are the value together. What must be filled may be
    in these where the one is blank: a shop's customers are companies or people.
    """
    one = next((free[plain(name)] for name in (field.name, *field.synonyms) if plain(name) in free), None)
    several = [_found(names, free) for names in field.parts if plain(names[0]) in free]
    together = next((columns for columns in several if len(columns) > 1 and one in (None, columns[0])), None)
    if together is not None:
        return FromColumns(together, Together.JOINED)
    if one is None:
        return None
    other = next((columns for columns in several if len(columns) > 1), None) if field.filled else None
    return FromColumns((one,), or_else=None if other is None else FromColumns(other, Together.JOINED))


def _found(names: Iterable[str], free: dict[str, str]) -> tuple[str, ...]:
    return tuple(free[plain(name)] for name in names if plain(name) in free)


def unused(layout: Layout, mapping: Mapping) -> list[str]:
    """The columns of the file that no field is taken from."""
    origins = [origin for origin in mapping.values() if isinstance(origin, FromColumns)]
    used = {column for origin in origins for joined in origin.alternatives for column in joined}
    return [column for column in layout.header if column not in used]


def in_doubt(layout: Layout, mapping: Mapping) -> bool:
    """Whether a guess is one: unless every column has our own name for what it holds."""
    known = all(
        isinstance(origin, FromColumns) and [plain(column) for column in origin.columns] == [plain(name)]
        for name, origin in mapping.items()
    )
    return not known or bool(unused(layout, mapping))


def read_changes(definition: Definition, texts: Iterable[str]) -> dict[str, Origin | None]:
    """``field=column``, ``field=A+B`` for columns that are joined, ``field=A|B`` for the first of them that is filled
    (``field=A|B+C``: A, or else B and C), ``field==fixed value``, or ``field=`` to leave the field out.
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


def read_words(definition: Definition, texts: Iterable[str]) -> Words:
    """``field:word=ours`` says what a word of the file stands for."""
    words: dict[str, dict[str, str]] = {}
    for text in texts:
        name, colon, answer = text.partition(":")
        word, equals, ours = answer.rpartition("=")
        if not colon or not equals:
            raise Invalid(
                f"“{text}” says of no word what it stands for: write field:word=ours, or field:word={LEAVE_OUT} to "
                "leave out its rows"
            )
        field = definition.field(name.strip())
        words.setdefault(field.name, {})[word.strip()] = ours.strip()
    return words


def with_words(definition: Definition, mapping: Mapping, words: Words) -> Mapping:
    """``mapping`` with what these words stand for, by field. Invalid where that is no value of the field."""
    answered = Mapping(mapping)
    for name, answers in words.items():
        field, origin = definition.field(name), mapping.get(name)
        if not isinstance(origin, FromColumns):
            raise Invalid(f"{name} is in no column of the file: its words cannot stand for anything")
        for ours in answers.values():
            _refuse_unusable(field, ours)
        known = dict(origin.words)
        new = {theirs if theirs in known else literal(theirs): ours for theirs, ours in answers.items()}
        of_others = [(theirs, ours) for theirs, ours in origin.words if same_word(theirs) not in map(same_word, new)]
        answered[name] = replace(origin, words=(*of_others, *new.items()))
    return answered


def _refuse_unusable(field: Field, ours: str) -> None:
    """An answer is a value of the field, leaves its rows out, or is blank where that may be."""
    if ours == LEAVE_OUT:
        return
    try:
        if ours.strip():
            field.parse(read_alone(field.written, ours, "UTC"))
        elif field.filled:
            raise Unreadable("must not be blank")
    except Unreadable as unreadable:
        raise Invalid(f"“{ours}” {unreadable}", fields={field.name: str(unreadable)}) from None


def read_readings(definition: Definition, texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """``field=how`` says how the numbers or days of a field's column are written; given again, something else of it."""
    readings: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, reading = (part.strip() for part in text.partition("="))
        field = definition.field(name)
        known = known_readings(field.written)
        if reading not in known:
            may_be = f"is one of {', '.join(known)}" if known else "cannot be chosen"
            raise Invalid(f"How {field.name} is written {may_be}", fields={field.name: "is not known"})
        readings[field.name] = with_reading(field.written, readings.get(field.name, ()), reading)
    return readings


def read_as(mapping: Mapping, readings: AnyMapping[str, tuple[str, ...]]) -> Mapping:
    """The mapping with how these fields are written, as far as they are columns of the file."""
    said = Mapping(mapping)
    for name, chosen in readings.items():
        origin = mapping.get(name)
        if isinstance(origin, FromColumns):
            said[name] = replace(origin, readings=chosen)
    return said


def settle(
    definition: Definition, layout: Layout, start: Mapping, changes: dict[str, Origin | None] | None = None
) -> Mapping:
    """``start`` with the changes. Invalid where it names a column that the file lacks or omits a required one."""
    mapping = changed(definition, layout, start, changes or {})
    _refuse_incomplete(definition, layout, mapping)
    return mapping


def changed(definition: Definition, layout: Layout, start: Mapping, changes: AnyMapping[str, Origin | None]) -> Mapping:
    """``start`` with the changes, which may lack required fields. Invalid where one names a column not in the file."""
    mapping = Mapping(start)
    for name, origin in changes.items():
        definition.field(name)
        if origin is None:
            mapping.pop(name, None)
        else:
            mapping[name] = origin if isinstance(origin, Fixed) else _in_file(layout, name, origin)
    return mapping


def _in_file(layout: Layout, field: str, origin: FromColumns) -> FromColumns:
    """With the columns as the file names them. A + or | stands between several, unless a column has it in its name."""
    by_name = {plain(column): column for column in layout.header}
    found = [_column(layout, by_name, name) for name in origin.columns]
    if found == [None] and (several := _several(origin)) is not None:
        return _in_file(layout, field, several)
    for name, column in zip(origin.columns, found, strict=True):
        if column is None:
            raise Invalid(f"The file has no column “{name}”. {_columns_of(layout)}", fields={field: "no such column"})
    or_else = None if origin.or_else is None else _in_file(layout, field, origin.or_else)
    return replace(origin, columns=tuple(column for column in found if column is not None), or_else=or_else)


def _several(origin: FromColumns) -> FromColumns | None:
    """Several columns that are written as one: ``A|B`` or ``A+B``, or ``A|B+C`` with A alone before the others."""
    (written,) = origin.columns
    names = [name.strip() for name in written.split("|")]
    if len(names) > 1 and not any("+" in name for name in names):
        return replace(origin, columns=tuple(names), together=Together.FIRST)
    if len(names) > 1:
        return replace(origin, columns=(names[0],), or_else=from_column("|".join(names[1:])))
    names = [name.strip() for name in written.split("+")]
    return replace(origin, columns=tuple(names), together=Together.JOINED) if len(names) > 1 else None


def _column(layout: Layout, by_name: dict[str, str], name: str) -> str | None:
    return name if name in layout.header else by_name.get(plain(name))


def _refuse_incomplete(definition: Definition, layout: Layout, mapping: Mapping) -> None:
    missing = [name for name in definition.required if name not in mapping]
    if not missing:
        return
    message = f"No column of the file is {_listed(missing)}. {_columns_of(layout)}"
    if missing == ["customer_ref"] and definition.for_everyone:
        message = (
            f"The file names no customer (customer_ref), and {definition.title.lower()} are the customer's own. "
            f"{_columns_of(layout)} "
            f"Name the column, one customer (customer_ref==REF), or every customer (customer_ref=={EVERY_CUSTOMER})."
        )
    raise Invalid(message, fields=dict.fromkeys(missing, "is required"))


def remembered(session: Session, definition: Definition, layout: Layout) -> Mapping | None:
    """The mapping last used for files with exactly these columns. Numbered columns say nothing of what they hold."""
    if layout.header_line == NO_HEADER:
        return None
    statement = select(ColumnMapping.mapping).where(
        ColumnMapping.kind == definition.kind.value, ColumnMapping.layout == layout_key(layout)
    )
    stored = session.scalar(statement)
    return None if stored is None else from_json(definition, layout, stored)


def remember(session: Session, definition: Definition, layout: Layout, mapping: Mapping) -> None:
    """Store the mapping for the next file of this layout."""
    if layout.header_line == NO_HEADER:
        return
    statement = select(ColumnMapping).where(
        ColumnMapping.kind == definition.kind.value, ColumnMapping.layout == layout_key(layout)
    )
    remembered_before = session.scalars(statement).one_or_none()
    if remembered_before is None:
        remembered_before = ColumnMapping(kind=definition.kind.value, layout=layout_key(layout))
        session.add(remembered_before)
    if remembered_before.mapping != to_json(mapping):
        remembered_before.mapping = to_json(mapping)


def layout_key(layout: Layout) -> str:
    """Files with the same column names in the same order are one layout, and so are the rows of one to be repaired."""
    names = (name for name in layout.header if name != REASON_COLUMN)
    return hashlib.sha256("\0".join(names).encode()).hexdigest()


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
    if origin.or_else is not None:
        stored["or_else"] = _origin_json(origin.or_else)
    return stored


def from_json(definition: Definition, layout: Layout, stored: dict[str, Any]) -> Mapping:
    """What ``to_json`` returned, as far as the kind and the layout still have it."""
    known = {item.name for item in (*definition.fields, *([NEWEST_BY] if definition.one_counts else []))}
    mapping = Mapping()
    for name, origin in stored.items():
        if name not in known:
            continue
        if "value" in origin:
            mapping[name] = Fixed(origin["value"])
        elif (columns := _columns_json(layout, origin)) is not None:
            mapping[name] = columns
    return mapping


def _columns_json(layout: Layout, stored: dict[str, Any]) -> FromColumns | None:
    """None where the layout lacks one of the columns."""
    columns = tuple(stored["columns"]) if "columns" in stored else (stored.get("column"),)
    if not set(columns) <= set(layout.header):
        return None
    or_else = _columns_json(layout, stored["or_else"]) if "or_else" in stored else None
    if or_else is None and "or_else" in stored:
        return None
    together, words = Together(stored.get("together", Together.FIRST)), tuple(stored.get("words", {}).items())
    return FromColumns(columns, together, tuple(stored.get("readings", ())), words, or_else)


def plain(name: str) -> str:
    """A column's name without case, accents, blanks and punctuation."""
    bare = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]+", "", bare) or name.strip()


def _columns_of(layout: Layout) -> str:
    shown = [name if len(name) <= 40 else name[:39] + "…" for name in layout.header[:40]]
    return f"Its columns are: {', '.join(shown)}{' …' if len(layout.header) > 40 else ''}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
