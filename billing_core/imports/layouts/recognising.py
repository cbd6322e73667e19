"""What a file holds, and where: by a known layout, otherwise by evidence."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import BinaryIO, Final

from sqlalchemy.orm import Session

from billing_core.imports import Kind, Repeats, sources
from billing_core.imports.kind import Definition
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.layouts import evidence
from billing_core.imports.layouts.reading import FieldOrigin, KnownLayout, KnownPart, known_layouts
from billing_core.imports.mapping import Fixed, FromColumns, Mapping, Origin, Together, guess, plain, remembered
from billing_core.imports.rows.following import Following, first_rows

# In one file with orders, these are one row for all rows of an order.
_SHARED: Final = (Kind.CUSTOMERS, Kind.ORDERS)
# By which it is found out whether rows follow up on the one above.
SAMPLED_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class Found:
    """What a file holds. ``source``: whose export it is, where that is known. ``question``: what a person must say
    where ``kinds`` is empty.
    """

    kinds: tuple[Kind, ...]
    source: str = ""
    question: str = ""


def found(header: Sequence[str], rows: Sequence[Sequence[str]], file_name: str) -> Found:
    """By the columns of a file and its first rows."""
    if (layout := known(header)) is not None:
        return Found(tuple(part.kind for part in layout.parts), f"{layout.source}: {layout.title}")
    weighed = evidence.weigh(header, rows, file_name)
    return Found(weighed.kinds, question=weighed.question)


def known(header: Sequence[str]) -> KnownLayout | None:
    """The layout of a file with these columns: of several, the one that requires most of them."""
    names = {plain(column) for column in header}
    fitting = [
        layout
        for layout in known_layouts()
        if all(plain(column) in names for column in layout.requires)
        and not any(plain(column) in names for column in layout.forbids)
    ]
    return max(fitting, key=lambda layout: len(layout.requires), default=None)


def missing_columns(header: Sequence[str], layout: KnownLayout) -> list[str]:
    """Those by which the layout would be known."""
    names = {plain(column) for column in header}
    return [column for column in layout.requires if plain(column) not in names]


def known_part(header: Sequence[str], kind: Kind) -> KnownPart | None:
    layout = known(header)
    return None if layout is None else next((part for part in layout.parts if part.kind is kind), None)


def start(header: Sequence[str], kind: Kind) -> Mapping | None:
    """The mapping of a known layout, as far as the file has its columns; None where it is not known."""
    part = known_part(header, kind)
    if part is None:
        return None
    origins = {name: _origin(origin, header) for name, origin in part.fields.items()}
    return Mapping({name: origin for name, origin in origins.items() if origin is not None})


def _origin(origin: FieldOrigin, header: Sequence[str]) -> Origin | None:
    """As far as the file has the columns."""
    if origin.fixed is not None:
        return Fixed(origin.fixed)
    if origin.joined or origin.either:
        columns = _here(header, origin.columns)[: 1 if origin.either else None]
        return FromColumns(columns, Together.JOINED, words=origin.words) if columns else None
    if not any(" + " in written for written in origin.columns):
        columns = _here(header, origin.columns)
        return FromColumns(columns, words=origin.words) if columns else None
    here = None
    for written in reversed(origin.columns):
        if columns := _here(header, written.split(" + ")):
            here = FromColumns(columns, Together.JOINED, or_else=here)
    return None if here is None else replace(here, words=origin.words)


def _here(header: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """Those of the columns that the file has, as it names them, each once. Punctuation does not matter, unless the
    layout has another column that differs by it: Odoo's “Customer/Reference” is no “Customer Reference”.
    """
    exactly = {column.casefold(): column for column in reversed(header)}
    others = _named_exactly(tuple(header))
    nearly = {plain(column): column for column in reversed(header) if column not in others}
    found = (exactly.get(column.casefold()) or nearly.get(plain(column)) for column in columns)
    return tuple(dict.fromkeys(column for column in found if column is not None))


@lru_cache(maxsize=64)
def _named_exactly(header: tuple[str, ...]) -> frozenset[str]:
    """The columns that the known layout of a file has under this very name."""
    layout = known(header)
    if layout is None:
        return frozenset()
    origins = (origin for part in layout.parts for origin in part.fields.values())
    names = {name.casefold() for origin in origins for written in origin.columns for name in written.split(" + ")}
    return frozenset(column for column in header if column.casefold() in names)


def start_for(session: Session, definition: Definition, layout: sources.Layout) -> tuple[Mapping, bool]:
    """The mapping to begin with, and whether it is guessed: the one last used for the layout, that of a known layout,
    or the guess.
    """
    if (before := remembered(session, definition, layout)) is not None:
        return before, False
    if (known_start := start(layout.header, definition.kind)) is not None:
        return known_start, False
    return guess(definition, layout.header), True


@dataclass(frozen=True, slots=True)
class Rules:
    """How the rows of a file are those of one kind. ``following``: which follow up on the one above. ``repeats``: which
    of several of one key counts, where the layout says so. ``only_new``: those that are there already stay as they are.
    """

    following: Following | None
    repeats: Repeats | None
    only_new: bool

    @property
    def shared(self) -> bool:
        """Several rows of the file are one of ours."""
        return self.following is not None and not self.following.each


def rules(
    stream: BinaryIO, layout: sources.Layout, kind: Kind, mapping: Mapping, kinds: Collection[Kind] = ()
) -> Rules:
    """By the layout where it is known, otherwise by the first rows of the file; ``kinds``: all that it is said to hold.
    Whoever is a customer already is never changed by a file of orders, whether it was recognised or said to be one.
    """
    rows = first_rows(stream, layout, SAMPLED_ROWS)
    follow = following(layout, kind, mapping, rows, kinds)
    of_orders = kind is Kind.CUSTOMERS and Kind.ORDERS in kinds
    if known(layout.header) is None:
        of_orders = of_orders or (kind is Kind.CUSTOMERS and _orders_with_lines(layout.header, rows))
        return Rules(follow, None, of_orders)
    part = known_part(layout.header, kind)
    return Rules(follow, repeats(layout.header, kind), of_orders if part is None else part.only_new)


def following(
    layout: sources.Layout,
    kind: Kind,
    mapping: Mapping,
    rows: Sequence[Sequence[str]],
    kinds: Collection[Kind] = (),
) -> Following | None:
    """Which rows of the file follow up on the one above, for this kind; ``rows`` are its first, ``kinds`` all that it
    is said to hold.
    """
    key, blanks = _followed(layout, rows, kinds)
    if key is None:
        return None
    shared = _shared(layout, key)
    if kind in _SHARED:
        inherited = tuple(dict.fromkeys((key, *_columns(mapping, mapping))))
        return Following(key, inherited, each=False, blanks=blanks, shared=shared)
    part = known_part(layout.header, kind)
    if part is None and kind is not Kind.ORDER_ITEMS:
        return None
    used = _columns(mapping, mapping)
    own = _here(layout.header, part.own) if part is not None and part.own else ()
    own = own or tuple(column for column in used if column not in _columns(mapping, ["order_number"]))
    # A line has an SKU and a quantity of its own: those of the first line are no one else's.
    inheriting = ["order_number"] if kind is Kind.ORDER_ITEMS else mapping
    inherited = tuple(column for column in _columns(mapping, inheriting) if column not in own)
    return Following(key, inherited, each=True, own=own, blanks=blanks, shared=shared)


def _shared(layout: sources.Layout, key: str) -> tuple[str, ...]:
    """The columns of whose an order is, and when: another value in one of them is another order."""
    of_orders = start(layout.header, Kind.ORDERS)
    if of_orders is None and known(layout.header) is None:
        of_orders = guess(DEFINITIONS[Kind.ORDERS], layout.header)
    columns = () if of_orders is None else _columns(of_orders, ["customer_ref", "order_date"])
    return tuple(column for column in columns if column != key)


def _followed(
    layout: sources.Layout, rows: Sequence[Sequence[str]], kinds: Collection[Kind]
) -> tuple[str | None, bool]:
    """The column by which rows follow up on the one above, and whether a blank cell says so too."""
    if (known_layout := known(layout.header)) is not None:
        follows = _here(layout.header, (known_layout.follows,) if known_layout.follows else ())
        return (follows[0] if follows else None), True
    if not (_with_lines(kinds) or _orders_with_lines(layout.header, rows)):
        return None, False
    # Of a file that was said to hold both, the order's number may have no name that tells what it is.
    key = next(iter(_columns(guess(DEFINITIONS[Kind.ORDER_ITEMS], layout.header), ["order_number"])), None)
    return (None, False) if key is None else (key, _blank_below(layout, rows, key))


def _orders_with_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    return _with_lines(evidence.weigh(header, rows, "").kinds)


def _with_lines(kinds: Collection[Kind]) -> bool:
    return {Kind.ORDERS, Kind.ORDER_ITEMS} <= set(kinds)


def _blank_below(layout: sources.Layout, rows: Sequence[Sequence[str]], key: str) -> bool:
    """Whether the first rows prove that the order's number is blank below its first line, as its other columns are."""
    header = layout.header
    shared = _columns(guess(DEFINITIONS[Kind.ORDERS], header), ["order_number", "order_date"])
    own = _columns(guess(DEFINITIONS[Kind.ORDER_ITEMS], header), ["sku", "quantity"])
    above = False
    for row in rows if shared and own else ():
        cells = {column: cell.strip() for column, cell in zip(header, row, strict=False)}
        if above and not any(cells.get(column) for column in shared) and all(cells.get(column) for column in own):
            return True
        above = above or bool(cells.get(key))
    return False


def _columns(mapping: Mapping, names: Iterable[str]) -> tuple[str, ...]:
    """Those in which these fields are, each once."""
    origins = (mapping.get(name) for name in names)
    columns = (origin.alternatives for origin in origins if isinstance(origin, FromColumns))
    return tuple(dict.fromkeys(column for alternatives in columns for joined in alternatives for column in joined))


def repeats(header: Sequence[str], kind: Kind) -> Repeats | None:
    """Which of several rows of one key counts, where the layout says so."""
    part = known_part(header, kind)
    return None if part is None else part.repeats
