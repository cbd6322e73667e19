"""The letter layout of invoices, credit notes and statements: letterhead, table across pages, totals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from billing_core.invoices.documents.document import Recipient
from billing_core.invoices.documents.pdf_sheets import KEPT_TOGETHER, LINE_HEIGHT, TEXT, Column, Sheets
from billing_core.invoices.documents.presentation import HEADINGS, Sum, Table
from billing_core.pdf_layout import picture
from billing_core.pdf_layout.page import ACCENT, INK, LEADING, MUTED, TINT, Place
from billing_core.pdf_layout.paper_size import PaperSize


@dataclass(frozen=True, slots=True)
class _Window:
    """Where the window of a usual envelope shows the sender's address and the customer's, in millimetres from the upper
    edge.
    """

    top: float
    first_line: float
    end: float


# A4 is for the window of a DIN or C6/5 envelope. Letter is for that of a #10 one, 28.6 mm high and 12.7 mm above its
# lower edge: a sheet folded in three is 11.7 mm lower than the envelope, and the address shows wherever it lies in it.
_WINDOWS: Final = {
    PaperSize.A4: _Window(46.5, 52.0, 90.0),
    PaperSize.LETTER: _Window(58.0, 63.5, 80.4),
}
_WINDOW_WIDTH = 82.0
_FACTS_TOP = 52.0
# What the window shows of the sender's address.
_RETURN_HEIGHT = 5.8
_LOGO_WIDTH, _LOGO_HEIGHT = 62, 22
# Texts up to this height, such as bank details, are not broken across pages.
_UNBROKEN = 35

# Millimetres; together they leave room for a description.
_WIDEST: Final = {"quantity": 20, "unit_price": 24, "discount": 18, "tax": 15, "amount": 30}

GREEN: Final = ((22, 101, 52), (220, 245, 228))
RED: Final = ((153, 27, 27), (252, 228, 228))
GREY: Final = ((75, 85, 99), (233, 236, 240))


class Letter(Sheets):
    """A document to a customer."""

    @property
    def _at(self) -> _Window:
        return _WINDOWS[self.issuer.paper]

    def letterhead(self, customer: Recipient, facts: Sequence[tuple[str, str]], title: str) -> None:
        """Who writes to whom, the facts beside the address, and the title below. Long texts move down what follows."""
        name_end, contact_end = self._sender()
        address_end = self._window(customer, name_end)
        facts_end = self._facts(facts, max(contact_end.below(6), Place(1, _FACTS_TOP)))
        self.go_to(max(address_end, facts_end, Place(1, 80)).below(8))
        self._title(title)

    def _sender(self) -> tuple[Place, Place]:
        """The logo or name at the left and the rest at the right; returns where each of them ends."""
        issuer, top = self.issuer, Place(1, 15.0)
        has_logo = issuer.logo is not None and picture.place(
            self, issuer.logo, self.l_margin, top.top, _LOGO_WIDTH, _LOGO_HEIGHT
        )
        block = self.w / 2 + 10
        width = self.right - block
        if has_logo:
            left_end = top.below(_LOGO_HEIGHT)
            name = self.lines(issuer.name, width, size=9, bold=True)
            right_end = self.stack(name, top, x=self.right, size=9, height=4.2, bold=True, align="R")
        else:
            size, name = self.lines_in(
                issuer.name, block - self.l_margin - 8, self._at.top - top.top - 2, sizes=(15, 12, 10, 8), bold=True
            )
            left_end = self.stack(name, top, x=self.l_margin, size=size, bold=True)
            right_end = top
        tax_id = self.writing.gettext("Tax ID") + f" {issuer.tax_id}" if issuer.tax_id else ""
        numbers = (tax_id, issuer.register_number)
        contact = "\n".join(part for part in (issuer.address, *numbers, issuer.email, issuer.phone) if part.strip())
        lines = [line for line in self.lines(contact, width, size=8) if line]
        right_end = self.stack(lines, right_end, x=self.right, size=8, height=3.8, color=MUTED, align="R")
        return left_end, right_end

    def _window(self, customer: Recipient, above: Place) -> Place:
        """The address, below a small line that says where the letter goes back to; ``above`` that nothing is free.

        What is longer than the window takes a smaller size, and then grows downwards.
        """
        end = self._return_address(above)
        first = max(end.below(1), Place(1, self._at.first_line))
        for size in (10.0, 9.0, 8.5, 8.0):
            name = self.lines(customer.known_as, _WINDOW_WIDTH, size=size, bold=True)
            address = [line for line in self.lines(customer.address, _WINDOW_WIDTH, size=size) if line]
            if first.top + (len(name) + len(address)) * size * LEADING <= self._at.end:
                break
        end = self.stack(name, first, x=self.l_margin, size=size, bold=True)
        return self.stack(address, end, x=self.l_margin, size=size)

    def _return_address(self, above: Place) -> Place:
        sender = " · ".join([self.issuer.name, *(line for line in self.issuer.address.splitlines() if line.strip())])
        size, lines = self.lines_in(sender, _WINDOW_WIDTH, _RETURN_HEIGHT, sizes=(6.5, 6, 5.5, 5))
        # What needs more lines than the window shows grows upwards first.
        top = min(self._at.top, self._at.first_line - 1 - len(lines) * size * LEADING)
        place = Place(1, max(top, above.top + 1))
        return self.stack(lines, place, x=self.l_margin, size=size, color=MUTED)

    def _facts(self, facts: Sequence[tuple[str, str]], place: Place) -> Place:
        left = self.w / 2 + 20
        for label, value in facts:
            room = self.right - left - self.width_of(label, size=8.5) - 4
            lines = self.lines(value, room, size=TEXT)
            place = self.room_at(place, LINE_HEIGHT)
            self.put(left, place.top + 0.2, label, size=8.5, color=MUTED)
            place = self.stack(lines, place, x=self.right, size=TEXT, height=LINE_HEIGHT, align="R").below(1)
        return place

    def _title(self, title: str) -> None:
        mark_width = self.width_of(self._mark.text, size=9, bold=True) + 8 if self._mark else 0
        self.room_for(20)
        start = self.here()
        if self._mark:
            ink, ground = self._mark.colors
            left = self.right - mark_width
            self.set_fill_color(*ground)
            self.rect(left, start.top + 0.6, mark_width, 6.4, style="F", round_corners=True, corner_radius=3.2)
            self.put(left + 4, start.top + 2.2, self._mark.text, size=9, bold=True, color=ink)
        lines = self.lines(title, self.epw - mark_width - 4, size=20, bold=True)
        end = self.stack(lines, start, x=self.l_margin, size=20, height=8.6, bold=True)
        self.go_to(end.below(1))
        self.rule(ACCENT, 0.6)
        self.set_y(self.get_y() + 5)

    def figures(self, descriptions: Sequence[str], table: Table, currency: str) -> None:
        """The lines of a document, each with its description before its figures."""
        columns = [Column(self.writing.gettext("Description"))]
        for index, title in enumerate(table.titles):
            heading = self.writing.gettext(HEADINGS[title]) + (f" {currency}" if title == "amount" else "")
            columns.append(self.column_for(heading, (row[index] for row in table.rows), most=_WIDEST[title]))
        self.rows(columns, ([description, *row] for description, row in zip(descriptions, table.rows, strict=True)))
        self.set_y(self.get_y() + 4)

    def sums(self, sums: Sequence[Sum], *, left: float) -> None:
        """The totals, from ``left`` to the right margin, kept on one page with the box below them where possible."""
        height = sum(6.4 if one.strong else 5.2 for one in sums) + 16
        if height < KEPT_TOGETHER:
            self.room_for(height)
        for one in sums:
            self.room_for(13 if one.strong else 5.6)
            top = self.get_y()
            if one.strong:
                self.rule(INK, 0.25, left=left, y=top + 0.6)
                top += 2
            size = 10.5 if one.strong else TEXT
            amount_left = self.right - 2 - self.width_of(one.amount, size=size, bold=one.strong)
            label_size = self.shrunk(one.label, amount_left - left - 5, size=size, bold=one.strong)
            self.put(left + 2, top, one.label, size=label_size, bold=one.strong, color=INK if one.strong else MUTED)
            self.put(self.right - 2, top, one.amount, size=size, bold=one.strong, align="R")
            self.set_y(top + (6.4 if one.strong else 5.2))

    def box(self, label: str, amount: str, *, left: float) -> None:
        """The amount that matters most, in a box."""
        self.room_for(15)
        top = self.get_y() + 1.5
        self.set_fill_color(*TINT)
        self.rect(left, top, self.right - left, 12, style="F", round_corners=True, corner_radius=1.5)
        self.put(left + 4, top + 4.3, label, size=TEXT, bold=True)
        room = self.right - left - self.width_of(label, size=TEXT, bold=True) - 12
        size = self.shrunk(amount, room, size=15, bold=True)
        self.put(self.right - 4, top + 6 - size * 0.16, amount, size=size, bold=True, color=ACCENT, align="R")
        self.set_y(top + 14)

    def strip(self, facts: Sequence[tuple[str, str]]) -> None:
        """Amounts side by side over the whole width, each below its label."""
        self.room_for(16)
        top, width = self.get_y(), self.epw / len(facts)
        self.set_fill_color(*TINT)
        self.rect(self.l_margin, top, self.epw, 13, style="F", round_corners=True, corner_radius=1.5)
        for place, (label, value) in enumerate(facts):
            middle = self.l_margin + width * (place + 0.5)
            self.put(middle, top + 2.4, label, size=self.shrunk(label, width - 3, size=7.5), color=MUTED, align="C")
            size = self.shrunk(value, width - 3, size=TEXT, bold=True)
            self.put(middle, top + 7, value, size=size, bold=True, align="C")
        self.set_y(top + 17)

    def block(self, heading: str, text: str, *, width: float | None = None) -> None:
        """A heading with lines below it, at the left margin; may continue on the next page."""
        lines = self.lines(text, width or self.epw, size=8.5)
        if not any(lines):
            return
        height = 4.6 + 4.1 * len(lines)
        self.room_for(height if height <= _UNBROKEN else 5 + 2 * 4.1)
        self.put(self.l_margin, self.get_y(), heading, size=8, bold=True, color=MUTED)
        self.set_y(self.get_y() + 4.6)
        for line in lines:
            self.room_for(4.1)
            self.put(self.l_margin, self.get_y(), line, size=8.5)
            self.set_y(self.get_y() + 4.1)
        self.set_y(self.get_y() + 3.2)

    def linked(self, text: str, url: str, *, x: float, width: float, size: float = 8.5, bold: bool = False) -> None:
        """A line of text that leads to ``url``."""
        top, size = self.get_y(), self.shrunk(text, width, size=size, bold=bold)
        self.put(x, top, text, size=size, bold=bold, color=ACCENT)
        self.link(x, top, self.width_of(text, size=size, bold=bold), size * 0.4, url)
        self.set_y(top + size * 0.48)
