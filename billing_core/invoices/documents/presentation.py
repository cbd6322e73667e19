"""An invoice's figures in its reader's language: the rows of the table and of the totals, for every medium."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from billing_core.invoices.content.totals import TaxRow
from billing_core.invoices.documents.document import CreditedLine, CreditNoteDocument, DocumentLine, InvoiceDocument
from billing_core.languages.formats import Writing, gettext_noop

# The columns beside the description.
HEADINGS: Final = {
    "quantity": gettext_noop("Quantity"),
    "unit_price": gettext_noop("Unit price"),
    "discount": gettext_noop("Discount"),
    "tax": gettext_noop("Tax"),
    "amount": gettext_noop("Amount"),
}


# The spaces around × and /, and those between a number and the code of a currency.
_KEPT_TOGETHER: Final = re.compile(r" (?=[×/] )|(?<= [×/]) |(?<=\d) (?=[A-Z]{3}\b)")


@dataclass(frozen=True, slots=True)
class Sum:
    """A line of the totals. ``strong``: bold, below a rule."""

    label: str
    amount: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """``titles``, of ``HEADINGS``, and a row of figures for each line."""

    titles: list[str]
    rows: list[list[str]]


def description(line: DocumentLine | CreditedLine) -> str:
    """As it is shown: a price, and what it is multiplied with, stay on one line."""
    return _KEPT_TOGETHER.sub("\u00a0", line.description)


def described(lines: Iterable[DocumentLine | CreditedLine]) -> list[str]:
    return [description(line) for line in lines]


def table(document: InvoiceDocument, words: Writing) -> Table:
    """The figures of the lines. A column without discounts is left out."""
    lines, currency = document.lines, document.currency
    discounted = any(line.discount_percent or line.discount_minor for line in lines)
    taxed = document.states_zero_tax or any(line.tax_rate for line in lines)
    titles = ["quantity", "unit_price", *(["discount"] if discounted else []), *(["tax"] if taxed else []), "amount"]
    rows = [
        [
            words.quantity(line.quantity),
            words.price(line.unit_price, currency),
            *([_discount(line, currency, words)] if discounted else []),
            *([words.percent(line.tax_rate)] if taxed else []),
            words.amount(line.amount_minor, currency),
        ]
        for line in lines
    ]
    return Table(titles, rows)


def credited_table(document: CreditNoteDocument, words: Writing) -> Table:
    """The figures of a credit note's lines: quantity and price where lines of the invoice were chosen."""
    lines, currency = document.lines, document.currency
    counted = any(line.quantity is not None for line in lines)
    discounted = any(line.discount_minor for line in lines)
    titles = ["quantity", "unit_price"] if counted else []
    titles += [*(["discount"] if discounted else []), "tax", "amount"]
    rows = []
    for line in lines:
        of_line = []
        if line.quantity is not None and line.unit_price is not None:
            of_line = [words.quantity(line.quantity), words.price(line.unit_price, currency)]
        off = [words.amount(line.discount_minor, currency) if line.discount_minor else ""] if discounted else []
        rows.append([*of_line, *off, words.percent(line.tax_rate), words.amount(line.amount_minor, currency)])
    return Table(titles, rows)


def sums(document: InvoiceDocument, words: Writing) -> list[Sum]:
    """From the lines to the total and what was settled of it, without the amount due."""
    totals, currency = document.totals, document.currency

    def amount(minor: int) -> str:
        return words.amount(minor, currency)

    rows = []
    if totals.prices_include_tax:
        rows.append(Sum(words.gettext("Sum of lines (prices include tax)"), amount(sum(totals.lines))))
    elif totals.discount_minor or totals.remainder_minor:
        rows.append(Sum(words.gettext("Sum of lines"), amount(sum(totals.lines))))
    if totals.discount_minor:
        share = f" {words.percent(document.discount_percent)}" if document.discount_percent else ""
        rows.append(Sum(words.gettext("Discount") + share, amount(-totals.discount_minor)))
    if totals.remainder_minor:
        rows.append(Sum(words.gettext("Rounding"), amount(totals.remainder_minor)))
    rows.append(Sum(words.gettext("Subtotal"), amount(totals.subtotal_minor)))
    if document.states_zero_tax or totals.tax_minor or len(totals.by_rate) > 1:
        rows += taxes(totals.by_rate, currency, words)
    rows.append(Sum(words.gettext("Total"), words.money(totals.total_minor, currency), strong=True))
    # What is refunded is credited first, so that the rows add up to what is due.
    settled = (
        (words.gettext("Paid"), document.paid_minor - document.prepaid_minor),
        (words.gettext("Prepaid credit used"), document.prepaid_minor),
        (words.gettext("Credited"), document.credited_minor + document.refunded_minor),
        (words.gettext("Written off"), document.written_off_minor),
    )
    rows += [Sum(label, amount(-minor)) for label, minor in settled if minor]
    if document.refunded_minor:
        rows.append(Sum(words.gettext("Refunded"), amount(document.refunded_minor)))
    return rows


def taxes(by_rate: Iterable[TaxRow], currency: str, words: Writing) -> list[Sum]:
    """A row for each rate, 0 % among them: what is taxed, and the tax on it."""

    def label(row: TaxRow) -> str:
        net = words.amount(row.net_minor, currency)
        return words.gettext("Tax {rate} on {net}").format(rate=words.percent(row.rate), net=net)

    return [Sum(label(row), words.amount(row.tax_minor, currency)) for row in by_rate]


def zero_tax(document: InvoiceDocument | CreditNoteDocument, words: Writing) -> tuple[str, str] | None:
    """The heading and the reason of what has 0 % tax, where there is one."""
    if not document.zero_tax_reason or all(line.tax_rate for line in document.lines):
        return None
    return words.gettext("Tax") + f" {words.percent(Decimal(0))}", document.zero_tax_reason


def _discount(line: DocumentLine, currency: str, words: Writing) -> str:
    if line.discount_percent:
        return words.percent(line.discount_percent)
    return words.amount(line.discount_minor, currency) if line.discount_minor else ""
