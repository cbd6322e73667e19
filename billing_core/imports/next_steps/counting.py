"""What is to be done next about what files brought: each step with its count, where there is anything to do."""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind
from billing_core.rating.models import Rate, Service
from billing_core.reports.lacking import Lack, lacking
from billing_core.reports.models import BillingMonth

# Months that are told one by one; the newest of more.
MOST_MONTHS: Final = 12


class Task(enum.StrEnum):
    """What is to be done. The values are words for programs."""

    PRICE_SERVICES = "price_services"
    PRICE_CUSTOMERS = "price_customers"
    REPORT_ORDERS = "report_orders"
    ADD_EMAILS = "add_emails"
    ADD_ADDRESSES = "add_addresses"
    ADD_PLANS = "add_plans"


# What can come of each kind, the most urgent first.
_AFTER: Final[dict[Kind, tuple[Task, ...]]] = {
    Kind.CUSTOMERS: (Task.PRICE_CUSTOMERS, Task.ADD_EMAILS, Task.ADD_ADDRESSES, Task.ADD_PLANS),
    Kind.SERVICES: (Task.PRICE_SERVICES, Task.PRICE_CUSTOMERS),
    Kind.PRODUCTS: (Task.REPORT_ORDERS,),
    Kind.RATES: (Task.PRICE_SERVICES, Task.PRICE_CUSTOMERS, Task.REPORT_ORDERS),
    Kind.ORDERS: (Task.PRICE_CUSTOMERS, Task.REPORT_ORDERS),
    Kind.ORDER_ITEMS: (Task.PRICE_CUSTOMERS, Task.REPORT_ORDERS),
    Kind.PLANS: (Task.ADD_PLANS,),
    Kind.CUSTOMER_PLANS: (Task.ADD_PLANS,),
    Kind.PROMO_CODES: (),
    Kind.USAGE: (Task.ADD_PLANS,),
}
_LACKS: Final = {
    Task.PRICE_CUSTOMERS: Lack.PRICES,
    Task.ADD_EMAILS: Lack.EMAIL,
    Task.ADD_ADDRESSES: Lack.ADDRESS,
    Task.ADD_PLANS: Lack.PLAN,
}


@dataclass(frozen=True, slots=True)
class Step:
    """A task with how many customers, services or orders it is about. ``months``: those of the orders, by their first
    days, each with its orders; the newest where there are many.
    """

    task: Task
    count: int
    months: tuple[tuple[date, int], ...] = ()

    @property
    def words(self) -> str:
        one, several = _WORDS[self.task]
        return f"{self.count:,} {one if self.count == 1 else several}"


_WORDS: Final = {
    Task.PRICE_SERVICES: ("service is on no rate card", "services are on no rate card"),
    Task.PRICE_CUSTOMERS: ("customer has orders and no prices", "customers have orders and no prices"),
    Task.REPORT_ORDERS: ("order is on no report", "orders are on no report"),
    Task.ADD_EMAILS: ("customer has no e-mail address", "customers have no e-mail address"),
    Task.ADD_ADDRESSES: (
        "customer lacks the address or country that invoices need",
        "customers lack the address or country that invoices need",
    ),
    Task.ADD_PLANS: ("customer has usage and no plan", "customers have usage and no plan"),
}


def after(session: Session, actor: Actor, kinds: Collection[Kind]) -> list[Step]:
    """What is to be done after files of these kinds were imported."""
    actor.require(Permission.IMPORT)
    tasks = {task for kind in kinds for task in _AFTER[kind]}
    steps = [_step(session, actor, task) for task in Task if task in tasks]
    return [step for step in steps if step.count]


def _step(session: Session, actor: Actor, task: Task) -> Step:
    if task is Task.REPORT_ORDERS:
        return _unreported(session, actor)
    if task is Task.PRICE_SERVICES:
        priced = select(Rate.id).where(Rate.service_id == Service.id, Rate.in_force).exists()
        return Step(task, session.scalar(select(func.count()).select_from(Service).where(~priced)) or 0)
    lack = select(func.count()).select_from(Customer).where(Customer.active, visible_to(actor), lacking(_LACKS[task]))
    return Step(task, session.scalar(lack) or 0)


def _unreported(session: Session, actor: Actor) -> Step:
    """From the stored totals of months, which reports are generated for."""
    orders = func.sum(BillingMonth.unbilled_orders)
    by_month = (
        select(BillingMonth.month, orders)
        .where(BillingMonth.unbilled_orders > 0, visible_to(actor, BillingMonth.customer_id))
        .group_by(BillingMonth.month)
        .order_by(BillingMonth.month.desc())
    )
    months = [(month, int(count)) for month, count in session.execute(by_month)]
    return Step(Task.REPORT_ORDERS, sum(count for _, count in months), tuple(sorted(months[:MOST_MONTHS])))
