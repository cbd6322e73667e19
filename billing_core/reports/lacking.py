"""What customers lack before they can be billed, in SQL."""

import enum

from sqlalchemy import ColumnElement, or_, select

from billing_core.customers.models import Customer
from billing_core.metering.models import UsageDay
from billing_core.plans.models import CustomerPlan
from billing_core.rating.models import Rate
from billing_core.reports.models import BillingMonth


class Lack(enum.StrEnum):
    """PRICES: of orders. ADDRESS: the street or the country, which invoices need. PLAN: of usage."""

    PRICES = "prices"
    EMAIL = "email"
    ADDRESS = "address"
    PLAN = "plan"


def lacking(what: Lack) -> ColumnElement[bool]:
    """In SQL: whether the customer lacks it. Who has no orders needs no prices, and without usage no plan."""
    if what is Lack.EMAIL:
        return Customer.email == ""
    if what is Lack.ADDRESS:
        return or_(Customer.address == "", Customer.country == "")
    if what is Lack.PRICES:
        ordered = select(BillingMonth.customer_id).where(
            BillingMonth.customer_id == Customer.id, BillingMonth.billable_orders > 0
        )
        return ordered.exists() & ~select(Rate.id).where(Rate.customer_id == Customer.id, Rate.in_force).exists()
    used = select(UsageDay.customer_id).where(UsageDay.customer_id == Customer.id)
    planned = select(CustomerPlan.id).where(
        CustomerPlan.customer_id == Customer.id, CustomerPlan.plan_version_id.is_not(None)
    )
    return used.exists() & ~planned.exists()
