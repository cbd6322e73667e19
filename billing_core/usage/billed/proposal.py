"""The invoice of one customer's usage as it would be made now."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from billing_core.invoices.content import totals as invoices
from billing_core.invoices.content.totals import Totals, rounded
from billing_core.money import Money
from billing_core.usage.billed import drafting, invoice_lines, settling
from billing_core.usage.billed.drafting import Account, Billable
from billing_core.usage.billed.settling import Group


@dataclass(frozen=True, slots=True)
class ProposedLine:
    """In the customer's language, before tax. ``tax_rate``, in percent, is that of the period for which it came late;
    None: the invoice's.
    """

    words: str
    amount: Money
    tax_rate: Decimal | None = None

    def rate(self, tax_rate: Decimal) -> Decimal:
        """In percent, on an invoice at this rate."""
        return tax_rate if self.tax_rate is None else self.tax_rate


@dataclass(frozen=True, slots=True)
class Proposal:
    """``lines`` of the period, and of what came late for earlier ones and goes onto the same invoice. None: there would
    be no invoice, since the period comes to nothing, or is billed already, or cannot be billed (``billable`` says it).
    """

    billable: Billable
    lines: tuple[ProposedLine, ...]

    def totals(self, tax_rate: Decimal) -> Totals:
        """Of the invoice, at this rate in percent."""
        currency = self.lines[0].amount.currency
        lines = [invoices.Line(Decimal(1), line.amount.amount, line.rate(tax_rate)) for line in self.lines]
        return invoices.totals(lines, currency)


def of(session: Session, billable: Billable, account: Account, late: Sequence[Group]) -> Proposal:
    """``late``: what is settled with the next invoice; what is owed of it in the invoice's currency is on it."""
    if billable.period_id is not None or billable.refusal or billable.total is None:
        return Proposal(billable, ())
    names, language = drafting.names_of_places(session), account.customer.locale
    currency = billable.total.currency
    lines = []
    if billable.total.minor:
        lines = [
            ProposedLine(line.description, Money(rounded(line.computed, currency), currency))
            for charge in billable.charges
            if charge.amount and drafting.is_shown(charge)
            for line in invoice_lines.of_charge(charge, names, language)
        ]
    lines += [
        ProposedLine(settling.words(group, names, language), group.worth, group.tax_rate)
        for group in late
        if group.worth.minor > 0 and group.worth.currency == currency
    ]
    return Proposal(billable, tuple(lines))
