"""The letter layout of invoices, credit notes and statements: letterhead, table across pages, totals."""

from collections.abc import Sequence
from typing import Final

from billing_core.invoices.documents.document import Recipient
from billing_core.invoices.documents.pdf_sheets import KEPT_TOGETHER, TEXT, Sheets
from billing_core.invoices.documents.presentation import Sum
from billing_core.pdf_layout import picture
from billing_core.pdf_layout.page import ACCENT, INK, MUTED, TINT

# The address is placed for the window of a DIN or C6/5 envelope.
_WINDOW = 46.5
_FIRST_LINE_OF_WINDOW = 52
_LONGEST_ADDRESS = 8
_LOGO_WIDTH, _LOGO_HEIGHT = 62, 22

GREEN: Final = ((22, 101, 52), (220, 245, 228))
RED: Final = ((153, 27, 27), (252, 228, 228))
GREY: Final = ((75, 85, 99), (233, 236, 240))


class Letter(Sheets):
    """A document to a customer."""

    def letterhead(self, customer: Recipient, facts: Sequence[tuple[str, str]], title: str) -> None:
        """Who writes to whom, the facts beside the address, and the title below."""
        issuer_end = self._sender()
        address_end = self._window(customer)
        facts_end = self._facts(facts, top=max(_FIRST_LINE_OF_WINDOW, issuer_end + 6))
        self.set_y(max(address_end, facts_end, 80) + 8)
        self._title(title)

    def _sender(self) -> float:
        issuer, top = self.issuer, 15.0
        has_logo = issuer.logo is not None and picture.place(
            self, issuer.logo, self.l_margin, top, _LOGO_WIDTH, _LOGO_HEIGHT
        )
        block = self.w / 2 + 10
        if not has_logo:
            for line in self.lines(issuer.name, block - self.l_margin - 8, size=15, bold=True)[:2]:
                self.put(self.l_margin, top, line, size=15, bold=True)
                top += 7
        top = 15.0
        width = self.right - block
        if has_logo:
            for line in self.lines(issuer.name, width, size=9, bold=True)[:2]:
                self.put(self.right, top, line, size=9, bold=True, align="R")
                top += 4.2
        contact = [line for line in self.lines(issuer.address, width, size=8) if line][:6]
        if issuer.tax_id:
            contact.append(self.writing.gettext("Tax ID") + f" {issuer.tax_id}")
        contact += [line for line in (issuer.email, issuer.phone) if line]
        for line in contact:
            self.put(self.right, top, self.fitting(line, width, size=8), size=8, color=MUTED, align="R")
            top += 3.8
        return top

    def _window(self, customer: Recipient) -> float:
        width = 82.0
        sender = " · ".join([self.issuer.name, *(line for line in self.issuer.address.splitlines() if line.strip())])
        self.put(self.l_margin, _WINDOW, self.fitting(sender, width, size=6.5), size=6.5, color=MUTED)
        top = float(_FIRST_LINE_OF_WINDOW)
        for line in self.lines(customer.known_as, width, size=10, bold=True)[:3]:
            self.put(self.l_margin, top, line, size=10, bold=True)
            top += 4.8
        for line in [line for line in self.lines(customer.address, width, size=10) if line][:_LONGEST_ADDRESS]:
            self.put(self.l_margin, top, line, size=10)
            top += 4.8
        return top

    def _facts(self, facts: Sequence[tuple[str, str]], *, top: float) -> float:
        left = self.w / 2 + 20
        for label, value in facts:
            label_end = left + self.width_of(label, size=8.5) + 4
            self.put(left, top + 0.2, label, size=8.5, color=MUTED)
            for line in self.lines(value, self.right - label_end, size=TEXT)[:3]:
                self.put(self.right, top, line, size=TEXT, align="R")
                top += 4.4
            top += 1
        return top

    def _title(self, title: str) -> None:
        mark_width = self.width_of(self._mark.text, size=9, bold=True) + 8 if self._mark else 0
        top = self.get_y()
        lines = self.lines(title, self.epw - mark_width - 4, size=20, bold=True)[:3]
        for number, line in enumerate(lines):
            self.put(self.l_margin, top + 8.6 * number, line, size=20, bold=True)
        if self._mark:
            ink, ground = self._mark.colors
            left = self.right - mark_width
            self.set_fill_color(*ground)
            self.rect(left, top + 0.6, mark_width, 6.4, style="F", round_corners=True, corner_radius=3.2)
            self.put(left + 4, top + 2.2, self._mark.text, size=9, bold=True, color=ink)
        self.set_y(top + 8.6 * len(lines) + 1)
        self.rule(ACCENT, 0.6)
        self.set_y(self.get_y() + 5)

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
            self.put(middle, top + 2.4, self.fitting(label, width - 3, size=7.5), size=7.5, color=MUTED, align="C")
            size = self.shrunk(value, width - 3, size=TEXT, bold=True)
            self.put(middle, top + 7, value, size=size, bold=True, align="C")
        self.set_y(top + 17)

    def block(self, heading: str, text: str, *, width: float | None = None) -> None:
        """A heading with lines below it, at the left margin; may continue on the next page."""
        lines = self.lines(text, width or self.epw, size=8.5)
        if not any(lines):
            return
        self.room_for(5 + 2 * 4.1)
        self.put(self.l_margin, self.get_y(), heading, size=8, bold=True, color=MUTED)
        self.set_y(self.get_y() + 4.6)
        for line in lines:
            self.room_for(4.1)
            self.put(self.l_margin, self.get_y(), line, size=8.5)
            self.set_y(self.get_y() + 4.1)
        self.set_y(self.get_y() + 3.2)

    def linked(self, text: str, url: str, *, x: float, width: float, size: float = 8.5, bold: bool = False) -> None:
        """A line of text that leads to ``url``."""
        top = self.get_y()
        line = self.fitting(text, width, size=size, bold=bold)
        self.put(x, top, line, size=size, bold=bold, color=ACCENT)
        self.link(x, top, self.width_of(line, size=size, bold=bold), size * 0.4, url)
        self.set_y(top + size * 0.48)
