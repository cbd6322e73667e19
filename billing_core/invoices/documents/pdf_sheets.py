"""The pages of a letter: what is on every page, and tables that continue across pages."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from billing_core.invoices.issuers import Issuer
from billing_core.languages.formats import Writing
from billing_core.pdf_layout.page import FAINT, INK, MUTED, TINT, Color, Paper
from billing_core.pdf_layout.paper_size import PaperSize
from billing_core.pdf_layout.shaping import begins_right_to_left, reads_right_to_left

# At both sides. Of Letter an inch, so that the address stays in the window however the sheet lies in its envelope.
_MARGIN: Final = {PaperSize.A4: 20.0, PaperSize.LETTER: 25.4}
# Millimetres from the upper edge of each page after the first, with a name of one line, and how much the next ones add.
_NEXT_PAGES_TOP = 24
_RUNNING_LINE = 3.6
# The height of the foot, and of its lines that have room in that; more make it higher.
_FOOT = 24
_FOOT_LINES = 9.6
_MOST_FOOT_LINES = 8
_ROW_PADDING = 1.7
_HEADER_HEIGHT = 7
# Blocks up to this height are kept on one page.
KEPT_TOGETHER: Final = 70

TEXT: Final = 9
LINE_HEIGHT: Final = 4.4


@dataclass(frozen=True, slots=True)
class Mark:
    """A word beside the title, such as "Paid"; ``across`` also writes it across every page."""

    text: str
    colors: tuple[Color, Color]
    across: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """``width`` in millimetres; the column without one takes the remaining width."""

    title: str
    width: float = 0
    right: bool = False


class Sheets(Paper):
    """A document to a customer. ``running`` names it at the top of each page after the first."""

    def __init__(self, writing: Writing, issuer: Issuer, *, running: str, mark: Mark | None, made_at: datetime) -> None:
        paper = issuer.paper
        super().__init__(made_at=made_at, size=paper, language=writing.language, margin=_MARGIN[paper])
        self.b_margin = _FOOT
        self.writing = writing
        self.issuer = issuer
        self._running = self.lines(running, self.epw, size=8)
        self._foot_size, self._foot = self._set_foot(issuer.footer)
        self.b_margin += max(0.0, len(self._foot) * self._foot_step - _FOOT_LINES)
        self._mark = mark
        self._columns: Sequence[Column] = ()
        self.set_author(issuer.name)
        self.start_page()

    def start_page(self) -> None:
        self.add_page()
        if self._mark and self._mark.across:
            self._write_across(self._mark.text)
        if self.page == 1:
            return
        for number, line in enumerate(self._running):
            self.put(self.l_margin, 13 + _RUNNING_LINE * number, line, size=8, color=MUTED)
        self.rule(y=self.continued_top - 6)
        self.set_y(self.continued_top)
        if self._columns:
            self._header()

    @property
    def continued_top(self) -> float:
        return _NEXT_PAGES_TOP + _RUNNING_LINE * (len(self._running) - 1)

    def finished(self) -> bytes:
        """The file, now that the number of pages is known."""
        words = self.writing.gettext("Page {page} of {pages}")
        self.number_pages(words, self.right, self._foot_top, size=7, align="R")
        return self.content()

    def footer(self) -> None:
        """Called by fpdf2 when a page is full."""
        self.rule(y=self._foot_top - 2)
        for number, line in enumerate(self._foot):
            self.put(self.l_margin, self._foot_top + self._foot_step * number, line, size=self._foot_size, color=MUTED)

    @property
    def _foot_top(self) -> float:
        return self.bottom + 7

    @property
    def _foot_step(self) -> float:
        return 3.2 * self._foot_size / 7

    def _set_foot(self, footer: str) -> tuple[float, list[str]]:
        """Its size and lines. Many short lines run on as one text, so that they leave room for what the page says."""
        size, width = 7.0, self.epw - 36
        lines = self.lines(footer, width, size=size)
        if len(lines) > _MOST_FOOT_LINES:
            size = 6.0
            lines = self.lines(" · ".join(line for line in lines if line), width, size=size)
        return size, lines

    def _write_across(self, text: str) -> None:
        size = min(110.0, 20_000 / max(1.0, self.width_of(text, size=110, bold=True)))
        with self.rotation(52, self.w / 2, self.h / 2):
            self.put(self.w / 2, self.h / 2 - size * 0.17, text, size=size, bold=True, color=FAINT, align="C")

    def rows(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """A table. The column without a width wraps its text; the others are on its first line.

        The header is repeated on every page.
        """
        wide = self.epw - sum(column.width for column in columns)
        broken = next(place for place, column in enumerate(columns) if not column.width)
        self.room_for(_HEADER_HEIGHT + 12)
        # Not before: a page that begins here would write the header too.
        self._columns = [Column(c.title, c.width or wide, c.right) for c in columns]
        self._header()
        for cells in rows:
            self._row(cells, broken)
        self._columns = ()

    def _header(self) -> None:
        top = self.get_y()
        self.set_fill_color(*TINT)
        self.rect(self.l_margin, top, self.epw, _HEADER_HEIGHT, style="F")
        for column, left in self._places():
            self._cell(column, left, top + 1.9, column.title, size=8, bold=True, color=MUTED)
        self.set_y(top + _HEADER_HEIGHT)

    def _row(self, cells: Sequence[str], broken: int) -> None:
        width = self._columns[broken].width
        lines = self._sided(cells[broken], width - 4)
        height = LINE_HEIGHT * len(lines) + 2 * _ROW_PADDING - 1
        self.room_for(height if height <= KEPT_TOGETHER else 4 * LINE_HEIGHT)
        self.set_y(self.get_y() + _ROW_PADDING)
        start = self.l_margin
        # In reading order, for screen readers too.
        for place, (column, left) in enumerate(self._places()):
            if place == broken:
                start = left
                self._line(*lines[0], left, width)
            else:
                self._cell(column, left, self.get_y(), cells[place], size=TEXT)
        for line in lines[1:]:
            self.set_y(self.get_y() + LINE_HEIGHT)
            if self.room_for(LINE_HEIGHT):
                self.set_y(self.get_y() + _ROW_PADDING)
            self._line(*line, start, width)
        self.set_y(self.get_y() + LINE_HEIGHT)
        self.set_y(self.get_y() + _ROW_PADDING - 1)
        self.rule()

    def _sided(self, text: str, width: float) -> list[tuple[str, bool]]:
        """Its lines, each with whether it is set from the right: as its paragraph's first letter reads. Figures alone
        stand where the text does.
        """
        whole = begins_right_to_left(text)
        whole = reads_right_to_left(text) if whole is None else whole
        lines: list[tuple[str, bool]] = []
        for paragraph in self.paragraphs(text):
            own = begins_right_to_left(paragraph)
            lines += [(line, whole if own is None else own) for line in self.lines(paragraph, width, size=TEXT)]
        return lines

    def _line(self, text: str, from_right: bool, left: float, width: float) -> None:
        if from_right:
            self.put(left + width - 2, self.get_y(), text, size=TEXT, align="R")
        else:
            self.put(left + 2, self.get_y(), text, size=TEXT)

    def _places(self) -> Iterator[tuple[Column, float]]:
        """Each column with its left edge."""
        left = self.l_margin
        for column in self._columns:
            yield column, left
            left += column.width

    def _cell(
        self, column: Column, left: float, top: float, text: str, *, size: float, bold: bool = False, color: Color = INK
    ) -> None:
        room = column.width - 4
        size = self.shrunk(text, room, size=size, bold=bold)
        if column.right:
            self.put(left + column.width - 2, top, text, size=size, bold=bold, color=color, align="R")
        else:
            self.put(left + 2, top, text, size=size, bold=bold, color=color)

    def column_for(self, title: str, texts: Iterable[str], *, most: float = 30, right: bool = True) -> Column:
        """A column just wide enough for its title and longest text; what is wider than ``most`` is set smaller."""
        # The longest figure is also the widest; of words, such as days, any may be.
        longest = [max(texts, key=len, default="")] if right else set(texts)
        widest = max((self.width_of(text, size=TEXT) for text in longest), default=0.0)
        needed = max(self.width_of(title, size=8, bold=True), widest)
        return Column(title, min(needed, most) + 4.5, right)
