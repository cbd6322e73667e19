"""The paper that reports are set on: fonts, colours, tables over pages, the line at the foot of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos

FONTS = Path(__file__).parent.parent / "fonts"
INK = (27, 37, 48)
MUTED = (92, 103, 114)
LINE = (214, 220, 226)
TINT = (243, 246, 249)
ACCENT = (15, 91, 181)
WARNING = (146, 64, 14)
_FAMILY = "DejaVu"
_MARGIN = 18
_ROW = 6.2
_PADDING = 1.2


@dataclass(frozen=True, slots=True)
class Column:
    """``width`` in millimetres; all of a table's together fill the 174 between the margins."""

    title: str
    width: float
    right: bool = False


class Paper(FPDF):
    """A4, measured in millimetres."""

    def __init__(self, foot: str, *, made_at: datetime) -> None:
        super().__init__(format="A4")
        self._foot = foot
        self._open_table: Sequence[Column] = ()
        # The same report gives the same bytes.
        self.set_creation_date(made_at)
        self.set_lang("en")
        self.set_margins(_MARGIN, 16, _MARGIN)
        self.set_auto_page_break(auto=True, margin=20)
        self.c_margin = 0
        self.add_font(_FAMILY, "", FONTS / "DejaVuSansCondensed.ttf")
        self.add_font(_FAMILY, "B", FONTS / "DejaVuSansCondensed-Bold.ttf")
        self.alias_nb_pages("{pages}")

    @property
    def right(self) -> float:
        return float(self.w - self.r_margin)

    def header(self) -> None:
        """A table that goes on shows its columns again."""
        if self._open_table:
            self._columns(self._open_table)

    def footer(self) -> None:
        self.set_y(-13)
        self._face(7.5, color=MUTED)
        # The number of pages is only known at the end: on the left it needs no measuring.
        self.cell(30, 4, f"Page {self.page_no()} of {{pages}}")
        room = self.epw - 30
        self.cell(room, 4, self._fitting(self._foot, room), align="R")

    # -- words ---------------------------------------------------------------------------------------------------

    def text_at(
        self, x: float, y: float, text: str, *, size: float, bold: bool = False, color: tuple[int, int, int] = INK
    ) -> None:
        self.set_xy(x, y)
        self._face(size, bold=bold, color=color)
        self.cell(0, size * 0.42, text)

    def text_right(
        self, x: float, y: float, text: str, *, size: float, bold: bool = False, color: tuple[int, int, int] = INK
    ) -> None:
        """The text ends at ``x``."""
        self._face(size, bold=bold, color=color)
        self.set_xy(x - self.get_string_width(text), y)
        self.cell(0, size * 0.42, text)

    def paragraph(self, x: float, y: float, width: float, text: str, *, size: float) -> float:
        """Text broken into lines of ``width``; returns where it ends."""
        self.set_xy(x, y)
        self._face(size)
        self.multi_cell(width, size * 0.5, text, align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)
        return float(self.get_y())

    def heading(self, text: str) -> None:
        # A heading stays with what follows it.
        if self.will_page_break(28):
            self.add_page()
        self.ln(3)
        self._face(12.5, bold=True)
        self.cell(0, 7, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1)

    def muted_line(self, text: str) -> None:
        self._face(8.5, color=MUTED)
        self.multi_cell(0, 4.6, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1.5)

    def bullet(self, text: str) -> None:
        self._face(8.5)
        self.cell(4, 4.8, "•")
        self.multi_cell(0, 4.8, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def note(self, text: str) -> None:
        self._face(8.5, bold=True, color=WARNING)
        self.multi_cell(0, 5, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)

    def rule(self, color: tuple[int, int, int], width: float) -> None:
        self.set_draw_color(*color)
        self.set_line_width(width)
        self.line(self.l_margin, self.get_y(), self.right, self.get_y())

    # -- tables --------------------------------------------------------------------------------------------------

    def table_header(self, columns: Sequence[Column]) -> None:
        """Begins a table; its header is repeated on every page until ``end_table``."""
        self._open_table = columns
        self._columns(columns)

    def row(self, columns: Sequence[Column], cells: Sequence[str]) -> float:
        """One line of cells, each cut to its column; returns the line's upper edge."""
        if self.will_page_break(_ROW):
            self.add_page()
        top = float(self.get_y())
        self._face(8.5)
        self._cells(columns, cells)
        self.rule(LINE, 0.1)
        return top

    def closing_row(self, columns: Sequence[Column], cells: Sequence[str]) -> None:
        """The sum below a table, in bold, which ends it."""
        self._face(9, bold=True)
        self._cells(columns, cells)
        self.end_table()

    def end_table(self) -> None:
        self._open_table = ()
        self.ln(4)

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
        self._face(8, bold=True, color=MUTED)
        self.set_fill_color(*TINT)
        self.rect(self.l_margin, self.get_y(), self.epw, _ROW, style="F")
        self._cells(columns, [column.title for column in columns])

    def _cells(self, columns: Sequence[Column], cells: Sequence[str]) -> None:
        size = self.font_size_pt
        for column, text in zip(columns, cells, strict=True):
            room = column.width - 2 * _PADDING
            self.set_x(self.get_x() + _PADDING)
            if column.right:
                # A number is set smaller where it is too long; cut, it would be another number.
                self.set_font_size(size * min(1, room / max(room, self.get_string_width(text))))
                self.cell(room, _ROW, text, align="R")
                self.set_font_size(size)
            else:
                self.cell(room, _ROW, self._fitting(text, room))
            self.set_x(self.get_x() + _PADDING)
        self.ln(_ROW)

    def _fitting(self, text: str, room: float) -> str:
        """The text on one line, cut with an ellipsis where it is longer than its room."""
        line = " ".join(text.split())
        if self.get_string_width(line) <= room:
            return line
        longest, too_long = 0, len(line)
        while too_long - longest > 1:
            middle = (longest + too_long) // 2
            if self.get_string_width(line[:middle].rstrip() + "…") <= room:
                longest = middle
            else:
                too_long = middle
        return line[:longest].rstrip() + "…"

    def _face(self, size: float, *, bold: bool = False, color: tuple[int, int, int] = INK) -> None:
        self.set_font(_FAMILY, "B" if bold else "", size)
        self.set_text_color(*color)
