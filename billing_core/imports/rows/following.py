"""Rows that follow up on the one above: the lines of an order, below the row that says what all of them share."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import BinaryIO

from billing_core.imports import sources


@dataclass(frozen=True, slots=True)
class Following:
    """A row whose cell of the column ``key`` is that of the row above follows up on the first row that had it, with
    ``blanks`` also one whose cell there is blank. Its blank cells of the columns ``inherited`` are those of that row.
    ``each``: every row is one of ours that has a cell in one of the columns ``own``; otherwise one that adds nothing to
    the first is none.
    """

    key: str
    inherited: tuple[str, ...]
    each: bool
    own: tuple[str, ...] = ()
    blanks: bool = True


def first_rows(stream: BinaryIO, layout: sources.Layout, count: int) -> list[list[str]]:
    """The first rows of a file as they are, at most so many."""
    return next((batch.rows for batch in sources.batches(stream, layout, size=count) if batch.rows), [])


def followed(
    batches: Iterable[sources.Batch], layout: sources.Layout, following: Following | None
) -> Iterable[sources.Batch]:
    """The rows that are ours, with what they inherit."""
    if following is None:
        return batches
    return _each(batches, layout, following) if following.each else _firsts(batches, layout, following)


def _each(batches: Iterable[sources.Batch], layout: sources.Layout, following: Following) -> Iterator[sources.Batch]:
    width, key = len(layout.header), layout.header.index(following.key)
    inherited, own = _places(layout, following.inherited), _picker(_places(layout, following.own))
    first: list[str] = [""] * width
    for batch in batches:
        lines, rows = [], []
        for line, row in zip(batch.lines, batch.rows, strict=True):
            ours = row
            if len(row) == width:
                if row[key] != first[key] and not _blank(row[key]):
                    first = row
                elif following.blanks:
                    ours = _filled(row, first, inherited)
                if all(map(_blank, own(ours))):
                    continue
            lines.append(line)
            rows.append(ours)
        yield sources.Batch(lines, rows)


def _firsts(batches: Iterable[sources.Batch], layout: sources.Layout, following: Following) -> Iterator[sources.Batch]:
    width, key = len(layout.header), layout.header.index(following.key)
    inherited = _places(layout, following.inherited)
    cells = _picker(inherited)
    first: list[str] = [""] * width
    shared = cells(first)
    for batch in batches:
        lines, rows = [], []
        for line, row in zip(batch.lines, batch.rows, strict=True):
            ours = row
            if len(row) == width:
                blank = _blank(row[key])
                if row[key] != first[key] and not blank:
                    first, shared = row, cells(row)
                elif first[key] and (following.blanks or not blank):
                    if not _adds(cells(row), shared):
                        continue
                    ours = _filled(row, first, inherited)
            lines.append(line)
            rows.append(ours)
        yield sources.Batch(lines, rows)


def _adds(cells: Sequence[str], shared: Sequence[str]) -> bool:
    """Whether one of the cells is filled and other than what the first row has."""
    if cells == shared or not any(cells):
        return False
    for cell, first in zip(cells, shared, strict=True):
        if cell and cell != first and not cell.isspace():
            return True
    return False


def _blank(cell: str) -> bool:
    return not cell or cell.isspace()


def _filled(row: list[str], first: Sequence[str], places: Sequence[int]) -> list[str]:
    """The row, whose blank cells in these places are those of the first."""
    blank = [place for place in places if _blank(row[place])]
    if not blank:
        return row
    filled = list(row)
    for place in blank:
        filled[place] = first[place]
    return filled


def _places(layout: sources.Layout, columns: Sequence[str]) -> list[int]:
    return [layout.header.index(column) for column in columns]


def _picker(places: Sequence[int]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    if len(places) == 1:
        (place,) = places
        return lambda row: (row[place],)
    return itemgetter(*places)
