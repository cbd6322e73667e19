"""The cells of the tax return as figures, made on demand: each opens into its documents."""

import enum
from base64 import urlsafe_b64decode, urlsafe_b64encode
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final

from sqlalchemy import Select, case, func

from billing_core.figures import Figure, Scope, select_rows
from billing_core.identity import Permission
from billing_core.invoices.models import Invoice
from billing_core.tax_returns.documents import CANCELLATION, CREDIT_NOTE, INVOICE, WITHDRAWAL, Cell, documents


class Measure(enum.StrEnum):
    NET = "net"
    TAX = "tax"
    INVOICED_NET = "invoiced_net"
    INVOICED_TAX = "invoiced_tax"
    CREDITED_NET = "credited_net"
    CREDITED_TAX = "credited_tax"


_TITLES: Final = {
    Measure.NET: "Taxable amount",
    Measure.TAX: "Tax",
    Measure.INVOICED_NET: "Taxable amount of invoices",
    Measure.INVOICED_TAX: "Tax of invoices",
    Measure.CREDITED_NET: "Taxable amount of credit notes and cancellations",
    Measure.CREDITED_TAX: "Tax of credit notes and cancellations",
}
_PREFIX: Final = "tax_return"
_ANY: Final = "*"


def of_cell(measure: Measure, cell: Cell) -> Figure:
    """What one cell adds up."""
    return Figure(
        key=_key(measure, cell),
        title=f"{_TITLES[measure]}{_at(cell)}",
        definition=(
            "What the documents dated in the chosen period say: invoices and credit notes on their own day, and on the "
            "day of cancelling what was left of a cancelled invoice. What was written off is not taken off."
        ),
        formula="Σ tax rows of invoices − Σ those of credit notes − Σ what was left of cancelled invoices",
        permission=Permission.INVOICE_READ,
        rows=partial(_rows, measure, cell),
        opens="/invoices?invoice={id}",
    )


def of_key(key: str) -> Figure | None:
    """The figure of a cell by its key, as in links; None where the key is none of these."""
    prefix, *parts = key.split(".")
    if prefix != _PREFIX or len(parts) != 5 or parts[0] not in set(Measure):
        return None
    measure, business, country, rate, reason = parts
    try:
        cell = Cell(
            None if business == _ANY else _id(business),
            None if country == _ANY else _country(country),
            None if rate == _ANY else _rate(rate),
            None if reason == _ANY else urlsafe_b64decode(reason).decode().replace("\0", ""),
        )
    except (ValueError, InvalidOperation):
        return None
    return of_cell(Measure(measure), cell)


def _key(measure: Measure, cell: Cell) -> str:
    """A reason is any text, and packed so that it can stand in an address."""
    return ".".join(
        (
            _PREFIX,
            measure.value,
            _ANY if cell.business_id is None else str(cell.business_id),
            _ANY if cell.country is None else cell.country,
            _ANY if cell.rate is None else f"{cell.rate * 10_000:.0f}",
            _ANY if cell.reason is None else urlsafe_b64encode(cell.reason.encode()).decode(),
        )
    )


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(text)
    return int(text)


def _country(text: str) -> str:
    if text and not (text.isascii() and text.isalpha() and len(text) == 2):
        raise ValueError(text)
    return text


def _rate(text: str) -> Decimal:
    return Decimal(_id(text)) / 10_000


def _at(cell: Cell) -> str:
    rate = "" if cell.rate is None else f" at {cell.rate.normalize():f} %"
    where = "" if cell.country is None else f", {cell.country or 'no country'}"
    why = f", {cell.reason}" if cell.reason else ""
    return f"{rate}{where}{why}"


def _rows(measure: Measure, cell: Cell, scope: Scope) -> Select[Any]:
    found = documents(scope, cell).c
    side, _, kind = measure.value.rpartition("_")
    amount = func.sum(found[kind])
    label = case(
        (found.kind == CREDIT_NOTE, found.number + " for " + found.invoice_number),
        (found.kind == WITHDRAWAL, found.number + " withdrawn, for " + found.invoice_number),
        (found.kind == CANCELLATION, found.number + " cancelled"),
        else_=found.number,
    )
    rows = select_rows(Invoice.id, label + ", " + Invoice.customer_name, found.day, found.currency, amount)
    rows = rows.join(Invoice, Invoice.id == found.invoice_id)
    if side:
        rows = rows.where(found.kind == INVOICE if side == "invoiced" else found.kind != INVOICE)
    key = (Invoice.id, Invoice.customer_name, found.kind, found.number, found.invoice_number)
    return rows.group_by(*key, found.day, found.currency)
