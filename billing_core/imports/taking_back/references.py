"""What refers to the rows that imports make, and so keeps them from being taken back.

A test finds every column that does in the models: a new one fails it until it has its place here.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import InstrumentedAttribute

from billing_core.customer_lifecycle.belongings import BELONGINGS
from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.imports import Kind
from billing_core.invoices.billed_orders.models import BilledOrder
from billing_core.invoices.models import InvoiceLineItem
from billing_core.metering.alerts import UsageCheck
from billing_core.orders.models import Order, OrderLine, Product
from billing_core.plans.models import (
    CustomerPlan,
    Plan,
    PlanAddOn,
    PlanAddOnAmount,
    PlanAmount,
    PlanPhase,
    PlanPrice,
    PlanPriceTier,
    PlanVersion,
)
from billing_core.promotions.models import PromoCode, PromoRedemption
from billing_core.rating.models import Rate, Service
from billing_core.reports.models import (
    BillingMonth,
    ChangedOrder,
    ReportCharge,
    ReportOrder,
    ReportQuestion,
    ReportServiceTotal,
)
from billing_core.subscriptions.models import (
    MovedSubscription,
    PlanMove,
    Subscription,
    SubscriptionPeriod,
    SubscriptionTerms,
)
from billing_core.usage.models import UsageLine


@dataclass(frozen=True, slots=True)
class Reference:
    """The ``column`` names a row, of which people are told what it ``has``; empty: another reference tells it."""

    column: InstrumentedAttribute[Any]
    has: str


def _has(noun: str) -> str:
    return f"has {'an' if noun[0] in 'aeio' else 'a'} {noun}"


# What is kept of rows beside them, and goes with them: the first of the columns that lead to them.
PARTS: Final[dict[type[Base], tuple[InstrumentedAttribute[Any], ...]]] = {
    Customer: (BillingMonth.customer_id, UsageCheck.customer_id),
    Order: (ChangedOrder.order_id,),
    PlanVersion: (
        PlanPrice.plan_version_id,
        PlanAddOn.plan_version_id,
        PlanAmount.plan_version_id,
        PlanPhase.plan_version_id,
    ),
    PlanPrice: (PlanPriceTier.price_id,),
    PlanAddOn: (PlanAddOnAmount.add_on_id,),
}
# The models whose rows imports of a kind make, those that refer to others of them first. Usage goes its own way.
MADE: Final[dict[Kind, tuple[type[Base], ...]]] = {
    Kind.CUSTOMERS: (Customer,),
    Kind.SERVICES: (Service,),
    Kind.PRODUCTS: (Product,),
    Kind.RATES: (Rate,),
    Kind.ORDERS: (Order,),
    Kind.ORDER_ITEMS: (OrderLine,),
    Kind.PLANS: (PlanVersion, Plan),
    Kind.CUSTOMER_PLANS: (CustomerPlan,),
    Kind.PROMO_CODES: (PromoCode,),
}
REFERENCES: Final[dict[type[Base], tuple[Reference, ...]]] = {
    Customer: tuple(
        Reference(one.column, _has(one.noun or str(one.column.class_.__tablename__).replace("_", " ").rstrip("s")))
        for one in BELONGINGS
        if one.column not in PARTS[Customer]
    ),
    Service: (
        Reference(Rate.service_id, "has a rate"),
        Reference(ReportServiceTotal.service_id, "is on a report"),
        Reference(ReportCharge.service_id, "is on a report"),
        Reference(ReportQuestion.service_id, "is on a report"),
        Reference(InvoiceLineItem.service_id, "is on an invoice"),
    ),
    Rate: (Reference(ReportCharge.rate_id, "has priced orders of a report"),),
    Order: (
        Reference(OrderLine.order_id, "has order lines"),
        Reference(BilledOrder.order_id, "is billed on an invoice"),
        Reference(InvoiceLineItem.order_id, ""),
        Reference(ReportOrder.order_id, "is on a report"),
        Reference(ReportCharge.order_id, ""),
        Reference(ReportQuestion.order_id, ""),
    ),
    Plan: (
        Reference(PlanVersion.plan_id, "has a version of its own"),
        Reference(PromoCode.plan_id, "has a promo code"),
        Reference(PlanMove.plan_id, "has subscriptions that were moved"),
    ),
    PlanVersion: (
        Reference(CustomerPlan.plan_version_id, "has customers"),
        Reference(UsageLine.plan_version_id, "is on a bill of usage"),
        Reference(Subscription.plan_version_id, "has subscriptions"),
        Reference(SubscriptionTerms.plan_version_id, "has subscriptions"),
        Reference(SubscriptionPeriod.plan_version_id, "has subscriptions"),
        Reference(PlanMove.version_id, "has subscriptions that were moved"),
        Reference(MovedSubscription.from_version_id, "has subscriptions that were moved"),
    ),
    PromoCode: (Reference(PromoRedemption.code_id, "has been redeemed"),),
}
