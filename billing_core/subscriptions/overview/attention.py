"""What about subscriptions needs attention, as figures that count."""

from typing import Any, Final

from sqlalchemy import Select

from billing_core.customers.models import Customer
from billing_core.dates import usual_day
from billing_core.figures import Figure, Scope, bound, day_of, one_each
from billing_core.identity import Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.online_payments.models import PaymentMethodOnFile
from billing_core.online_payments.off_session.methods import EXPIRING_WITHIN
from billing_core.plans.models import Plan, PlanVersion
from billing_core.receivables import debts
from billing_core.subscriptions.models import (
    ChangeState,
    Subscription,
    SubscriptionChange,
    SubscriptionInvoice,
    SubscriptionState,
)

_OVER: Final = (SubscriptionState.INCOMPLETE, SubscriptionState.CANCELED)


def _failed(scope: Scope) -> Select[*tuple[Any, ...]]:
    rows = one_each(Invoice.id, Invoice.number + ", " + Invoice.customer_name, day_of(SubscriptionInvoice.collect_at))
    rows = rows.join_from(SubscriptionInvoice, Invoice, Invoice.id == SubscriptionInvoice.invoice_id)
    rows = rows.where(SubscriptionInvoice.failed_at.is_not(None), Invoice.state == InvoiceState.OPEN)
    return bound(rows, scope, Invoice.customer_id)


def _held(scope: Scope) -> Select[*tuple[Any, ...]]:
    rows = one_each(Subscription.id, Customer.name + ", " + Plan.name, day_of(Subscription.held_at))
    rows = (
        rows.join_from(Subscription, Customer, Customer.id == Subscription.customer_id)
        .join(PlanVersion, PlanVersion.id == Subscription.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(Subscription.held_at.is_not(None), Subscription.state.not_in(_OVER))
    )
    return bound(rows, scope, Subscription.customer_id)


def _unanswered(scope: Scope) -> Select[*tuple[Any, ...]]:
    # A subscription has one such change at most.
    asked_on = day_of(SubscriptionChange.asked_at)
    rows = one_each(Subscription.id, Customer.name + ", " + Plan.name, asked_on)
    rows = (
        rows.join_from(SubscriptionChange, Subscription, Subscription.id == SubscriptionChange.subscription_id)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(PlanVersion, PlanVersion.id == Subscription.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(SubscriptionChange.state == ChangeState.CHARGING, asked_on < debts.day(scope))
    )
    return bound(rows, scope, Subscription.customer_id)


def _expiring(scope: Scope) -> Select[*tuple[Any, ...]]:
    today = usual_day(debts.day(scope))
    card = PaymentMethodOnFile.brand + " •••• " + PaymentMethodOnFile.last4
    rows = one_each(Subscription.id, Customer.name + ", " + card, PaymentMethodOnFile.expires_on)
    rows = (
        rows.join_from(Subscription, PaymentMethodOnFile, PaymentMethodOnFile.id == Subscription.payment_method_id)
        .join(Customer, Customer.id == Subscription.customer_id)
        .where(
            PaymentMethodOnFile.detached_at.is_(None),
            PaymentMethodOnFile.expires_on <= today + EXPIRING_WITHIN,
            Subscription.state.not_in(_OVER),
        )
    )
    return bound(rows, scope, Subscription.customer_id)


FAILED_CHARGES: Final = Figure(
    key="failed_charges",
    title="Charges that failed",
    definition="Open invoices of subscriptions that a card was charged for in vain, with the day on which it is "
    "charged again, if it is.",
    formula="number of invoices",
    permission=Permission.INVOICE_READ,
    rows=_failed,
    opens="/invoices?invoice={id}",
)
HELD_SUBSCRIPTIONS: Final = Figure(
    key="held_subscriptions",
    title="Subscriptions that wait for a decision",
    definition="Subscriptions that are not billed until somebody has looked, with the day since when.",
    formula="number of subscriptions",
    permission=Permission.SUBSCRIPTION_READ,
    rows=_held,
    opens="/subscriptions?subscription={id}",
)
UNANSWERED_CHANGES: Final = Figure(
    key="unanswered_changes",
    title="Changes whose charge is not answered",
    definition="Subscriptions with a change asked for before today, for which it is still not known whether the card "
    "was charged, with that day. Until it is known they are not billed.",
    formula="number of subscriptions",
    permission=Permission.SUBSCRIPTION_READ,
    rows=_unanswered,
    opens="/subscriptions?subscription={id}",
)
EXPIRING_CARDS: Final = Figure(
    key="expiring_cards",
    title="Cards about to expire",
    definition=f"Subscriptions whose card expires within {EXPIRING_WITHIN.days} days, or has, with its last day.",
    formula="number of subscriptions",
    permission=Permission.SUBSCRIPTION_READ,
    rows=_expiring,
    opens="/subscriptions?subscription={id}",
)
FIGURES: Final = (FAILED_CHARGES, HELD_SUBSCRIPTIONS, UNANSWERED_CHANGES, EXPIRING_CARDS)
