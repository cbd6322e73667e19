"""What about online payments needs attention, as figures that count."""

from typing import Any, Final

from sqlalchemy import Select

from billing_core.customers.models import Customer
from billing_core.figures import Figure, Scope, bound, day_of, one_each
from billing_core.identity import Permission
from billing_core.invoices.models import Invoice
from billing_core.online_payments.models import Dispute, DisputeState, PaymentCase, WebhookEvent, WebhookState
from billing_core.payments.models import Payment


def _open_cases(scope: Scope) -> Select[*tuple[Any, ...]]:
    rows = (
        one_each(PaymentCase.id, Customer.name + ": " + PaymentCase.said, day_of(PaymentCase.opened_at))
        .join(Customer, Customer.id == PaymentCase.customer_id)
        .where(PaymentCase.settled_at.is_(None))
    )
    return bound(rows, scope, PaymentCase.customer_id)


def _failed_events(scope: Scope) -> Select[*tuple[Any, ...]]:
    rows = (
        one_each(WebhookEvent.id, WebhookEvent.type + ": " + WebhookEvent.last_error, day_of(WebhookEvent.received_at))
        .outerjoin(Invoice, Invoice.id == WebhookEvent.invoice_id)
        .where(WebhookEvent.state == WebhookState.FAILED)
    )
    return bound(rows, scope, Invoice.customer_id)


def _open_disputes(scope: Scope) -> Select[*tuple[Any, ...]]:
    rows = (
        one_each(Dispute.id, Customer.name + ", " + Payment.reference, day_of(Dispute.opened_at))
        .join(Payment, Payment.id == Dispute.payment_id)
        .join(Customer, Customer.id == Payment.customer_id)
        .where(Dispute.state == DisputeState.OPEN)
    )
    return bound(rows, scope, Payment.customer_id)


OPEN_CASES: Final = Figure(
    key="open_payment_cases",
    title="Payments to settle",
    definition="Money that came in or went back online and fits no invoice as it is: somebody has to decide.",
    formula="number of cases",
    permission=Permission.PAYMENT_READ,
    rows=_open_cases,
    opens="/payments?payments_tab=To+settle",
)
FAILED_EVENTS: Final = Figure(
    key="failed_webhooks",
    title="Failed events of the payment service",
    definition="Events that the payment service sent, that could not be applied, and that are not tried again.",
    formula="number of events",
    permission=Permission.WEBHOOK_READ,
    rows=_failed_events,
    opens="/admin_incoming_webhooks?event={id}",
)
OPEN_DISPUTES: Final = Figure(
    key="open_disputes",
    title="Open disputes",
    definition="Payments that a customer has asked their bank to take back, and on which the bank has not decided.",
    formula="number of disputes",
    permission=Permission.PAYMENT_READ,
    rows=_open_disputes,
)
OF_PAYMENTS: Final = (OPEN_CASES, OPEN_DISPUTES)
FIGURES: Final = (*OF_PAYMENTS, FAILED_EVENTS)
