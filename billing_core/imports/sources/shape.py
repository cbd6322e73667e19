"""Which line of a table names its columns. Pure; from the first rows that are not blank."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from billing_core.errors import Invalid
from billing_core.imports.sources.below import first_filled, looks_like_total
from billing_core.imports.sources.layout import NO_HEADER
from billing_core.imports.sources.limits import MOST_COLUMNS

SAMPLE_ROWS: Final = 60
# A title, a period and an address are a few lines; whoever has more says which line names the columns.
MOST_PREAMBLE: Final = 30
LONGEST_NAME: Final = 100

Row = tuple[int, list[str]]
_NUMBER = re.compile(r"[^\w\s]{0,2}\s*[0-9][0-9.,' ]*\s*[^\w\s]{0,2}")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Shape:
    """The names of the columns and the line they stand on, NO_HEADER where none does; the rows begin after line
    ``preamble``, or after the header. ``filled``: the places of the columns that all rows of the sample fill.
    """

    header: tuple[str, ...]
    header_line: int
    preamble: int
    filled: tuple[int, ...]
    doubts: tuple[str, ...]


def find(sample: Sequence[Row], chosen_line: int | None = None) -> Shape:
    """Invalid where no line of the sample could name columns. ``chosen_line`` was said by a person."""
    if not sample:
        raise Invalid("The file is empty: there is no line with the names of the columns.")
    doubts: list[str] = []
    if chosen_line is None:
        place = _place(sample)
        named = not _looks_like_data(sample, place)
        if not named:
            doubts.append("No line seems to name the columns: they are numbered.")
        elif place:
            doubts.append(f"The columns are named on line {sample[place][0]}; the lines before it are left out.")
    elif chosen_line == NO_HEADER:
        place, named = _place(sample), False
    else:
        place, named = _place_of_line(sample, chosen_line), True
    below = [row for _, row in sample[place + named :]]
    if named:
        header = names(sample[place][1])
        if repeated := _repeated(sample[place][1]):
            doubts.append(f"Several columns are called “{repeated}”: the later ones are numbered.")
    else:
        width = max(_extent(row) for row in (below or [sample[place][1]]))
        header = tuple(f"column {number}" for number in range(1, width + 1))
    line = sample[place][0]
    before = 0 if named or not place else sample[place - 1][0]
    return Shape(header, line if named else NO_HEADER, before, always_filled(below, len(header)), tuple(doubts))


def always_filled(rows: Sequence[Sequence[str]], width: int) -> tuple[int, ...]:
    """The places that all these rows fill, but for totals and those that fill less than half of what most do."""
    likely = [row for row in rows if not looks_like_total(first_filled(row).strip())]
    if not likely:
        return ()
    usual = Counter(map(_filled, likely)).most_common(1)[0][0]
    whole = [row for row in likely if _filled(row) * 2 > usual]
    return tuple(place for place in range(width) if all(len(row) > place and row[place].strip() for row in whole))


def names(row: Sequence[str]) -> tuple[str, ...]:
    """The header's names; one without a name is named by its position, a second one of the same name is numbered."""
    if len(row) > MOST_COLUMNS:
        raise Invalid(f"The file has {len(row):,} columns; at most {MOST_COLUMNS:,} are read.")
    taken: set[str] = set()
    latest: dict[str, int] = {}
    found = []
    for place, cell in enumerate(row, start=1):
        name = bare = " ".join(cell.split()) or f"column {place}"
        while name.casefold() in taken:
            latest[bare] = latest.get(bare, 1) + 1
            name = f"{bare} ({latest[bare]})"
        taken.add(name.casefold())
        found.append(name)
    return tuple(found)


def _repeated(row: Sequence[str]) -> str:
    counts = Counter(cell.strip().casefold() for cell in row if cell.strip())
    return next((cell.strip() for cell in row if counts[cell.strip().casefold()] > 1), "")


def _place(sample: Sequence[Row]) -> int:
    """The first row, unless a later one is as wide as what follows it, and looks like names, which the first does not
    do: then those before it are titles.
    """
    extents = [_extent(row) for _, row in sample]
    for place in range(1, min(len(sample) - 1, MOST_PREAMBLE)):
        width = extents[place]
        if width < 2 or extents[place + 1] != width or max(extents[:place]) >= width:
            continue
        lonely = all(_filled(row) == 1 for _, row in sample[:place])
        if _are_names(sample[place][1]) and not _looks_like_data(sample, place):
            if lonely or _tells_from_rows(sample, place):
                return place
        elif lonely:
            return place  # a title, and then rows without a header
        return 0
    return 0


def _place_of_line(sample: Sequence[Row], line: int) -> int:
    for place, (start, _) in enumerate(sample):
        if start == line:
            return place
    raise Invalid(f"Line {line:,} cannot name the columns: it is blank, within a row, or too far below.")


def _extent(row: Sequence[str]) -> int:
    return max((place for place, cell in enumerate(row, start=1) if cell.strip()), default=0)


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell.strip())


def _are_names(row: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in row if cell.strip()]
    return all(_is_name(cell) for cell in cells) and len({cell.casefold() for cell in cells}) * 5 >= len(cells) * 4


def _is_name(cell: str) -> bool:
    return len(cell) <= LONGEST_NAME and "@" not in cell and any(character.isalpha() for character in cell)


def _tells_from_rows(sample: Sequence[Row], place: int) -> bool:
    """A column's name has neither digits nor an @, and the cells below it do."""
    row, below = sample[place][1], [row for _, row in sample[place + 1 :]]
    return any(
        not _has_data(cell) and below_it and all(map(_has_data, below_it))
        for column, cell in enumerate(row)
        if cell.strip() and (below_it := _column(below, column)) is not None
    )


def _has_data(cell: str) -> bool:
    return "@" in cell or any(character.isdigit() for character in cell)


def _looks_like_data(sample: Sequence[Row], place: int) -> bool:
    """Cells of the row are numbers, codes or e-mail addresses like those below them, at least one in three."""
    row, below = sample[place][1], [row for _, row in sample[place + 1 :]]
    if not below:
        return False
    alike = sum(_is_alike(cell, _column(below, column)) for column, cell in enumerate(row) if cell.strip())
    return bool(alike) and alike * 3 >= _filled(row)


def _column(rows: Sequence[Sequence[str]], column: int) -> list[str]:
    return [row[column].strip() for row in rows if len(row) > column and row[column].strip()]


def _is_alike(cell: str, below: Sequence[str]) -> bool:
    cell = cell.strip()
    if not below or not _has_data(cell) or _YEAR.fullmatch(cell):
        return False
    form = _form(cell)
    return sum(form == _form(other) for other in below) * 2 > len(below)


def _form(cell: str) -> str:
    if "@" in cell:
        return "@"
    return "0" if _NUMBER.fullmatch(cell) else _DIGITS.sub("0", cell)
