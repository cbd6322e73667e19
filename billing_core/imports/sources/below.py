"""What is no row though it stands below the header: totals and footers. They are left out, and said.

Most batches hold rows alone, which is seen from whole columns at once.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Final

from billing_core.imports.sources.layout import Batch, Layout, Notes

# So many lines at the end of a file can be its footer.
MOST_FOOTER: Final = 20
# A total has one of these in it; whatever has none is not looked at more closely.
_PARTS: Final = ("total", "sum", "som", "gesamt", "ergebnis", "saldo")
_WORDS = (
    r"(?:grand|sub|running|net|overall)?[ -]?totals?|total g[ée]n[ée]ral|sous[ -]?total|totale"
    r"|(?:zwischen|gesamt)?summen?|gesamt(?:summe|ergebnis|betrag)?|ergebnis|sums?|somme|suma|saldo"
)
_TOTAL = re.compile(
    rf"(?:{_WORDS})(?: ?[:=(].*| [0-9].*| (?:for|of|per|by|für|von|pour|de|por)\b.*|\.)?", re.IGNORECASE | re.DOTALL
)
_SUBTOTAL = re.compile(r".+ (?:totals?|ergebnis|gesamt|summe)", re.IGNORECASE)
_FOOTER = re.compile(
    r"(?:(?:generated|created|printed|exported|downloaded|report|page|end of|copyright|©|\*|notes?:|source:"
    r"|confidential|erstellt|gedruckt|exportiert|seite|stand|quelle|hinweis|ende"
    r"|\(?[0-9][0-9.,]* (?:rows?|records?|lines?|entries|zeilen|datens))(?:\b|\W).*"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day,? .*|.*\b[0-9]{1,2}:[0-9]{2}\b.*"
    r"|.*\b[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_TOTAL_WHY, _FOOTER_WHY = "looks like a total", "looks like a footer"
_LIKE_TOTAL_WHY = "begins like a total, and is filled as the other rows are"


def rows_of(
    records: Iterator[Batch], layout: Layout, notes: Notes, again: Callable[[], Iterator[Batch]]
) -> Iterator[Batch]:
    """The records that are rows. ``again`` reads them from the beginning; it is asked where a total is to be proven."""
    width = len(layout.header)
    if width < 2:
        yield from map(_filled_ones, records)
        return
    tell = _Teller(layout, notes, again)
    others = [place for place in layout.filled if place]
    inner = itemgetter(others[0]) if others else None
    for batch in records:
        if not tell.pending and not _is_odd(batch.rows, width, inner) and not _within(tell.said, batch.lines):
            tell.blank_before = False
            yield batch
        else:
            yield tell.rows_of(batch)
        tell.sums.add(batch)
    yield tell.rest()


_first: Final = itemgetter(0)


def _is_odd(rows: list[list[str]], width: int, inner: Callable[[list[str]], str] | None) -> bool:
    """Whether one of the rows may be blank, a total or a footer."""
    if set(map(len, rows)) != {width} or (inner is not None and not all(map(inner, rows))):
        return True
    firsts = list(map(_first, rows))
    beginnings = "\n".join(firsts if all(firsts) else map(first_filled, rows)).lower()
    return any(part in beginnings for part in _PARTS)


def _within(said: set[int], lines: Sequence[int]) -> bool:
    return bool(said and lines and any(lines[0] <= line <= lines[-1] for line in said))


def _filled_ones(batch: Batch) -> Batch:
    """Without blank lines."""
    if all(batch.rows):
        return batch
    filled = [(line, row) for line, row in zip(batch.lines, batch.rows, strict=True) if row]
    return Batch([line for line, _ in filled], [row for _, row in filled])


def looks_like_total(text: str) -> bool:
    """Whether the first filled cell of a row says that the row is a total."""
    return _TOTAL.fullmatch(text) is not None


def first_filled(row: Sequence[str]) -> str:
    return next((cell for cell in row if cell and not cell.isspace()), "")


class _Teller:
    """Tells rows from others, line by line. ``pending`` lines are a footer if no row comes after them."""

    def __init__(self, layout: Layout, notes: Notes, again: Callable[[], Iterator[Batch]]) -> None:
        self._layout, self._notes = layout, notes
        self.sums = _Sums(again, len(layout.header))
        self._kept, self._dropped = set(layout.chosen.kept), set(layout.chosen.dropped)
        self.said = self._kept | self._dropped
        self.pending: list[tuple[int, list[str]]] = []
        self.blank_before = False

    def rows_of(self, batch: Batch) -> Batch:
        lines: list[int] = []
        rows: list[list[str]] = []
        for line, row in zip(batch.lines, batch.rows, strict=True):
            text = first_filled(row).strip()
            if not text:
                self.blank_before = True
            elif line in self._dropped:
                self._notes.odd(line, text, "was left out because you said so")
            elif line not in self._kept and self._is_total(line, row, text, batch):
                self._notes.odd(line, text, _TOTAL_WHY)
            elif line not in self._kept and len(self.pending) < MOST_FOOTER and self._may_be_footer(row, text):
                self.pending.append((line, row))
            else:
                for held_line, held in [*self.pending, (line, row)]:
                    lines.append(held_line)
                    rows.append(held)
                self.pending, self.blank_before = [], False
        return Batch(lines, rows)

    def rest(self) -> Batch:
        """At the end of the file: what was pending is its footer."""
        for line, row in self.pending:
            self._notes.odd(line, first_filled(row).strip(), _FOOTER_WHY)
        self.pending = []
        return Batch([], [])

    def _lacking(self, row: Sequence[str]) -> int:
        """How many cells are blank that other rows fill."""
        return sum(place >= len(row) or not row[place].strip() for place in self._layout.filled)

    def _is_total(self, line: int, row: list[str], text: str, batch: Batch) -> bool:
        if not looks_like_total(text):
            return _SUBTOTAL.fullmatch(text) is not None and self._lacking(row) * 2 >= len(self._layout.filled) > 1
        if self._lacking(row) or self.sums.are(row, line, batch):
            return True
        self._notes.odd(line, text, _LIKE_TOTAL_WHY, taken=True)
        return False

    def _may_be_footer(self, row: Sequence[str], text: str) -> bool:
        """A lonely text in the first column, which is no key that was cut off."""
        filled = sum(1 for cell in row if cell.strip())
        if filled > 2 or not row[0].strip() or not self._lacking(row):
            return False
        lonely = filled == 1 and (self.blank_before or bool(self.pending)) and " " in text
        return lonely or _FOOTER.fullmatch(text) is not None


class _Sums:
    """Of the numbers above a row. What comes after the first row that is asked about is added as it is read: a list of
    goods that are called *Total* would otherwise be read from its beginning for each of them.
    """

    def __init__(self, again: Callable[[], Iterator[Batch]], width: int) -> None:
        self._again, self._width = again, width
        self._sums: dict[int, Decimal] = {}
        self._next = 0

    def are(self, row: Sequence[str], line: int, batch: Batch) -> bool:
        """Each number of the row is the sum of those above it; there is one at least. The row is one of the batch."""
        numbers = {place: number for place, cell in enumerate(row) if (number := _number(cell)) is not None}
        if not numbers or max(numbers) >= self._width:
            return False
        if not numbers.keys() <= self._sums.keys():
            self._begin(numbers, line)
        self.add(batch, before=line)
        return all(self._sums[place] == number for place, number in numbers.items())

    def add(self, batch: Batch, *, before: int | None = None) -> None:
        """The rows of the batch, or those above that line."""
        if not self._sums:
            return
        start = bisect_left(batch.lines, self._next)
        end = len(batch.lines) if before is None else bisect_left(batch.lines, before)
        if start >= end:
            return
        rows, self._next = batch.rows[start:end], batch.lines[end - 1] + 1
        for place in self._sums:
            numbers = (_number(row[place]) for row in rows if place < len(row))
            self._sums[place] += sum((number for number in numbers if number is not None), Decimal(0))

    def _begin(self, places: Iterable[int], line: int) -> None:
        """From the first row on: of these columns and, if others were asked about before, of all there are."""
        wanted = {*places, *range(self._width)} if self._sums else set(places)
        self._sums, self._next = dict.fromkeys(wanted, Decimal(0)), 0
        for batch in self._again():
            self.add(batch, before=line)
            if batch.lines and batch.lines[-1] >= line:
                break


_NUMERIC = re.compile(r"(?:[^\w\s-]|[A-Z]{3})? ?([-−]?[0-9][0-9.,'’\u00a0\u202f ]*) ?(?:[^\w\s]|[A-Z]{3})?")
_DECIMALS = re.compile(r"(.*)[.,]([0-9]{1,2}|[0-9]{4,})")


def _number(cell: str) -> Decimal | None:
    """As evidence alone. A point or comma is the decimal one where other than three digits follow it."""
    match = _NUMERIC.fullmatch(cell.strip())
    if match is None or len(cell) > 40:
        return None
    written = match[1].strip()
    parts = _DECIMALS.fullmatch(written)
    whole, decimals = (parts[1], parts[2]) if parts else (written, "0")
    digits = "".join(character for character in whole if character in "0123456789")
    return Decimal(f"{'-' if written[0] in '-−' else ''}{digits or '0'}.{decimals}")
