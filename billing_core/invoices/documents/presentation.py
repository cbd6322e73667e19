"""What an invoice prints, in its reader's language: the rows of the table and of the totals, for every medium alike."""

from dataclasses import dataclass

from billing_core.invoices.documents.document import DocumentLine, InvoiceDocument
from billing_core.languages.formats import Writing


@dataclass(frozen=True, slots=True)
class Sum:
    """A line of the totals. ``strong``: bold, below a rule."""

    label: str
    amount: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """``titles`` of the columns beside the description, and a row of figures for each line."""

    titles: list[str]
    rows: list[list[str]]


def table(document: InvoiceDocument, words: Writing) -> Table:
    """The figures of the lines. Columns that would say nothing are left out: no discount, no tax."""
    lines, currency = document.lines, document.currency
    discounted = any(line.discount_percent or line.discount_minor for line in lines)
    taxed = any(line.tax_rate for line in lines)
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


def sums(document: InvoiceDocument, words: Writing) -> list[Sum]:
    """From the lines to the total, and what was settled of it; not what is due."""
    totals, currency = document.totals, document.currency

    def amount(minor: int) -> str:
        return words.amount(minor, currency)

    found = []
    if totals.discount_minor or totals.remainder_minor:
        found.append(Sum(words.word("lines_total"), amount(sum(totals.lines))))
    if totals.discount_minor:
        share = f" {words.percent(document.discount_percent)}" if document.discount_percent else ""
        found.append(Sum(words.word("discount") + share, amount(-totals.discount_minor)))
    if totals.remainder_minor:
        found.append(Sum(words.word("rounding"), amount(totals.remainder_minor)))
    found.append(Sum(words.word("subtotal"), amount(totals.subtotal_minor)))
    if totals.tax_minor or len(totals.by_rate) > 1:
        for row in totals.by_rate:
            label = words.word("tax_on").format(rate=words.percent(row.rate), net=amount(row.net_minor))
            found.append(Sum(label, amount(row.tax_minor)))
    found.append(Sum(words.word("total"), words.money(totals.total_minor, currency), strong=True))
    # What is refunded is credited first, so that the rows add up to what is due.
    settled = (
        ("received", document.paid_minor),
        ("credited", document.credited_minor + document.refunded_minor),
        ("written_off", document.written_off_minor),
    )
    found += [Sum(words.word(key), amount(-minor)) for key, minor in settled if minor]
    if document.refunded_minor:
        found.append(Sum(words.word("refunded"), amount(document.refunded_minor)))
    return found


def _discount(line: DocumentLine, currency: str, words: Writing) -> str:
    if line.discount_percent:
        return words.percent(line.discount_percent)
    return words.amount(line.discount_minor, currency) if line.discount_minor else ""
