"""The lines that bill a service of a report: a quantity at a unit price wherever these make what was charged.

A report rounds each order, an invoice each line. Where the two differ, and for percentages, a line has the quantity 1
and the amount as its price, and its text says how that came about: an invoice bills what its report says, to the cent.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from billing_core.invoices import report_wording
from billing_core.invoices.content.content import DraftLine
from billing_core.invoices.content.field_checks import may_bill
from billing_core.invoices.content.totals import rounded
from billing_core.money import Money
from billing_core.rating.models import CostType
from billing_core.reports.contents import ServiceTotal
from billing_core.reports.prices import AtPrice
from billing_core.reports.queries import Report

# Who reads an invoice wants the tiers, not a price list: a service with more lines than this gets one.
MOST_LINES: Final = 20


def of_service(report: Report, total: ServiceTotal, prices: Sequence[AtPrice], language: str) -> list[DraftLine]:
    """The lines of a service; what was charged nothing for has none."""
    lines = [line for at_price in prices for line in _of_price(report, total, at_price, language)]
    if len(lines) <= MOST_LINES:
        return lines
    words = report_wording.service_words(
        total.service_name, total.cost_type, total.quantity, total.order_count, report.period, language
    )
    return [of_amount(report, total.amount_minor, words, total.service_id)]


def of_amount(
    report: Report,
    amount_minor: int,
    description: str,
    service_id: int | None = None,
    *,
    order_id: int | None = None,
) -> DraftLine:
    """A line of a whole amount: of a service, of an order, or of all that the report bills."""
    amount = Money(amount_minor, report.currency)
    return DraftLine.of_amount(description, amount, service_id=service_id, report_id=report.id, order_id=order_id)


def _of_price(report: Report, total: ServiceTotal, charged: AtPrice, language: str) -> list[DraftLine]:
    if not charged.amount_minor:
        return []
    service = (total.service_name, total.cost_type)
    if charged.bound:
        return [_of_orders(report, total, charged, report_wording.bound_words(*service, charged, language))]
    sliced = [
        DraftLine(
            report_wording.slice_words(*service, one, charged.days, language),
            one.units,
            one.unit_price,
            service_id=total.service_id,
            report_id=report.id,
        )
        for one in charged.slices
    ]
    if total.cost_type is not CostType.PERCENT_OF_SERVICES and _come_to(charged.amount_minor, sliced, report.currency):
        return sliced
    words = report_wording.computed_words(
        *service, charged, report.currency, language, rounded=_was_rounded(total, charged, report.currency)
    )
    if total.cost_type is CostType.PER_ORDER:
        return [_of_orders(report, total, charged, words)]
    return [of_amount(report, charged.amount_minor, words, total.service_id)]


def _of_orders(report: Report, total: ServiceTotal, charged: AtPrice, words: str) -> DraftLine:
    """So many orders, of which each was charged the same."""
    each = of_amount(report, charged.amount_minor // charged.orders, words, total.service_id)
    return replace(each, quantity=each.quantity * charged.orders)


def _come_to(amount_minor: int, lines: Sequence[DraftLine], currency: str) -> bool:
    """Whether these lines, each rounded, are as many as may be billed and make the amount."""
    may_be = all(may_bill(line.quantity, line.unit_price) for line in lines)
    return may_be and amount_minor == sum(rounded(line.computed, currency) for line in lines)


def _was_rounded(total: ServiceTotal, charged: AtPrice, currency: str) -> bool:
    """Whether the slices come to another amount than was charged, as each order was rounded."""
    exact = sum((one.units * one.unit_price for one in charged.slices), Decimal(0))
    if total.cost_type is CostType.PERCENT_OF_SERVICES:
        exact /= 100
    return exact != Money(charged.amount_minor, currency).amount
