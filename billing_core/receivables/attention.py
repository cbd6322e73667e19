"""What about money needs attention, as figures that count."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Date, Select, String, cast, func, null, select

from billing_core.customers.models import Customer
from billing_core.dates import passed
from billing_core.figures import Figure, Scope, bound, day_of, one_each
from billing_core.identity import Permission
from billing_core.invoices.models import CreditNote, Invoice, InvoiceState
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.ledger.queries import counting
from billing_core.payments.prepaid.models import PrepaidTopUp
from billing_core.receivables import debts

OLD: Final = timedelta(days=7)
# Through a cast, so that SQLite starts from the few of the other condition rather than from all open invoices.
_STILL_OPEN: Final = cast(Invoice.state, String) == InvoiceState.OPEN.value


def _invoices(scope: Scope, *conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    named = func.coalesce(Invoice.number, "Draft") + ", " + Invoice.customer_name
    return one_each(Invoice.id, named, Invoice.due_on).where(*conditions, *debts.of_invoices(scope))


def _overdue(scope: Scope) -> Select[*tuple[Any, ...]]:
    late = passed(Invoice.late_after, Invoice.business_id, debts.day(scope))
    return _invoices(scope, Invoice.state == InvoiceState.OPEN, late)


def _old_drafts(scope: Scope) -> Select[*tuple[Any, ...]]:
    # Through a function, so that SQLite starts from the few drafts rather than from all older invoices.
    dated = func.date(Invoice.issued_on, type_=Date)
    old = passed(dated, Invoice.business_id, debts.day(scope), days_ago=OLD.days - 1)
    return _invoices(scope, Invoice.state == InvoiceState.DRAFT, old)


def _unspent_credit(scope: Scope) -> Select[*tuple[Any, ...]]:
    credit = debts.counted(scope, Account.CUSTOMER_CREDIT)
    unspent = (
        select(LedgerPosting.customer_id, LedgerPosting.business_id, LedgerPosting.currency)
        .where(*counting(credit))
        .group_by(LedgerPosting.customer_id, LedgerPosting.business_id, LedgerPosting.currency)
        .having(func.sum(LedgerPosting.amount_minor) < 0)
        .subquery()
    )
    owes = (
        select(Invoice.id)
        .where(
            Invoice.state == InvoiceState.OPEN,
            Invoice.customer_id == unspent.c.customer_id,
            Invoice.business_id == unspent.c.business_id,
            Invoice.currency == unspent.c.currency,
        )
        .exists()
    )
    return one_each(Customer.id, Customer.name, cast(null(), Date)).where(
        Customer.id.in_(select(unspent.c.customer_id).where(owes))
    )


def _refused_top_ups(scope: Scope) -> Select[*tuple[Any, ...]]:
    rows = one_each(Customer.id, Customer.name, day_of(PrepaidTopUp.refused_at))
    rows = rows.join_from(PrepaidTopUp, Customer, Customer.id == PrepaidTopUp.customer_id)
    return bound(rows.where(PrepaidTopUp.refused_at.is_not(None)), scope, Customer.id)


def _undone_discounts(scope: Scope) -> Select[*tuple[Any, ...]]:
    """A payment that took a discount settles its invoice: where something is due, it was undone or taken back. Earlier
    releases left the discount; now it is withdrawn.
    """
    taken = select(CreditNote.invoice_id).where(CreditNote.early_payment.is_(True), CreditNote.withdrawn_at.is_(None))
    return _invoices(scope, Invoice.id.in_(taken), _STILL_OPEN)


OVERDUE_INVOICES: Final = Figure(
    key="overdue_invoices",
    title="Overdue invoices",
    definition="Open invoices whose due date is past, that were marked, or whose charge failed.",
    formula="number of invoices",
    permission=Permission.INVOICE_READ,
    rows=_overdue,
    opens="/invoices?invoice={id}",
)
FAILED_PAYMENTS: Final = Figure(
    key="failed_payments",
    title="Failed payments",
    definition="Open invoices whose last attempt at a payment online or by a card on file failed.",
    formula="number of invoices",
    permission=Permission.INVOICE_READ,
    rows=lambda scope: _invoices(scope, Invoice.payment_failed_at.is_not(None), _STILL_OPEN),
    opens="/invoices?invoice={id}",
)
OLD_DRAFTS: Final = Figure(
    key="old_invoice_drafts",
    title="Old drafts of invoices",
    definition=f"Drafts dated {OLD.days} days ago or earlier that were not sent.",
    formula="number of drafts",
    permission=Permission.INVOICE_READ,
    rows=_old_drafts,
    opens="/invoices?invoice={id}",
)
UNSPENT_CREDIT: Final = Figure(
    key="unspent_credit",
    title="Credit beside open invoices",
    definition="Customers with credit who owe something on an invoice in the same currency.",
    formula="number of customers",
    permission=Permission.INVOICE_READ,
    rows=_unspent_credit,
    opens="/customers?customer={id}&customer_tab=Payments",
)
REFUSED_TOP_UPS: Final = Figure(
    key="refused_top_ups",
    title="Prepaid credit that could not be topped up",
    definition="Customers whose prepaid credit is topped up by itself, and of whom no invoice could be made for it.",
    formula="number of customers",
    permission=Permission.PAYMENT_READ,
    rows=_refused_top_ups,
    opens="/customers?customer={id}&customer_tab=Payments",
)
UNDONE_DISCOUNTS: Final = Figure(
    key="undone_discounts",
    title="Discounts whose payment was undone",
    definition="Open invoices with a credit note for early payment, whose payment was undone or taken back since.",
    formula="number of invoices",
    permission=Permission.INVOICE_READ,
    rows=_undone_discounts,
    opens="/invoices?invoice={id}",
)
FIGURES: Final = (
    *(OVERDUE_INVOICES, FAILED_PAYMENTS, OLD_DRAFTS, UNSPENT_CREDIT, REFUSED_TOP_UPS),
    UNDONE_DISCOUNTS,
)
