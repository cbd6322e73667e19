"""The page layout of report PDFs: headings, tables across pages, and the footer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from billing_core.pdf_layout.page import ACCENT, INK, LINE, MUTED, TINT, WARNING, Color, Paper
from billing_core.pdf_layout.paper_size import PaperSize

# Between the margins, in millimetres, on paper of every size.
_WIDTH = 174
_ROW = 6.2
_NEXT_LINE = 4
_PADDING = 1.2
_FOOT = 20
_FOOT_LINE = 3.4
# Rows up to this height are kept on one page.
_KEPT_TOGETHER = 150


@dataclass(frozen=True, slots=True)
class Column:
    """``width`` in millimetres; all of a table's together fill the 174 between the margins."""

    title: str
    width: float
    right: bool = False


class ReportPaper(Paper):
    """``foot`` is the footer text that names the report."""

    def __init__(self, foot: str, *, made_at: datetime, size: PaperSize) -> None:
        super().__init__(made_at=made_at, size=size)
        margin = round((self.w - _WIDTH) / 2, 1)
        self.set_margins(margin, self.t_margin, margin)
        self._foot = self._foot_lines(foot)
        self.b_margin = _FOOT + _FOOT_LINE * (len(self._foot) - 1)
        self._open_table: Sequence[Column] = ()

    def room_for_feet(self, feet: Iterable[str]) -> None:
        """Leave room for the longest of these on every page: all pages are numbered at the same height."""
        most = max(len(self._foot_lines(foot)) for foot in feet)
        self.b_margin = max(self.b_margin, _FOOT + _FOOT_LINE * (most - 1))

    def begin(self, foot: str) -> None:
        """A further document of the same file, on a page of its own."""
        self.add_page()
        self._foot = self._foot_lines(foot)

    def header(self) -> None:
        """A table that continues repeats its column titles."""
        if self._open_table:
            self._columns(self._open_table)

    def footer(self) -> None:
        for number, line in enumerate(self._foot):
            self.put(self.right, self._foot_top + _FOOT_LINE * number, line, size=7.5, color=MUTED, align="R")

    def _foot_lines(self, foot: str) -> Sequence[str]:
        return self.lines(foot, self.epw - 30, size=7.5)

    @property
    def _foot_top(self) -> float:
        return self.bottom + 7

    def finished(self) -> bytes:
        """The file, now that the number of pages is known."""
        self.number_pages("Page {page} of {pages}", self.l_margin, self._foot_top, size=7.5)
        return self.content()

    def heading(self, text: str) -> None:
        # A heading stays with what follows it.
        self.room_for(28)
        self.put(self.l_margin, self.get_y() + 4.5, text, size=12.5, bold=True)
        self.set_y(self.get_y() + 11)

    def muted_line(self, text: str) -> None:
        self._text(text, color=MUTED, indent=0, gap=1.5)

    def bullet(self, text: str) -> None:
        self.room_for(4.8)
        self.put(self.l_margin, self.get_y(), "•", size=8.5)
        self._text(text, indent=4)

    def note(self, text: str) -> None:
        self._text(text, color=WARNING, bold=True, gap=2)

    def table_header(self, columns: Sequence[Column]) -> None:
        """Begins a table; its header is repeated on every page until ``end_table``."""
        self._open_table = columns
        self._columns(columns)

    def row(self, columns: Sequence[Column], cells: Sequence[str]) -> float:
        """A row whose words are wrapped to their columns; returns its upper edge."""
        wrapped = [
            [text] if column.right else self.lines(text, column.width - 2 * _PADDING, size=8.5)
            for column, text in zip(columns, cells, strict=True)
        ]
        first, *others = zip_longest(*wrapped, fillvalue="")
        self.room_for(min(_ROW + _NEXT_LINE * len(others), _KEPT_TOGETHER))
        top = float(self.get_y())
        self._cells(columns, first, size=8.5)
        for line in others:
            self.room_for(_NEXT_LINE)
            self.set_y(self.get_y() - _ROW + _NEXT_LINE)
            self._cells(columns, line, size=8.5)
        self.rule(LINE, 0.1)
        return top

    def closing_row(self, columns: Sequence[Column], cells: Sequence[str]) -> None:
        """The sum below a table, in bold, which ends it."""
        self._cells(columns, cells, size=9, bold=True)
        self.end_table()

    def end_table(self) -> None:
        self._open_table = ()
        self.set_y(self.get_y() + 4)

    def bar(self, columns: Sequence[Column], index: int, top: float, *, of: int, whole: int) -> None:
        """A bar in that column of the row at ``top``: how much ``of`` is of the ``whole``."""
        left = self.l_margin + sum(column.width for column in columns[:index]) + _PADDING
        width = columns[index].width - 2 * _PADDING
        self.set_fill_color(*TINT)
        self.rect(left, top + 2.1, width, 2, style="F")
        if whole and of:
            self.set_fill_color(*ACCENT)
            self.rect(left, top + 2.1, max(0.3, width * of / whole), 2, style="F")

    def _columns(self, columns: Sequence[Column]) -> None:
        self.set_fill_color(*TINT)
        self.rect(self.l_margin, self.get_y(), self.epw, _ROW, style="F")
        self._cells(columns, [column.title for column in columns], size=8, bold=True, color=MUTED)

    def _cells(
        self,
        columns: Sequence[Column],
        cells: Sequence[str],
        *,
        size: float,
        bold: bool = False,
        color: Color = INK,
    ) -> None:
        left, top = self.l_margin, self.get_y()
        for column, text in zip(columns, cells, strict=True):
            room = column.width - 2 * _PADDING
            fitting = self.shrunk(text, room, size=size, bold=bold)
            if column.right:
                right = left + column.width - _PADDING
                self.put(right, top + 1.6, text, size=fitting, bold=bold, color=color, align="R")
            else:
                self.put(left + _PADDING, top + 1.6, text, size=fitting, bold=bold, color=color)
            left += column.width
        self.set_y(top + _ROW)

    def _text(self, text: str, *, color: Color = INK, bold: bool = False, indent: float = 0, gap: float = 0) -> None:
        lines = self.lines(text, self.epw - indent, size=8.5, bold=bold)
        left = self.l_margin + indent
        self.go_to(self.stack(lines, self.here(), x=left, size=8.5, height=4.8, bold=bold, color=color).below(gap))
