"""How a file is read, and what is read of it."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

NO_HEADER: Final = 0
# How many of a file's lines are named that were left out, or that are rows though they do not look like one.
NAMED_LINES: Final = 200


class Form(enum.StrEnum):
    """TEXT: cells with separators. XLS: Excel's old workbooks, and its binary ones. GZIP and ZIP hold other files."""

    TEXT = "text"
    XLSX = "xlsx"
    XLS = "xls"
    ODS = "ods"
    GZIP = "gzip"
    ZIP = "zip"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person has said about how a file is read; None: it is found out. ``header_line`` counts from 1;
    NO_HEADER: no line names the columns. ``kept`` lines are rows though they look like totals or a footer, ``dropped``
    ones are none.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header_line: int | None = None
    sheet: str | None = None
    kept: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()


NOTHING_CHOSEN: Final = Chosen()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is read. ``header_line`` counts from 1; NO_HEADER: its columns have no names of their own, and the
    rows begin after line ``preamble``. ``quoted``: cells may stand in quotes. ``encoding`` and ``delimiter`` say
    nothing about a workbook, whose ``sheet`` is read, one of its ``sheets``.

    ``filled`` are the places, from 0, of the columns that every row of the beginning fills. ``doubts`` say what was
    guessed and should be looked at.
    """

    header: tuple[str, ...]
    delimiter: str = ","
    header_line: int = 1
    form: Form = Form.TEXT
    encoding: str = "utf-8-sig"
    quoted: bool = True
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    preamble: int = 0
    filled: tuple[int, ...] = ()
    doubts: tuple[str, ...] = ()
    chosen: Chosen = NOTHING_CHOSEN

    @property
    def first_line(self) -> int:
        """Rows stand on the lines after this one."""
        return max(self.header_line, self.preamble)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records and the physical line on which each begins."""

    lines: Sequence[int]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class OddLine:
    """A line that looks like none of the file's rows, and why. ``taken``: it was taken as a row all the same."""

    line: int
    text: str
    why: str
    taken: bool = False


@dataclass(slots=True)
class Notes:
    """What was noticed while the rows were read: the first odd lines and how many there are, and cells of a workbook
    that hold no value (``valueless``: how many, by what they hold; ``first_valueless``: where the first of each is).
    """

    odd_lines: list[OddLine] = field(default_factory=list)
    no_rows: int = 0
    valueless: dict[str, int] = field(default_factory=dict)
    first_valueless: dict[str, str] = field(default_factory=dict)

    def odd(self, line: int, text: str, why: str, *, taken: bool = False) -> None:
        """A row that was left out, or ``taken`` though it looks like none."""
        self.no_rows += not taken
        if len(self.odd_lines) < NAMED_LINES:
            self.odd_lines.append(OddLine(line, text[:120], why, taken))

    def no_value(self, what: str, place: str) -> None:
        """A cell of a workbook that holds ``what``, which is no value: it is blank."""
        self.valueless[what] = self.valueless.get(what, 0) + 1
        self.first_valueless.setdefault(what, place)

    def sentences(self) -> list[str]:
        """What is to be said of cells without a value."""
        return [
            f"Cells that hold {what} are blank: {count:,}, the first is {self.first_valueless[what]}."
            for what, count in self.valueless.items()
        ]
