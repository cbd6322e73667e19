"""What several invoices come to."""

from collections.abc import Sequence

from billing_core.invoices.rows import CurrencyTotal, InvoiceRow, StatusTotal


def by_currency(parts: Sequence[InvoiceRow | StatusTotal]) -> list[CurrencyTotal]:
    """The invoices, or their totals by status, added up per currency, in the order of the codes."""
    sums: dict[str, CurrencyTotal] = {}
    for part in parts:
        before = sums.get(part.currency, CurrencyTotal(part.currency, 0, 0, 0))
        sums[part.currency] = CurrencyTotal(
            part.currency,
            before.invoices + (part.invoices if isinstance(part, StatusTotal) else 1),
            before.total_minor + part.total_minor,
            before.due_minor + part.due_minor,
        )
    return [sums[currency] for currency in sorted(sums)]
