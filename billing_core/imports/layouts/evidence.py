"""What an unknown file may hold, weighed by the names of its columns and the cells of its first rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Date, Integer

from billing_core.database.types import Scaled
from billing_core.email_addresses import address_fault
from billing_core.imports import Kind
from billing_core.imports.kind import Definition, Field
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import FromColumns, Mapping, guess, plain

# Names that say little about what a row is: nearly every export has some of them.
_VAGUE: Final = frozenset(
    "id ref code name title description type unit number date time value count from to start end until "
    "note notes comment comments price amount discount currency status".split()
)
_VAGUE_WEIGHT: Final = 0.25
# A kind whose evidence is at least this share of the best one's may be meant as well.
_CLOSE: Final = 0.75
# Vague names alone prove nothing: “ID” and “Name” are as well those of products as of customers.
_ENOUGH: Final = 1.0
_AGAINST: Final = -0.5

_NUMBER_LIKE: Final = re.compile(
    r"[-+−(]?[^\w\s]{0,2}\s?[0-9][0-9.,'’\s\u00a0\u202f]*(?:[eE][-+]?[0-9]+)?[^\w\s]?\s?[A-Z]{0,3}\)?-?"
)
_DATE_LIKE: Final = re.compile(r"[0-9]{1,4}[-/. ]\s?(?:[0-9]{1,2}|[^\W\d_]{3,9}\.?)[-/., ]\s?[0-9]{1,4}|[0-9]{8}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """``kinds``: what the file holds; empty where a person must say so. ``close``: what it may as well be, the
    likeliest first.
    """

    kinds: tuple[Kind, ...]
    close: tuple[Kind, ...] = ()

    @property
    def question(self) -> str:
        """What a person is asked; empty where nothing is."""
        if self.kinds:
            return ""
        if not self.close:
            return "The names of its columns do not tell what this file contains: say it."
        titles = [DEFINITIONS[kind].title.lower() for kind in self.close]
        if len(titles) == 1:
            return f"The names of its columns alone do not prove that this file contains {titles[0]}: say what it does."
        return f"By its columns, this file may contain {' or '.join(titles)}: say which."


@dataclass(frozen=True, slots=True)
class _Candidate:
    kind: Kind
    weight: float
    complete: bool
    named: bool


def weigh(header: Sequence[str], rows: Sequence[Sequence[str]], file_name: str) -> Evidence:
    """What a file with these columns and first rows holds."""
    candidates = [_candidate(definition, header, rows, plain(file_name)) for definition in DEFINITIONS.values()]
    whole = [one for one in candidates if one.complete]
    if together := _together(header, {one.kind for one in whole}):
        return Evidence(together)
    by_name = [one for one in candidates if one.named]
    if not whole and len(by_name) == 1:
        return Evidence((by_name[0].kind,))
    suitable = sorted(whole or candidates, key=lambda one: -one.weight)
    best = suitable[0]
    if best.weight <= 0:
        return Evidence(())
    close = [one for one in suitable if one.weight >= _CLOSE * best.weight]
    named = [one for one in close if one.named]
    if len(named) == 1:
        return Evidence((named[0].kind,))
    if len(close) > 1 or best.weight < _ENOUGH:
        return Evidence((), tuple(one.kind for one in close))
    return Evidence((best.kind,))


def _together(header: Sequence[str], whole: set[Kind]) -> tuple[Kind, ...]:
    """Orders and their lines, in one file whose rows are the lines; and their customers where it names these."""
    if not {Kind.ORDERS, Kind.ORDER_ITEMS} <= whole:
        return ()
    name = guess(DEFINITIONS[Kind.CUSTOMERS], header).get("name")
    named = isinstance(name, FromColumns) and plain(name.columns[0]) not in _VAGUE
    return (*([Kind.CUSTOMERS] if named and Kind.CUSTOMERS in whole else []), Kind.ORDERS, Kind.ORDER_ITEMS)


def _candidate(
    definition: Definition, header: Sequence[str], rows: Sequence[Sequence[str]], file_name: str
) -> _Candidate:
    mapping = guess(definition, header)
    lacking = [name for name in definition.required if name not in mapping and not _can_be_said(definition, name)]
    weight = sum(_weight(definition.field(name), header, rows, mapping) for name in mapping)
    words = (plain(definition.kind), plain(definition.title))
    return _Candidate(definition.kind, weight - len(lacking), not lacking, any(word in file_name for word in words))


def _can_be_said(definition: Definition, name: str) -> bool:
    """Products may be of every customer, or of one, which no column says."""
    return definition.kind is Kind.PRODUCTS and name == "customer_ref"


def _weight(field: Field, header: Sequence[str], rows: Sequence[Sequence[str]], mapping: Mapping) -> float:
    """How much the column that is taken for this field speaks for it."""
    origin = mapping[field.name]
    if not isinstance(origin, FromColumns):
        return 0
    column, *others = (column for joined in origin.alternatives for column in joined)
    place = list(header).index(column)
    cells = [text for row in rows if place < len(row) and (text := row[place].strip())]
    if cells and sum(_fits(field, cell) for cell in cells) * 2 < len(cells):
        return _AGAINST
    return _VAGUE_WEIGHT if plain(column) in _VAGUE and not others else 1.0


def _fits(field: Field, cell: str) -> bool:
    """Whether a cell looks like one of this field, however it is written."""
    if isinstance(field.type, Date):
        return _DATE_LIKE.search(cell) is not None
    if isinstance(field.type, (Integer, Scaled)):
        return _NUMBER_LIKE.fullmatch(cell) is not None
    return field.name != "email" or not address_fault(cell)
