"""The figures about money: what was invoiced and collected, what is owed and what is overdue.

Their rows come from the ledger, so each is available as at any day and as known at any instant. The present debts are
stored in the invoices too; ``verify`` proves that the two agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

from sqlalchemy import Select, Subquery, case, func, select

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.figures import Figure, Scope, select_rows, summed
from billing_core.identity import Permission
from billing_core.invoices.models import Invoice
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.ledger.queries import counting
from billing_core.payments.models import Payment
from billing_core.receivables import debts, flows
from billing_core.receivables.ageing import BUCKETS, Bucket


def _outstanding_kept(scope: Scope) -> Select[*tuple[Any, ...]]:
    left = flows.balance(debts.at_its_end(scope), Account.RECEIVABLE)
    return summed(left).having(func.sum(left.c.amount) != 0)


def _aged(bucket: Bucket, scope: Scope) -> Select[*tuple[Any, ...]]:
    scope = debts.at_its_end(scope)
    owed = debts.by_the_ledger(scope)
    return _rows_of(owed).where(bucket.holds(owed, debts.day(scope)))


def _aged_kept(bucket: Bucket, scope: Scope) -> Select[*tuple[Any, ...]]:
    scope = debts.at_its_end(scope)
    days = debts.by_due_date(scope)
    # Not as a condition: SQLite would pick another index for the days, and fetch each invoice for its amount.
    amount = func.sum(case((bucket.holds(days, debts.day(scope)), days.c.amount), else_=0))
    return select(days.c.currency, amount).group_by(days.c.currency).having(amount != 0)


def _customer_credit(scope: Scope) -> Select[*tuple[Any, ...]]:
    credit = debts.counted(debts.at_its_end(scope), Account.CUSTOMER_CREDIT)
    amount = func.sum(-LedgerPosting.amount_minor)
    return (
        select_rows(Customer.id, Customer.name, func.max(LedgerPosting.effective_on), LedgerPosting.currency, amount)
        .join(Customer, Customer.id == LedgerPosting.customer_id)
        .where(*counting(credit))
        .group_by(Customer.id, Customer.name, LedgerPosting.currency)
        .having(amount != 0)
    )


def _invoiced(scope: Scope) -> Select[*tuple[Any, ...]]:
    posted = flows.happened(scope, *flows.INVOICED)
    label = Invoice.number + ", " + Invoice.customer_name
    return (
        _posted(Invoice.id, label, posted)
        .join(posted, posted.c.invoice_id == Invoice.id)
        .group_by(Invoice.id, Invoice.number, Invoice.customer_name, posted.c.currency)
    )


def _collected(scope: Scope) -> Select[*tuple[Any, ...]]:
    posted = flows.happened(scope, *flows.COLLECTED)
    reference = case((Payment.reference == "", ""), else_=", " + Payment.reference)
    return (
        _posted(Payment.id, Customer.name + reference, posted)
        .join(posted, posted.c.first_entry_id == Payment.entry_id)
        .join(Customer, Customer.id == Payment.customer_id)
        .group_by(Payment.id, Payment.reference, Customer.name, posted.c.currency)
    )


def _posted(identity: Any, label: Any, posted: Subquery) -> Select[*tuple[Any, ...]]:
    """The sum of the postings to each document, where it is not 0."""
    amount = func.sum(posted.c.amount)
    return select_rows(identity, label, func.max(posted.c.effective_on), posted.c.currency, amount).having(amount != 0)


def _rows_of(owed: Subquery) -> Select[*tuple[Any, ...]]:
    label = owed.c.number + ", " + owed.c.customer_name
    return select_rows(owed.c.invoice_id, label, owed.c.late_after, owed.c.currency, owed.c.amount)


_LATE: Final = Bucket("late", "Late", 1, None)
_WHEN: Final = "Asked for a time, it is what stood at the end of its last day."

OUTSTANDING: Final = Figure(
    key="outstanding",
    title="Outstanding",
    definition=f"What customers still owe on invoices that were sent, whether it is due yet or not. {_WHEN}",
    formula="Σ total − paid − credited − written off of each invoice",
    permission=Permission.INVOICE_READ,
    rows=lambda scope: _rows_of(debts.by_the_ledger(debts.at_its_end(scope))),
    kept=_outstanding_kept,
    opens="/invoices?invoice={id}",
)
OVERDUE: Final = Figure(
    key="overdue",
    title="Overdue",
    definition=(
        "What customers still owe on overdue invoices: the due date is past, they were marked, or their own charge "
        f"failed. {_WHEN}"
    ),
    formula="Σ amount due of each invoice that was in time until before the day",
    permission=Permission.INVOICE_READ,
    rows=partial(_aged, _LATE),
    kept=partial(_aged_kept, _LATE),
    opens="/invoices?invoice={id}",
)
INVOICED: Final = Figure(
    key="invoiced",
    title="Invoiced",
    definition=(
        "The totals, tax included, of the invoices issued in the chosen period, less those cancelled in it; "
        "credit notes are not taken off."
    ),
    formula="Σ invoice totals − Σ totals of cancelled invoices",
    permission=Permission.INVOICE_READ,
    rows=_invoiced,
    kept=lambda scope: summed(flows.by_day(scope, *flows.INVOICED)),
    opens="/invoices?invoice={id}",
)
COLLECTED: Final = Figure(
    key="collected",
    title="Collected",
    definition=(
        "The payments received in the chosen period, before fees, less those that were undone in it; "
        "what was paid back is not taken off."
    ),
    formula="Σ payments − Σ undone payments",
    permission=Permission.INVOICE_READ,
    rows=_collected,
    kept=lambda scope: summed(flows.by_day(scope, *flows.COLLECTED)),
    opens="/payments?payment={id}",
)
CUSTOMER_CREDIT: Final = Figure(
    key="customer_credit",
    title="Customers’ credit",
    definition=f"What customers have paid and no invoice has used up yet: it is theirs. {_WHEN}",
    formula="Σ kept from payments and refunds − used for invoices − paid out",
    permission=Permission.INVOICE_READ,
    rows=_customer_credit,
    opens="/customers?customer={id}",
)


@cache
def aged(bucket: Bucket) -> Figure:
    """What is in one bucket of the ageing."""
    return Figure(
        key=f"ageing_{bucket.key}",
        title=f"Outstanding: {bucket.title}",
        definition=f"What customers still owe, by the days since it was due: {bucket.title}. {_WHEN}",
        formula="Σ amount due of each invoice in the bucket",
        permission=Permission.INVOICE_READ,
        rows=partial(_aged, bucket),
        kept=partial(_aged_kept, bucket),
        opens="/invoices?invoice={id}",
    )


FIGURES: Final = (OUTSTANDING, OVERDUE, *(aged(bucket) for bucket in BUCKETS), INVOICED, COLLECTED, CUSTOMER_CREDIT)


@dataclass(frozen=True, slots=True)
class DaysOutstanding:
    """How many days' invoices are still owed; it opens into the rows of both figures."""

    key: str
    title: str
    definition: str
    formula: str
    dividend: Figure
    divisor: Figure

    def days(
        self, dividends: Mapping[str | None, int], divisors: Mapping[str | None, int], period: Period
    ) -> dict[str, int]:
        """Whole days per currency, half a day rounded up; nothing where nothing was invoiced.

        From the values of ``dividend`` as at the period's end and of ``divisor`` in it.
        """
        return {
            code: (2 * dividends.get(code, 0) * period.days + divisors[code]) // (2 * divisors[code])
            for code in sorted(code for code in divisors if code is not None)
            if divisors[code] > 0
        }


DAYS_SALES_OUTSTANDING: Final = DaysOutstanding(
    key="days_sales_outstanding",
    title="Days sales outstanding",
    definition=(
        "How many days' worth of what was invoiced in the chosen period is still owed at its end: "
        "the lower, the sooner customers pay."
    ),
    formula="outstanding at the end ÷ invoiced × days",
    dividend=OUTSTANDING,
    divisor=INVOICED,
)
