"""A customer's statement and the ageing as files."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.ledger.models import EntryKind
from billing_core.money import Money
from billing_core.receivables import ageing, statement
from billing_core.receivables.pdf import statement_pdf
from billing_core.receivables.statement import StatementRequest, StatementRow
from billing_core.reports.exports import rows
from billing_core.reports.exports.formats import MEDIA_TYPES, Download, Format, csv_list

STATEMENT_COLUMNS = ("date", "what", "document", "reference", "due_date", "currency", "charge", "credit", "balance")
AGEING_COLUMNS = ("customer_id", "customer_name", "currency", "invoices", *(b.key for b in ageing.BUCKETS), "total")

_WORDS = {
    EntryKind.INVOICE: "Invoice",
    EntryKind.PAYMENT: "Payment",
    EntryKind.CREDIT_NOTE: "Credit note",
    EntryKind.REFUND: "Refund",
    EntryKind.CREDIT_PAID_OUT: "Credit paid out",
    EntryKind.WRITE_OFF: "Write-off",
    EntryKind.CHARGEBACK: "Chargeback",
}
# As their documents say it.
_UNDONE = {EntryKind.INVOICE: "cancelled", EntryKind.CREDIT_NOTE: "withdrawn"}


def what(row: StatementRow) -> str:
    """Such as “Payment”, “Payment undone” or “Credit note withdrawn”."""
    if row.prepaid:
        word = "Prepaid credit used" if row.took_prepaid else "Back to prepaid credit"
    else:
        word = _WORDS.get(row.kind, row.kind.replace("_", " ").capitalize())
    if row.returned:
        return "Chargeback returned"
    return f"{word} {_UNDONE.get(row.kind, 'undone')}" if row.undone else word


def statement_as_csv(session: Session, actor: Actor, request: StatementRequest, *, for_excel: bool = False) -> Download:
    """The statement from its opening to its closing balance, with every row between."""
    actor.require(Permission.EXPORT)
    customer = customers.one(session, actor, request.customer_id)
    lines = _statement_rows(session, actor, request)
    return csv_list(f"{_name(customer, request)}.csv", STATEMENT_COLUMNS, lines, for_excel=for_excel)


def statement_as_pdf(session: Session, actor: Actor, request: StatementRequest) -> Download:
    """The statement as the letter that the customer receives."""
    customer = customers.one(session, actor, request.customer_id)
    content = statement_pdf(session, actor, request)
    return Download(f"{_name(customer, request)}.pdf", MEDIA_TYPES[Format.PDF], iter((content,)))


def ageing_as_csv(
    session: Session, actor: Actor, scope: Scope, *, order_by: str = "-overdue", for_excel: bool = False
) -> Download:
    """What each customer owes by age, one line per customer and currency."""
    actor.require(Permission.EXPORT)
    return csv_list("ageing.csv", AGEING_COLUMNS, _ageing_rows(session, actor, scope, order_by), for_excel=for_excel)


def _name(customer: Customer, request: StatementRequest) -> str:
    return f"statement-{customer.ref}-{request.currency}-{request.period.end}"


def _statement_rows(session: Session, actor: Actor, request: StatementRequest) -> Iterator[Sequence[Any]]:
    code, period = request.currency, request.period
    yield _bare(period.start, "Opening balance", code, statement.opening(session, actor, request))
    for row in statement.each(session, actor, request):
        # Numbers, not text: a text with a leading minus would be escaped, and not usable in formulas.
        amount, balance = Money(abs(row.amount_minor), code).amount, Money(row.balance_minor, code).amount
        charge, credit = (amount, None) if row.amount_minor >= 0 else (None, amount)
        facts = (row.on, what(row), row.document, row.reference, row.due_on, code)
        yield (*facts, charge, credit, balance)
    yield _bare(period.end, "Closing balance", code, statement.closing(session, actor, request))


def _bare(day: date, words: str, code: str, minor: int) -> Sequence[Any]:
    return (day, words, "", "", None, code, None, None, Money(minor, code).amount)


def _ageing_rows(session: Session, actor: Actor, scope: Scope, order_by: str) -> Iterator[Sequence[Any]]:
    for columns in rows.each(session, ageing.listing(actor, scope, order_by)):
        row = ageing.row_of(columns)
        amounts = (Money(minor, row.currency).amount for minor in (*row.amounts, row.total_minor))
        yield (row.customer_id, row.customer_name, row.currency, row.invoices, *amounts)
