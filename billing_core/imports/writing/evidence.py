"""Which ways of writing fit the cells of one column."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A cell that means different things in different ways of writing."""

    cell: str
    meanings: Mapping[str, str]


class Evidence:
    """Gathers from each distinct cell of a column which of several ``ways`` of writing it fits, most likely way first.

    ``chosen``: the way that counts, whatever the cells say. ``usual``: the way that needs no question where it fits.
    """

    def __init__(self, ways: Sequence[str], *, chosen: str | None = None, usual: str | None = None) -> None:
        self.ways = tuple(ways)
        self.chosen = chosen
        self._usual = usual
        self._misfits: Counter[str] = Counter()
        self._examples: dict[tuple[tuple[str, ...], ...], Example] = {}
        # Of each way something else, so that it tells any two of them apart: no further example is of use.
        self._finest = False
        self._trusted: set[str] = set()

    def read(self, cell: str, meanings: Mapping[str, str]) -> str | None:
        """What the cell means in the way that fits the column so far, of ``meanings`` in the ways that fit the cell.
        None: the chosen way does not fit it.
        """
        if self.chosen is not None:
            return meanings.get(self.chosen)
        if len(meanings) < len(self.ways):
            self._misfits.update(way for way in self.ways if way not in meanings)
        way = next((way for way in self.ways if way in meanings and way not in self._misfits), None)
        if way is None:
            way = next(iter(meanings))
        different = len(set(meanings.values()))
        if different > 1:
            self._trusted.add(way)
            if not self._finest:
                self._examples.setdefault(_differing(meanings), Example(cell, meanings))
                self._finest = different == len(self.ways)
        return meanings[way]

    @property
    def fitting(self) -> list[str]:
        """The ways that fit every cell."""
        return [way for way in self.ways if way not in self._misfits]

    @property
    def misread(self) -> bool:
        """Whether a cell of several meanings was read before another one proved that it means something else."""
        return bool(self.fitting) and not self._trusted.issubset(self.fitting)

    @property
    def doubtful(self) -> Example | None:
        """A cell of which nobody can tell what it means."""
        fitting = self.fitting or self.ways
        if self._usual in self.fitting:
            return None
        for example in self._examples.values():
            left = {way: meaning for way, meaning in example.meanings.items() if way in fitting}
            if len(set(left.values())) > 1:
                return Example(example.cell, left)
        return None

    @property
    def at_odds(self) -> bool:
        """Whether no way fits all cells, though each cell by itself has one meaning."""
        return self.chosen is None and not self.fitting and self.doubtful is None

    def again(self) -> None:
        """Begin anew with what is known: the ways that fit; where none does, the one that fits most cells."""
        fitting = self.fitting
        if not fitting:
            self.chosen = min(self.ways, key=self._misfits.__getitem__)
        self.ways = (*fitting, *(way for way in self.ways if way not in fitting))
        self._misfits.clear()
        self._examples.clear()
        self._finest = False
        self._trusted.clear()


def because(said: str | None) -> str:
    """Why a cell must be written so: somebody has said it, for this file or one of its layout before, or most are."""
    return "as its column has" if said is None else "as was said of its column"


def _differing(meanings: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """The ways by what they make of a cell: one example of each such division is enough."""
    groups: dict[str, list[str]] = {}
    for way, meaning in meanings.items():
        groups.setdefault(meaning, []).append(way)
    return tuple(tuple(group) for group in groups.values())
