"""Imports every feature's tables, so that migrations and tests see the whole schema."""

from billing_core.audit import models as audit
from billing_core.businesses import models as businesses
from billing_core.collecting import models as collecting
from billing_core.customers import models as customers
from billing_core.database import Base
from billing_core.identity import api_keys, idempotent
from billing_core.identity import models as identity
from billing_core.imports import models as imports
from billing_core.invoices import models as invoices
from billing_core.invoices import payment_links
from billing_core.ledger import models as ledger
from billing_core.mailing import models as mailing
from billing_core.orders import models as orders
from billing_core.outbox import models as outbox
from billing_core.payments import models as payments
from billing_core.rating import models as rating
from billing_core.reports import models as reports
from billing_core.subscribers import models as subscribers
from billing_core.views import models as views

__all__ = [
    "api_keys",
    "audit",
    "businesses",
    "collecting",
    "customers",
    "idempotent",
    "identity",
    "imports",
    "invoices",
    "ledger",
    "mailing",
    "orders",
    "outbox",
    "payment_links",
    "payments",
    "rating",
    "reports",
    "subscribers",
    "views",
]

metadata = Base.metadata
