"""Rows that follow up on the one above: the lines of an order, below the row that says what all of them share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import BinaryIO

from billing_core.imports import sources
from billing_core.imports.writing.damage import unwrapped


@dataclass(frozen=True, slots=True)
class Following:
    """A row whose cell of the column ``key`` is that of the row above follows up on the first row that had it, with
    ``blanks`` also one whose cell there is blank, unless it has another cell in one of the columns ``shared``: that is
    something else, whose key is missing. Its blank cells of the columns ``inherited`` are those of that row.
    ``each``: every row is one of ours that has a cell in one of the columns ``own``; otherwise one that adds nothing to
    the first is none.
    """

    key: str
    inherited: tuple[str, ...]
    each: bool
    own: tuple[str, ...] = ()
    blanks: bool = True
    shared: tuple[str, ...] = ()


def first_rows(stream: BinaryIO, layout: sources.Layout, count: int) -> list[list[str]]:
    """The first rows of a file as they are, at most so many."""
    return next((batch.rows for batch in sources.batches(stream, layout, size=count) if batch.rows), [])


def followed(
    batches: Iterable[sources.Batch], layout: sources.Layout, following: Following | None
) -> Iterable[sources.Batch]:
    """The rows that are ours, with what they inherit."""
    return batches if following is None else map(follower(layout, following), batches)


def follower(layout: sources.Layout, following: Following) -> Callable[[sources.Batch], sources.Batch]:
    """Makes of each batch of a file, one after the other from its beginning, those of its rows that are ours, with what
    they inherit.
    """
    return _Each(layout, following) if following.each else _Firsts(layout, following)


class _Each:
    """Each row is one of ours."""

    def __init__(self, layout: sources.Layout, following: Following) -> None:
        self._width, self._key = len(layout.header), layout.header.index(following.key)
        self._inherited, own = _places(layout, following.inherited), _places(layout, following.own)
        self._shared = _places(layout, following.shared)
        self._own_cells, self._always = _picker(own), [*self._inherited, own[0]]
        self._blanks = following.blanks
        self._first: list[str] = [""] * self._width

    def __call__(self, batch: sources.Batch) -> sources.Batch:
        key, first = self._key, self._first
        if _complete(batch, self._width, self._always):
            keys = [row[key] for row in batch.rows]
            if keys and keys[-1] != first[key]:
                self._first = batch.rows[keys.index(keys[-1])]
            return batch
        lines, rows = [], []
        for line, row in zip(batch.lines, batch.rows, strict=True):
            ours = row
            if len(row) == self._width:
                if _begins(row, first, key, self._shared):
                    first = row
                elif self._blanks:
                    ours = _filled(row, first, self._inherited)
                if all(map(_blank, self._own_cells(ours))):
                    continue
            lines.append(line)
            rows.append(ours)
        self._first = first
        return sources.Batch(lines, rows)


def _complete(batch: sources.Batch, width: int, places: Sequence[int]) -> bool:
    """Whether each row has a cell in all of these places: the usual case, which many rows prove at once."""
    if not set(map(len, batch.rows)) <= {width}:
        return False
    return all(all(map(str.strip, map(itemgetter(place), batch.rows))) for place in places)


class _Firsts:
    """A row that adds nothing to the first of its key is none of ours."""

    def __init__(self, layout: sources.Layout, following: Following) -> None:
        self._width, self._key = len(layout.header), layout.header.index(following.key)
        self._inherited, self._shared = _places(layout, following.inherited), _places(layout, following.shared)
        self._cells = _picker(self._inherited)
        self._blanks = following.blanks
        self._first: list[str] = [""] * self._width
        self._above: list[str] | None = None
        # The cells of the latest row that added nothing to the first: further ones are mostly alike.
        self._nothing_new: tuple[str, ...] | None = None

    def __call__(self, batch: sources.Batch) -> sources.Batch:
        key, cells, width, blanks = self._key, self._cells, self._width, self._blanks
        first, above, nothing_new = self._first, self._above, self._nothing_new
        lines, rows = [], []
        for line, row in zip(batch.lines, batch.rows, strict=True):
            ours = row
            if len(row) == width:
                named = row[key]
                again = not _blank(named) and _same_key(named, first[key])
                if not again and _begins(row, first, key, self._shared):
                    first, above, nothing_new = row, list(cells(row)), None
                elif above is not None and (again or blanks or not _blank(named)):
                    mine = cells(row)
                    if mine == nothing_new:
                        continue
                    if [cell or its for cell, its in zip(mine, above, strict=True)] == above:
                        nothing_new = mine
                        continue
                    ours = _filled(row, first, self._inherited)
                    if list(cells(ours)) == above:
                        continue
            lines.append(line)
            rows.append(ours)
        self._first, self._above, self._nothing_new = first, above, nothing_new
        return sources.Batch(lines, rows)


def _blank(cell: str) -> bool:
    return not cell or cell.isspace()


def _same_key(one: str, other: str) -> bool:
    """A spreadsheet may have put signs around one of them."""
    return one == other or unwrapped(one, code=True).strip() == unwrapped(other, code=True).strip()


def _begins(row: Sequence[str], first: Sequence[str], key: int, shared: Sequence[int]) -> bool:
    """Whether the row is no further one of the first: by its key, or, where that is missing, by another cell in one of
    the columns in which all rows of one key have the same.
    """
    if not _blank(row[key]):
        return not _same_key(row[key], first[key])
    return any(row[place] != first[place] and not _blank(row[place]) for place in shared)


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
