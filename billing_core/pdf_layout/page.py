"""Pages: text placed line by line, in any script, and the footer of each page."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

from fpdf import FPDF
from fpdf.fonts import Glyph, TTFFont

from billing_core.pdf_layout import fonts
from billing_core.pdf_layout import text as pdf_layout_text
from billing_core.pdf_layout.fonts import BOLD, FAMILY, REGULAR, Face
from billing_core.pdf_layout.paper_size import PaperSize
from billing_core.pdf_layout.producer import Producer
from billing_core.pdf_layout.shaping import Run, shaped

Color = tuple[int, int, int]
Align = Literal["L", "R", "C"]
INK: Final = (27, 37, 48)
MUTED: Final = (92, 103, 114)
LINE: Final = (214, 220, 226)
TINT: Final = (243, 246, 249)
ACCENT: Final = (15, 91, 181)
WARNING: Final = (146, 64, 14)
FAINT: Final = (236, 239, 242)
_EMPTY_LINES = re.compile(r"\n\s*\n")
# From one line to the next, in millimetres for each point of the text's size.
LEADING: Final = 0.48
_BIG_ENDIAN = "feff"
# What a glyph is in the file for which another one stands: a space of no width.
_SAYS_NOTHING = (0x200B,)
# Of most texts that are wrapped, no character is narrower on average.
_NARROW = 250
# Thai and Lao vowels that are written before the consonant that they follow.
_BEFORE_THEIR_CONSONANT = "\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4"
# How thick the outlines of letters are drawn that their font has not in bold, for each point of size.
_STROKE = 0.03
# Points to millimetres, and the distance of a line's baseline from its upper edge.
_POINT = 25.4 / 72
_BASELINE = 0.8


class Place(NamedTuple):
    """Where something ends or begins, in reading order; ``top`` in millimetres from the page's upper edge."""

    page: int
    top: float

    def below(self, distance: float) -> "Place":
        return Place(self.page, self.top + distance)


