"""What subscriptions bring, as figures."""

from typing import Any, Final

from sqlalchemy import Select

from billing_core.customers.models import Customer
from billing_core.figures import Figure, Scope, bound, day_of, select_rows
from billing_core.identity import Permission
from billing_core.plans.models import Plan, PlanVersion
from billing_core.subscriptions.models import Subscription, SubscriptionState
from billing_core.subscriptions.overview import worth

# Those that bill, or would if their customers paid.
RECURRING: Final = (SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE, SubscriptionState.UNPAID)


def _recurring(scope: Scope) -> Select[*tuple[Any, ...]]:
    rows = select_rows(
        Subscription.id,
        Customer.name + ", " + Plan.name,
        day_of(Subscription.created_at),
        Subscription.currency,
        worth.a_month(),
    )
    rows = (
        rows.join_from(Subscription, Customer, Customer.id == Subscription.customer_id)
        .join(PlanVersion, PlanVersion.id == Subscription.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(Subscription.state.in_(RECURRING), Subscription.paused_at.is_(None))
    )
    if scope.currency is not None:
        rows = rows.where(Subscription.currency == scope.currency)
    return bound(worth.with_prices(rows), scope, Subscription.customer_id)


MONTHLY_RECURRING: Final = Figure(
    key="monthly_recurring_revenue",
    title="Monthly recurring revenue",
    definition="What subscriptions are worth a month that are active or past due, and not paused: plan, seats and "
    "add-ons at their full prices, before promo codes, introductory prices, usage and tax.",
    formula="sum of what is due each period, divided by the months of a period",
    permission=Permission.SUBSCRIPTION_READ,
    rows=_recurring,
    opens="/subscriptions?subscription={id}",
)
FIGURES: Final = (MONTHLY_RECURRING,)
