"""What is said of invoices that cost less on the day on which they are paid, where several are paid at once."""

from collections.abc import Iterable, Mapping
from datetime import date

from billing_core.invoices import queries
from billing_core.invoices.content.early_payment import Offer
from billing_core.invoices.rows import InvoiceRow
from pages.ui import formats
from pages.ui.reads import Reader
from pages.ui.text import md

_NAMED = 5


def running(read: Reader, invoices: Iterable[InvoiceRow], paid_on: date) -> dict[int, Offer]:
    """By the invoice's id the offer that asks for least of those that hold on that day."""
    offered = read(queries.early_offers, sorted(one.id for one in invoices))
    holding = {id_: [one for one in offers if paid_on <= one.until] for id_, offers in offered.items()}
    return {id_: min(offers, key=lambda one: one.to_pay_minor) for id_, offers in holding.items() if offers}


def named(invoices: Iterable[InvoiceRow], offers: Mapping[int, Offer]) -> str:
    """Such as “INV-2026-001: 98.00 USD until 01/15/2026”; Markdown."""
    told = [
        md(f"{one.number}: {formats.money(offer.to_pay_minor, one.currency)} until {formats.day(offer.until)}")
        for one in invoices
        if (offer := offers.get(one.id))
    ]
    more = f" and {formats.count(len(told) - _NAMED)} more" if len(told) > _NAMED else ""
    return ", ".join(told[:_NAMED]) + more
