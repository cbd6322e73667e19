"""When a row of a file was written, by which it is known which of several of one key is the newest."""

from collections.abc import Sequence
from typing import BinaryIO, Final

from billing_core.errors import Invalid
from billing_core.imports import Kind, sources
from billing_core.imports.cells import Unreadable
from billing_core.imports.kind import NEWEST_BY, Definition
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.layouts import recognising
from billing_core.imports.mapping import FromColumns, Mapping, from_column, guess, plain
from billing_core.imports.rows.following import first_rows
from billing_core.imports.writing.moments import moment

# When a row was changed says more than when it was made.
_NAMES: Final = tuple(
    map(
        plain,
        (
            *("updated at", "updated on", "updated", "last updated", "last updated at", "date updated", "update date"),
            *("modified at", "modified on", "modified", "last modified", "last modified at", "last modified date"),
            *("date modified", "modified date", "changed at", "changed on", "changed", "last changed", "last change"),
            *("write date", "last updated on", "geändert am", "letzte änderung", "aktualisiert am", "modifié le"),
            *("mis à jour le", "modificado", "actualizado", "fecha de modificación"),
            *("created at", "created on", "created", "date created", "creation date", "created date", "create date"),
            *("added on", "date added", "added at", "customer since", "erstellt am", "angelegt am", "créé le"),
            *("date de création", "creado", "fecha de creación"),
        ),
    )
)


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Those that hold days or times in the first rows of a file, as far as they are filled."""
    return [column for place, column in enumerate(header) if _dated([row[place] for row in rows if place < len(row)])]


def column(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str | None:
    """The one that says when a row was written, by its name: changed, or made; or else when its order was."""
    dated = columns(header, rows)
    by_name = {plain(name): name for name in reversed(dated)}
    if (known := next((by_name[name] for name in _NAMES if name in by_name), None)) is not None:
        return known
    orders = recognising.start(header, Kind.ORDERS) or guess(DEFINITIONS[Kind.ORDERS], header)
    origin = orders.get("order_date")
    return origin.columns[0] if isinstance(origin, FromColumns) and origin.columns[0] in dated else None


def in_file(definition: Definition, stream: BinaryIO, layout: sources.Layout, mapping: Mapping) -> Mapping:
    """As ``mapped``, of a file."""
    return mapped(definition, layout.header, first_rows(stream, layout, recognising.SAMPLED_ROWS), mapping)


def mapped(definition: Definition, header: Sequence[str], rows: Sequence[Sequence[str]], mapping: Mapping) -> Mapping:
    """The mapping with the column that says when a row was written. Invalid where no column is known to."""
    if not definition.one_counts:
        raise Invalid(f"Of {definition.kind} each row counts, the newest no more than the others")
    origin = mapping.get(NEWEST_BY.name)
    if isinstance(origin, FromColumns):
        return mapping
    found = column(header, rows)
    if found is None or origin is not None:
        dated = columns(header, rows)
        may_be = f"These hold days: {', '.join(dated)}." if dated else "None of its first rows has a day."
        raise Invalid(f"No column of the file is known to say which row is the newest: name it as newest_by. {may_be}")
    return Mapping(mapping | {NEWEST_BY.name: from_column(found)})


def _dated(cells: Sequence[str]) -> bool:
    filled = [text for cell in cells if (text := cell.strip())]
    return bool(filled) and all(map(_is_moment, filled))


def _is_moment(cell: str) -> bool:
    try:
        moment(cell)
    except Unreadable:
        return False
    return True
