"""All that names a customer, and what becomes of it when the customer is merged into another one.

A test finds every column that names a customer in the models: a new one fails it until it has its place here.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, aliased

from billing_core.bill_runs.models import BillRunCustomer
from billing_core.customers.models import Customer
from billing_core.identity.api_keys import ApiKey
from billing_core.identity.models import User
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.ledger.models import Account, LedgerEntry, LedgerPosting
from billing_core.metering.alerts import ReachedThreshold, UsageAlert, UsageCheck
from billing_core.metering.models import (
    LateItem,
    UsageArchivedUser,
    UsageDay,
    UsageDigest,
    UsageEvent,
    UsageEventKey,
    UsagePeriod,
    UsageUser,
)
from billing_core.online_payments.models import CardRequest, PaymentCase, PaymentMethodOnFile
from billing_core.orders.models import Order, Product
from billing_core.outbox.models import OutboxMessage
from billing_core.payments.models import Payment, Refund
from billing_core.payments.prepaid.models import PrepaidGrant, PrepaidPurchase, PrepaidTopUp
from billing_core.plans.models import CustomerPlan
from billing_core.promotions.models import PromoRedemption
from billing_core.rating.models import Rate
from billing_core.reports.models import BillingMonth, BillingReport, ReportOrder
from billing_core.subscriptions.models import Subscription


class Fate(enum.Enum):
    """MOVES: to the customer that stays. STAYS: with the former one, as its history. REFUSES: there is no merging while
    there is any.
    """

    MOVES = enum.auto()
    STAYS = enum.auto()
    REFUSES = enum.auto()


@dataclass(frozen=True, slots=True)
class Belonging:
    """Rows by the ``column`` that names their customer, and what they are called in the singular; empty: people are not
    told. ``which`` of them, by the id of the customer that stays: the others have the other fate.
    """

    column: InstrumentedAttribute[Any]
    fate: Fate
    noun: str = ""
    which: Callable[[int], ColumnElement[bool]] = lambda _into_id: true()


def _unlike(*same: InstrumentedAttribute[Any]) -> Callable[[int], ColumnElement[bool]]:
    """In SQL: the customer that stays has none that is the ``same`` by these columns."""

    def condition(into_id: int) -> ColumnElement[bool]:
        theirs = aliased(same[0].class_)
        kept = select(*(getattr(theirs, column.key) for column in same)).where(theirs.customer_id == into_id)
        return tuple_(*same).not_in(kept)

    return condition


def on_no_report(_into_id: int) -> ColumnElement[bool]:
    """What a report has stays with the report."""
    reported = select(ReportOrder.order_id).join(BillingReport, BillingReport.id == ReportOrder.report_id)
    return Order.id.not_in(reported.where(BillingReport.superseded_at.is_(None)))


_REFUSED: Final = tuple(
    Belonging(column, Fate.REFUSES, noun)
    for column, noun in (
        (UsageEventKey.customer_id, "usage event"),
        (UsageEvent.customer_id, ""),
        (UsageDay.customer_id, "usage day"),
        (UsageDigest.customer_id, ""),
        (UsageUser.customer_id, ""),
        (UsageArchivedUser.customer_id, ""),
        (UsagePeriod.customer_id, "usage period"),
        (LateItem.customer_id, ""),
        (ReachedThreshold.customer_id, ""),
    )
)
BELONGINGS: Final = (
    Belonging(Invoice.customer_id, Fate.MOVES, "invoice"),
    Belonging(CreditNote.customer_id, Fate.MOVES, "credit note"),
    Belonging(Payment.customer_id, Fate.MOVES, "payment"),
    Belonging(Refund.customer_id, Fate.MOVES, "refund"),
    # By its account, as its index has it.
    Belonging(LedgerPosting.customer_id, Fate.MOVES, which=lambda _into_id: LedgerPosting.account.in_(list(Account))),
    Belonging(PaymentCase.customer_id, Fate.MOVES, "payment case"),
    Belonging(PaymentMethodOnFile.customer_id, Fate.MOVES, "kept card"),
    Belonging(CardRequest.customer_id, Fate.MOVES, "card request"),
    Belonging(PrepaidGrant.customer_id, Fate.MOVES, "prepaid grant"),
    Belonging(PrepaidPurchase.customer_id, Fate.MOVES, "prepaid purchase"),
    Belonging(PrepaidTopUp.customer_id, Fate.MOVES, "automatic top-up"),
    Belonging(Subscription.customer_id, Fate.MOVES, "subscription"),
    Belonging(CustomerPlan.customer_id, Fate.MOVES, "plan term"),
    Belonging(PromoRedemption.customer_id, Fate.MOVES, "redemption"),
    Belonging(Order.customer_id, Fate.MOVES, "order", on_no_report),
    Belonging(Product.customer_id, Fate.MOVES, "product", _unlike(Product.sku_key)),
    Belonging(Rate.customer_id, Fate.MOVES, "rate", _unlike(Rate.service_id)),
    Belonging(UsageAlert.customer_id, Fate.MOVES, "usage alert", _unlike(UsageAlert.measure, UsageAlert.threshold)),
    Belonging(OutboxMessage.customer_id, Fate.MOVES, "message"),
    Belonging(User.customer_id, Fate.MOVES, "bound account"),
    Belonging(ApiKey.customer_id, Fate.MOVES, "bound API key"),
    Belonging(Customer.merged_into_id, Fate.MOVES, "former customer"),
    Belonging(BillingReport.customer_id, Fate.STAYS, "report"),
    Belonging(BillRunCustomer.customer_id, Fate.STAYS, "bill run"),
    # For whom an entry was posted is sealed; whose it is now, its postings say.
    Belonging(LedgerEntry.customer_id, Fate.STAYS),
    # Counted anew from the orders.
    Belonging(BillingMonth.customer_id, Fate.STAYS),
    Belonging(UsageCheck.customer_id, Fate.STAYS),
    *_REFUSED,
)
