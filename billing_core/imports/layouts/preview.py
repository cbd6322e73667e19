"""The first rows of a file as they would be stored, read as an import reads them. Nothing is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_core.database.types import Scaled
from billing_core.imports import Kind, merging, sources
from billing_core.imports.cells import Unreadable
from billing_core.imports.kind import EVERY_CUSTOMER, Field, Setting
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.layouts import recognising
from billing_core.imports.mapping import Mapping
from billing_core.imports.reading import Reader, shown
from billing_core.imports.rows.following import followed
from billing_core.imports.writing.damage import PostalCodes


@dataclass(frozen=True, slots=True)
class FirstRow:
    """The texts of our columns; ``reasons`` says of some why their cell cannot be read, or of the row (no column)."""

    values: dict[str, str]
    reasons: dict[str, str]


def first_rows(
    rows: Sequence[list[str]],
    layout: sources.Layout,
    kind: Kind,
    mapping: Mapping,
    setting: Setting,
    kinds: Collection[Kind] = (),
) -> list[FirstRow]:
    """What becomes of these rows of a file, which is said to hold these ``kinds``."""
    every_customer = mapping.fixed.get("customer_ref") == EVERY_CUSTOMER
    fields = [field for field in DEFINITIONS[kind].fields if field.name in mapping]
    readers = [
        Reader(field, layout, mapping, setting)
        for field in fields
        if not (every_customer and field.name == "customer_ref")
    ]
    batch = sources.Batch(range(1, len(rows) + 1), list(rows))
    following = recognising.following(layout, kind, mapping, rows, kinds)
    ours = [row for some in followed([batch], layout, following) for row in some.rows if any(map(str.strip, row))]
    found = [_first_row(row, readers, len(layout.header)) for row in ours]
    while any(reader.misread or reader.at_odds for reader in readers):
        for reader in readers:
            reader.read_again()
        found = [_first_row(row, readers, len(layout.header)) for row in ours]
    return _as_they_stand(found, ours, readers)


def _as_they_stand(found: list[FirstRow], rows: Sequence[list[str]], readers: Sequence[Reader]) -> list[FirstRow]:
    """Of columns that these rows alone do not show how to read, the cells as they stand: further rows may show it."""
    for reader in readers:
        name = reader.field.name
        for doubt in reader.doubts()[:1]:
            read = [(first, row) for first, row in zip(found, rows, strict=True) if name in first.values]
            for first, row in read:
                first.values[name] = shown(reader.cell(row))
            read[0][0].reasons[name] = f"is read as the whole column shows. {doubt.text}"
    return found


def _first_row(row: list[str], readers: Sequence[Reader], width: int) -> FirstRow:
    if len(row) != width:
        return FirstRow({}, {"": f"the line has {len(row)} cells, the header has {width}"})
    values: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for reader in readers:
        cell = reader.cell(row)
        try:
            values[reader.field.name] = _text(reader.known[cell], reader.field)
        except Unreadable as unreadable:
            values[reader.field.name] = shown(cell)
            reasons[reader.field.name] = str(unreadable)
    for reader in readers:
        name = reader.field.name
        if isinstance(reader.column, PostalCodes) and name not in reasons:
            (values[name],) = reader.column.restored([values[name]], [values.get(reader.field.country, "")])
    return FirstRow(values, reasons)


def _text(value: Any, field: Field) -> str:
    """Of a value as the driver takes it."""
    if value is None:
        return ""
    if isinstance(field.type, Scaled) and isinstance(value, int):
        return merging.written(Decimal(value).scaleb(-field.type.places))
    return str(value)