class Paper(FPDF):
    """Measured in millimetres. The same document gives the same bytes: ``made_at`` is the document's own time."""

    def __init__(
        self,
        *,
        made_at: datetime,
        size: PaperSize = PaperSize.A4,
        language: str = "en",
        margin: float = 18,
        top: float = 16,
    ) -> None:
        super().__init__(format=size.value)
        self.set_creation_date(made_at)
        self.set_lang(language)
        self.set_margins(margin, top, margin)
        self.set_auto_page_break(auto=False, margin=20)
        self.c_margin = 0
        for face in (REGULAR, BOLD):
            self._font(face)

    @property
    def right(self) -> float:
        """The position of the right margin."""
        return float(self.w - self.r_margin)

    @property
    def bottom(self) -> float:
        """The position of the lower margin."""
        return float(self.h - self.b_margin)

    @property
    def continued_top(self) -> float:
        """Where text goes on that did not end on the page before."""
        return float(self.t_margin)

    def start_page(self) -> None:
        self.add_page()

    def here(self) -> Place:
        return Place(self.page, float(self.get_y()))

    def go_to(self, place: Place) -> None:
        """Go on there; all pages up to the last one are open until the file is made."""
        if place.page != self.page:
            self.page = place.page
            self.current_font_is_set_on_page = False
        self.set_y(place.top)

    def content(self) -> bytes:
        """The finished file."""
        return bytes(self.output(output_producer_class=Producer))

    def number_pages(
        self, words: str, x: float, y: float, *, size: float, color: Color = MUTED, align: Align = "L"
    ) -> None:
        """Write ``words`` with ``{page}`` and ``{pages}`` on every page, once all of them exist."""
        for page in range(1, self.pages_count + 1):
            self.go_to(Place(page, y))
            text = words.format(page=page, pages=self.pages_count)
            self.put(x, y, text, size=size, color=color, align=align)

    def put(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 9,
        bold: bool = False,
        color: Color = INK,
        align: Align = "L",
    ) -> None:
        """One line of text whose upper edge is ``y``; ``x`` is its left end, right end or middle, as ``align`` says."""
        if not text:
            return
        text = pdf_layout_text.legible(text)
        self.face(size, bold=bold, color=color)
        if align != "L":
            width = self.width_of(text, size=size, bold=bold)
            x -= width if align == "R" else width / 2
        baseline = y + size * _POINT * _BASELINE
        if pdf_layout_text.is_plain(text):
            self.text(x, baseline, text)
        else:
            self._put_shaped(x, baseline, shaped(text, bold=bold).runs, size, bold=bold)

    def width_of(self, text: str, *, size: float, bold: bool = False) -> float:
        """The width of a line of text, in millimetres."""
        if pdf_layout_text.is_plain(text):
            own = fonts.widths(BOLD if bold else REGULAR)
            taken = sum(map(own.__getitem__, map(ord, text)))
        else:
            taken = shaped(pdf_layout_text.legible(text), bold=bold).width
        return taken * size * _POINT / 1000

    def lines(self, text: str, width: float, *, size: float, bold: bool = False) -> list[str]:
        """The text wrapped to ``width``; a word that is longer is broken too."""
        broken: list[str] = []
        for paragraph in self.paragraphs(text):
            broken += self._broken(paragraph, width, size, bold)
        return broken

    def paragraphs(self, text: str) -> list[str]:
        """The text as its writer has broken it, with one empty line where there are several."""
        given = _EMPTY_LINES.sub("\n\n", pdf_layout_text.legible(text)).strip().split("\n")
        return [paragraph.strip() for paragraph in given]

    def lines_in(
        self, text: str, width: float, height: float, *, sizes: Sequence[float], bold: bool = False
    ) -> tuple[float, list[str]]:
        """The text wrapped to ``width`` in the first of the sizes in which it is no higher, else in the last one."""
        for size in sizes:
            lines = self.lines(text, width, size=size, bold=bold)
            if len(lines) * size * LEADING <= height:
                break
        return size, lines

    def stack(
        self,
        lines: Iterable[str],
        place: Place,
        *,
        x: float,
        size: float,
        height: float | None = None,
        bold: bool = False,
        color: Color = INK,
        align: Align = "L",
    ) -> Place:
        """Lines below each other, on the next page where they do not end on this one; returns where they end.

        ``height`` from one line to the next, by default that of ``lines_in``.
        """
        step = height or size * LEADING
        for line in lines:
            place = self.room_at(place, step)
            self.put(x, place.top, line, size=size, bold=bold, color=color, align=align)
            place = place.below(step)
        return place

    def room_at(self, place: Place, height: float) -> Place:
        """Go to that place, or to the next page where so much does not fit there.

        That page is there already where a column beside this one went on to it.
        """
        self.go_to(place)
        if place.top + height > self.bottom:
            if place.page < self.pages_count:
                self.go_to(Place(place.page + 1, self.continued_top))
            else:
                self.start_page()
        return self.here()

    def has_room(self, height: float) -> bool:
        """Whether ``height`` fits on this page."""
        return self.get_y() + height <= self.bottom

    def room_for(self, height: float) -> bool:
        """Start a new page unless ``height`` fits on this one; returns whether it did."""
        full = not self.has_room(height)
        if full:
            self.start_page()
        return full

    def shrunk(self, text: str, width: float, *, size: float, bold: bool = False) -> float:
        """The size in which a text fits on one line. A number that is too long is set smaller, not broken."""
        return size * min(1.0, width / max(width, self.width_of(text, size=size, bold=bold)))

    def rule(
        self, color: Color = LINE, thickness: float = 0.1, *, left: float | None = None, y: float | None = None
    ) -> None:
        """A line from ``left`` (the margin) to the right margin."""
        self.set_draw_color(*color)
        self.set_line_width(thickness)
        height = self.get_y() if y is None else y
        self.line(self.l_margin if left is None else left, height, self.right, height)

    def face(self, size: float, *, bold: bool = False, color: Color = INK) -> None:
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*color)

    def _font(self, face: Face) -> TTFFont:
        """A font of this document, loaded when a text first needs it."""
        if face not in self.fonts:
            self.fonts[face] = fonts.font(face, len(self.fonts) + 1)
        return self.fonts[face]  # type: ignore[return-value]

    def _put_shaped(self, x: float, baseline: float, runs: Sequence[Run], size: float, *, bold: bool) -> None:
        """Text that DejaVu alone cannot show: other fonts, joined letters, right to left."""
        color = self.text_color.serialize()  # type: ignore[union-attr]
        self._out(f"q {color.lower()} {color.upper()} {size * _STROKE:.3f} w BT")
        self._out(f"{x * self.k:.2f} {(self.h - baseline) * self.k:.2f} Td")
        for run in runs:
            font = self._font(run.face)
            self._out(self._set_font_for_page(font, size, wrap_in_text_object=False))
            # A font that has no bold letters draws their outlines too.
            self._out(f"{2 if bold and run.face != BOLD else 0} Tr {_glyphs(font, run, size)}")
        self._out("ET Q")
        # What was set within is forgotten.
        self.current_font_is_set_on_page = False

    def _broken(self, line: str, width: float, size: float, bold: bool) -> list[str]:
        if not line:
            return [line]
        broken: list[str] = []
        while line:
            fits = self._longest_start(line, width, size, bold)
            if fits < len(line):
                space = line.rfind(" ", 0, fits + 1)
                fits = space if space > 0 else fits
            broken.append(line[:fits].rstrip())
            line = line[fits:].lstrip()
        return broken

    def _longest_start(self, line: str, width: float, size: float, bold: bool) -> int:
        """How many characters fit, at least one; letters that make up a syllable are not parted."""
        room = width * 1000 / (size * _POINT)
        if pdf_layout_text.is_plain(line):
            own = fonts.widths(BOLD if bold else REGULAR)
            for count, character in enumerate(line):
                room -= own[ord(character)]
                if room < 0:
                    return max(count, 1)
            return len(line)
        # Of a long text no more is shaped than a line may take.
        tried = int(room / _NARROW) + 1
        while True:
            left = room
            for start, taken in shaped(line[:tried], bold=bold).steps:
                left -= taken
                if left < 0 and start:
                    return len(line[:start].rstrip(_BEFORE_THEIR_CONSONANT)) or start
            if tried >= len(line):
                return len(line)
            tried *= 2


def _glyphs(font: TTFFont, run: Run, size: float) -> str:
    """The operators that draw them: codes, with the way to the next one where it is not the glyph's own width."""
    parts, rise, back = [], 0.0, 0.0
    for shape in run.shapes:
        if shape.up != rise:
            rise = shape.up
            parts.append(f"] TJ {rise * size / 1000:.3f} Ts [")
        if move := round(back - shape.right):
            parts.append(f"{move}")
        code = font.subset.pick_glyph(Glyph(shape.glyph, shape.meaning or _SAYS_NOTHING, "", shape.width))
        parts.append(f"<{code:04X}>")
        back = shape.width - shape.advance + shape.right
    drawn = f"[{''.join(parts)}{round(back) or ''}] TJ" + (" 0 Ts" if rise else "")
    if all(shape.meaning and not shape.right and not shape.up for shape in run.shapes):
        return drawn
    # Glyph by glyph the text could not be searched and copied.
    return f"/Span <</ActualText <{_BIG_ENDIAN}{run.text.encode('utf-16-be').hex()}>>> BDC {drawn} EMC"
