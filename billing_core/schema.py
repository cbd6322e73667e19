"""Imports every feature's tables, so that migrations and tests see the whole schema."""

from billing_core.audit import models as audit
from billing_core.bill_runs import models as bill_runs
from billing_core.bounces import models as bounces
from billing_core.businesses import models as businesses
from billing_core.businesses import number_series
from billing_core.customers import models as customers
from billing_core.database import Base
from billing_core.identity import api_keys, attempts, idempotent
from billing_core.identity import models as identity
from billing_core.imports import models as imports
from billing_core.invoices import models as invoices
from billing_core.invoices import payment_links
from billing_core.invoices.billed_orders import models as billed_orders
from billing_core.invoices.content import tax_rows as invoice_taxes
from billing_core.ledger import models as ledger
from billing_core.mailing import models as mailing
from billing_core.metering import alerts as usage_alerts
from billing_core.metering import models as metering
from billing_core.online_payments import models as online_payments
from billing_core.orders import models as orders
from billing_core.outbox import models as outbox
from billing_core.outgoing_webhooks import models as outgoing_webhooks
from billing_core.payments import models as payments
from billing_core.payments.prepaid import models as prepaid
from billing_core.plans import models as plans
from billing_core.processes import models as processes
from billing_core.promotions import models as promotions
from billing_core.rating import models as rating
from billing_core.reports import models as reports
from billing_core.subscriptions import models as subscriptions
from billing_core.usage import models as usage
from billing_core.views import models as views

__all__ = [
    "api_keys",
    "attempts",
    "audit",
    "bill_runs",
    "billed_orders",
    "bounces",
    "businesses",
    "customers",
    "idempotent",
    "identity",
    "imports",
    "invoice_taxes",
    "invoices",
    "ledger",
    "mailing",
    "metering",
    "number_series",
    "online_payments",
    "orders",
    "outbox",
    "outgoing_webhooks",
    "payment_links",
    "payments",
    "plans",
    "prepaid",
    "processes",
    "promotions",
    "rating",
    "reports",
    "subscriptions",
    "usage",
    "usage_alerts",
    "views",
]

metadata = Base.metadata
