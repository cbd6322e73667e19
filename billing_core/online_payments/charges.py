"""What a gateway is asked to collect for an invoice: lines that add up exactly to the amount due, or to that less what
early payment takes off.

Where the invoice's own lines do, the customer sees those, with each rate's tax as a line of its own unless prices
include it. Where they cannot (a negative line, a discount on the whole, a part payment, a rounding difference of
before, too many lines), it is one.
"""

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from billing_core.invoices.content import early_payment
from billing_core.invoices.content.early_payment import Offer
from billing_core.invoices.documents.document import DocumentLine, InvoiceDocument
from billing_core.languages.formats import Writing, writing
from billing_core.money import LINE_QUANTITY_PLACES, PRICE_PLACES, decimal_places, scaled
from billing_core.online_payments.gateway import Charge, ChargeLine

# Stripe's limits for a payment link: 20 lines, and the characters and quantity of each.
MOST_LINES: Final = 20
LONGEST_NAME: Final = 250
LARGEST_QUANTITY: Final = 999_999
# All white space but the kind inside numbers, such as the French 1\u202f450.
_BLANKS: Final = re.compile(r"[^\S\u00a0\u202f]+")


def charge_of(invoice: InvoiceDocument, *, invoice_id: str, link_id: str, return_url: str, today: date) -> Charge:
    """``invoice_id`` and ``link_id`` are public ids; ``today`` is the business's day: while early payment takes
    something off, so much less is asked for.

    A draft has no number yet. An overdue invoice is payable by tomorrow, as no gateway takes a past day.
    """
    words = writing(invoice.language)
    early = early_payment.best_on(invoice, today)
    return Charge(
        link_id=link_id,
        invoice_id=invoice_id,
        invoice_number=invoice.number or "",
        currency=invoice.currency,
        amount_minor=early.to_pay_minor if early else invoice.due_minor,
        lines=(_reduced(invoice, early, words),) if early else _lines(invoice, words),
        customer_email=invoice.customer.email,
        customer_name=invoice.customer.name,
        due_on=max(invoice.due_on, today + timedelta(days=1)),
        description=_short(f"{_title(invoice, words)} · {invoice.issuer.name}"),
        return_url=return_url,
    )


def says_the_same(one: Charge, other: Charge) -> bool:
    """Whether the customer is asked for the same by both links."""
    first, second = one.stored(), other.stored()
    return all(first[name] == second[name] for name in first if name not in ("link_id", "return_url"))


def _lines(invoice: InvoiceDocument, words: Writing) -> tuple[ChargeLine, ...]:
    listed = tuple(_line(line, invoice.currency, words) for line in invoice.lines)
    if not invoice.totals.prices_include_tax:
        listed += _taxes(invoice, words)
    whole = sum(line.unit_minor * line.quantity for line in listed) == invoice.due_minor
    settled = invoice.paid_minor or invoice.credited_minor or invoice.written_off_minor
    all_count = all(line.unit_minor > 0 for line in listed)
    if whole and all_count and len(listed) <= MOST_LINES and not settled and not invoice.totals.discount_minor:
        return listed
    return (ChargeLine(_short(_whole_due(invoice, words)), invoice.due_minor),)


def _reduced(invoice: InvoiceDocument, early: Offer, words: Writing) -> ChargeLine:
    discount = words.gettext("Early-payment discount of {percent}").format(percent=words.percent(early.percent))
    return ChargeLine(_short(f"{_whole_due(invoice, words)} ({discount})"), early.to_pay_minor)


def _whole_due(invoice: InvoiceDocument, words: Writing) -> str:
    due = words.gettext("Amount due")
    return f"{_title(invoice, words)}, {due[:1].lower()}{due[1:]}"


def _line(line: DocumentLine, currency: str, words: Writing) -> ChargeLine:
    """With quantity and unit price where they give the exact amount; otherwise quantity 1, the count in its name."""
    name = _BLANKS.sub(" ", line.description).strip()
    if line.quantity == 1:
        return ChargeLine(_short(name), line.amount_minor)
    pieces = _whole(line.quantity, LINE_QUANTITY_PLACES)
    price = _whole(line.unit_price.scaleb(decimal_places(currency)), PRICE_PLACES)
    if pieces and price and 0 < pieces <= LARGEST_QUANTITY and pieces * price == line.amount_minor:
        return ChargeLine(_short(name), price, pieces)
    quantity = f" (× {words.quantity(line.quantity)})"
    return ChargeLine(_short(name, LONGEST_NAME - len(quantity)) + quantity, line.amount_minor)


def _taxes(invoice: InvoiceDocument, words: Writing) -> tuple[ChargeLine, ...]:
    """A line per tax rate; rates without tax are left out."""
    rows = (row for row in invoice.totals.by_rate if row.tax_minor)
    return tuple(ChargeLine(words.gettext("Tax") + f" {words.percent(row.rate)}", row.tax_minor) for row in rows)


def _title(invoice: InvoiceDocument, words: Writing) -> str:
    return words.gettext("Invoice") + (f" {invoice.number}" if invoice.number else "")


def _whole(number: Decimal, places: int) -> int | None:
    """The number as an integer, where it is one."""
    whole, rest = divmod(scaled(number, places), 10**places)
    return None if rest else whole


def _short(text: str, longest: int = LONGEST_NAME) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
