"""The way of writing of a column, by what its cells are."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from billing_core.imports.cells import Unreadable
from billing_core.imports.writing import Written, damage, days, numbers
from billing_core.imports.writing.questions import Question

# What can be said of a column, and what it means: one of each.
_OF_NUMBERS: Final = (numbers.READINGS,)
_OF_TEXTS: Final = (damage.READINGS,)
_OF_CODES: Final = (damage.CODE_READINGS,)
_READINGS: Final[dict[Written, tuple[Mapping[str, str], ...]]] = {
    Written.TEXT: _OF_TEXTS,
    Written.CODE: _OF_CODES,
    Written.POSTAL_CODE: _OF_CODES,
    Written.NUMBER: _OF_NUMBERS,
    Written.PERCENT: _OF_NUMBERS,
    Written.MONEY: _OF_NUMBERS,
    Written.DAY: (days.ORDER_READINGS, days.WHOSE_READINGS, days.SERIAL_READINGS, *days.ZONE_READINGS),
    Written.INSTANT: (days.ORDER_READINGS, *days.ZONE_READINGS),
    Written.MOMENT: (days.ORDER_READINGS, *days.ZONE_READINGS),
}


class Column(Protocol):
    """Reads the cells of one column, each to the one form that ``cells`` takes, and gathers how they are written.

    ``misread``: cells were read before later ones proved that they mean something else. ``at_odds``: no way of writing
    fits all cells. After either the column is read ``again``, with what is known now.
    """

    @property
    def priced(self) -> bool:
        """Whether a cell names a currency."""

    @property
    def misread(self) -> bool: ...

    @property
    def at_odds(self) -> bool: ...

    def read(self, cell: str) -> str:
        """Unreadable where the cell is nothing of the kind."""

    def again(self) -> None: ...

    def questions(self, field: str, column: str) -> list[Question]:
        """What only a person can say about it."""

    def notes(self, column: str) -> list[str]:
        """What people should know about how it was read."""


def known_readings(written: Written) -> dict[str, str]:
    """What can be said of such a column, and what that means."""
    return {reading: meaning for family in _READINGS.get(written, ()) for reading, meaning in family.items()}


def with_reading(written: Written, readings: Sequence[str], reading: str) -> tuple[str, ...]:
    """What was said of a column, and this: it takes the place of what it contradicts."""
    family = next(family for family in _READINGS[written] if reading in family)
    return (*(said for said in readings if said not in family), reading)


def column(written: Written, readings: Sequence[str], zone: str) -> Column | None:
    """None where every cell is read as it stands. ``zone`` is the business's."""
    if written is Written.AS_IT_STANDS:
        return None
    if damage.AS_WRITTEN in readings:
        return damage.AsWritten()
    exact = damage.EXACT in readings
    match written:
        case Written.TEXT | Written.CODE:
            return damage.Texts(code=written is Written.CODE, exact=exact)
        case Written.POSTAL_CODE:
            return damage.PostalCodes(exact=exact)
        case Written.DAY:
            return days.Days(readings, zone)
        case Written.INSTANT:
            return days.Instants(readings)
        case Written.MOMENT:
            return days.Moments(readings, zone)
        case _:
            return numbers.Numbers(written, readings)


def read_alone(written: Written, cell: str, zone: str) -> str:
    """A value that stands in no column, so that no other one proves what it means."""
    alone = column(written, (), zone)
    if alone is None:
        return cell
    read = alone.read(cell)
    for question in alone.questions("", ""):
        raise Unreadable(f"is ambiguous: {question.text.removeprefix(f'{cell.strip()}: ')}")
    return read
