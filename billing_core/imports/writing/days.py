"""Days and instants of one column: day or month first, day numbers of spreadsheets, and whose day counts."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from billing_core.imports.cells import Unreadable
from billing_core.imports.writing.damage import unwrapped
from billing_core.imports.writing.evidence import Evidence, because
from billing_core.imports.writing.moments import (
    DAY_FIRST,
    LAST_OF_2000S,
    MONTH_FIRST,
    NO_DATE,
    ORDERS,
    SHARED_ZONES,
    YEAR_FIRST,
    Moment,
    at,
    moment,
)
from billing_core.imports.writing.questions import Question, question

HERE: Final = "here"
THERE: Final = "there"
SERIAL: Final = "serial"
SERIAL_1904: Final = "serial-1904"
ORDER_READINGS: Final = {DAY_FIRST: "day first", MONTH_FIRST: "month first", YEAR_FIRST: "year first"}
WHOSE_READINGS: Final = {HERE: "our day", THERE: "the day where it was written"}
ZONE_READINGS: Final = tuple(
    {reading: f"{name.upper()} of {reading.partition('-')[2].capitalize()}" for reading in zones}
    for name, zones in SHARED_ZONES.items()
)
SERIAL_READINGS: Final = {SERIAL: "days since 1900, as spreadsheets count", SERIAL_1904: "days since 1904"}

# Read quickly: its day is the one that it begins with.
_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?)?"
)
_ISO_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].*(?<![A-Za-z]{2})", re.DOTALL)
_SERIAL: Final = re.compile(r"(?P<days>[2-7][0-9]{4})(?:\.[0-9]+)?")
_SERIALS_FROM: Final = {SERIAL: date(1899, 12, 30), SERIAL_1904: date(1904, 1, 1)}


class _Dated:
    """What columns of days and of instants have in common."""

    priced = False

    def __init__(self, readings: Sequence[str]) -> None:
        self._order = next((reading for reading in readings if reading in ORDER_READINGS), None)
        # Of each sign between day, month and year, as two programs may have written the file.
        self._orders: dict[str, Evidence] = {}
        self._readings = readings
        # Of each name of a zone that several share.
        self._zones: dict[tuple[str, ...], Evidence] = {}
        self._short_year = ""

    @property
    def misread(self) -> bool:
        return any(evidence.misread for evidence in self._evidences())

    @property
    def at_odds(self) -> bool:
        return any(evidence.at_odds for evidence in self._evidences())

    def again(self) -> None:
        for evidence in self._evidences():
            evidence.again()
        self._short_year = ""

    def notes(self, column: str) -> list[str]:
        if not self._short_year:
            return []
        last = 2000 + LAST_OF_2000S
        return [f"“{column}” has years of two digits: they lie from {last - 99} to {last}, such as {self._short_year}"]

    def questions(self, field: str, column: str) -> list[Question]:
        orders = (evidence.doubtful for evidence in self._orders.values())
        asked = [question(field, column, example, ORDER_READINGS) for example in orders if example][:1]
        zones = {reading: words for family in ZONE_READINGS for reading, words in family.items()}
        shared = (evidence.doubtful for evidence in self._zones.values())
        return [*asked, *(question(field, column, example, zones) for example in shared if example)]

    def _evidences(self) -> list[Evidence]:
        return [*self._orders.values(), *self._zones.values()]

    def _zoned(self, cell: str, found: Moment, meaning: Callable[[timedelta], str]) -> str:
        """What the cell means with its offset; of a name that several zones share, with the one that was said."""
        meanings = {reading: meaning(offset) for reading, offset in found.offsets.items()}
        first, *others = meanings.values()
        if all(other == first for other in others):
            return first
        ways = tuple(meanings)
        if ways not in self._zones:
            said = next((reading for reading in self._readings if reading in meanings), None)
            self._zones[ways] = Evidence(ways, chosen=said)
        return self._zones[ways].read(cell, meanings) or first

    def _day_of(self, cell: str, found: Moment) -> date:
        if found.gap:
            if found.gap not in self._orders:
                usual = DAY_FIRST if found.gap == "." else None
                self._orders[found.gap] = Evidence(ORDERS, chosen=self._order, usual=usual)
            meanings = {order: day.isoformat() for order, day in found.days.items()}
            evidence = self._orders[found.gap]
            meaning = evidence.read(cell, meanings)
            if meaning is None:
                order = ORDER_READINGS[evidence.chosen or DAY_FIRST]
                raise Unreadable(f"is not a day of the calendar with the {order}, {because(self._order)}")
            day = date.fromisoformat(meaning)
        else:
            (day,) = found.days.values()
        if found.short and not self._short_year:
            self._short_year = f"{cell}, which is {day.isoformat()}"
        return day


class Days(_Dated):
    """The days of one column. Reads each as ``2025-03-31``: a time of day is dropped, or turned into a day where it
    names its own offset, in the business's ``zone`` or in that offset.
    """

    def __init__(self, readings: Sequence[str], zone: str) -> None:
        super().__init__(readings)
        self._zone = zone
        whose = next((reading for reading in readings if reading in WHOSE_READINGS), None)
        serial = next((reading for reading in readings if reading in SERIAL_READINGS), None)
        self._whose = Evidence((HERE, THERE), chosen=whose)
        self._serials = Evidence((SERIAL, SERIAL_1904), chosen=serial)
        self._numbers = self._others = False
        self._mixed = False

    def read(self, cell: str) -> str:
        """The day in ISO form; Unreadable where it is none, or not one as its column has them."""
        text = unwrapped(cell.strip(), code=True)
        if not text:
            return text
        if match := _SERIAL.fullmatch(text):
            return self._from_number(text, int(match["days"]))
        if _ISO.fullmatch(text):
            self._others = True
            return text[:10]
        found = moment(text)
        self._others = True
        day = self._day_of(text, found)
        clock = found.time
        if clock is None or not found.offsets or self._whose.chosen == THERE:
            return day.isoformat()

        def our_day(offset: timedelta) -> str:
            return at(day, clock, offset).astimezone(ZoneInfo(self._zone)).date().isoformat()

        meanings = {HERE: self._zoned(text, found, our_day), THERE: day.isoformat()}
        return self._whose.read(text, meanings) or day.isoformat()

    @property
    def at_odds(self) -> bool:
        mixed = self._numbers and self._others and not self._mixed and self._serials.chosen is None
        return mixed or super().at_odds

    def again(self) -> None:
        self._mixed = self._mixed or (self._numbers and self._others)
        self._numbers = self._others = False
        super().again()

    def questions(self, field: str, column: str) -> list[Question]:
        asked = super().questions(field, column)
        if example := self._whose.doubtful:
            asked.append(question(field, column, example, WHOSE_READINGS | {HERE: f"our day, in {self._zone}"}))
        if example := self._serials.doubtful:
            asked.append(question(field, column, example, SERIAL_READINGS))
        return asked

    def _evidences(self) -> list[Evidence]:
        return [*super()._evidences(), self._whose, self._serials]

    def _from_number(self, text: str, days: int) -> str:
        """Only where all cells are such numbers, and never without a question."""
        if self._mixed:
            raise Unreadable(NO_DATE)
        self._numbers = True
        meanings = {way: (start + timedelta(days=days)).isoformat() for way, start in _SERIALS_FROM.items()}
        return self._serials.read(text, meanings) or meanings[SERIAL]


class Moments(_Dated):
    """Days, or times of days, of one column, that are merely compared with each other. Reads each as a text that sorts;
    what is none, which a row need not have, as blank. Without an offset it is a time in the business's ``zone``.
    """

    def __init__(self, readings: Sequence[str], zone: str) -> None:
        super().__init__(readings)
        self._zone = zone

    def read(self, cell: str) -> str:
        text = unwrapped(cell.strip(), code=True)
        try:
            found = moment(text)
            day, clock = self._day_of(text, found), found.time or time()
            if found.offsets:
                return self._zoned(text, found, lambda offset: _sortable(at(day, clock, offset)))
        except Unreadable:
            return ""
        return _sortable(datetime.combine(day, clock, ZoneInfo(self._zone)))


def _sortable(instant: datetime) -> str:
    """The first and the last day of the calendar have no other zone."""
    try:
        return instant.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError:
        return instant.replace(tzinfo=UTC).isoformat(timespec="microseconds")


class Instants(_Dated):
    """The instants of one column, in UTC where they name no offset. Reads each as ``cells.instant`` takes it."""

    def read(self, cell: str) -> str:
        """The instant in ISO form; what has it already is left as it is. Unreadable where it is none."""
        text = unwrapped(cell.strip(), code=True)
        if not text or _ISO_INSTANT.fullmatch(text):
            return text
        found = moment(text)
        day = self._day_of(text, found)
        if found.time is None:
            raise Unreadable("must be a time such as 2024-02-15T10:00:00Z")
        clock = found.time
        if not found.offsets:
            return f"{day.isoformat()}T{clock.isoformat()}"
        return self._zoned(text, found, lambda offset: at(day, clock, offset).isoformat())
