"""Roles, what each may do, and the Actor that every service checks."""

import enum
from dataclasses import dataclass

from billing_core.errors import Forbidden


class Role(enum.StrEnum):
    FINANCE = "finance"
    MANAGER = "manager"
    ADMIN = "admin"


class Permission(enum.StrEnum):
    """``thing.verb``; also the action of the audit entries of what it allows."""

    CUSTOMER_READ = "customer.read"
    CUSTOMER_WRITE = "customer.write"
    ORDER_READ = "order.read"
    USAGE_READ = "usage.read"
    USAGE_WRITE = "usage.write"
    RATE_READ = "rate.read"
    RATE_WRITE = "rate.write"
    PLAN_READ = "plan.read"
    PLAN_WRITE = "plan.write"
    PROMO_READ = "promo_code.read"
    PROMO_WRITE = "promo_code.write"
    SUBSCRIPTION_READ = "subscription.read"
    SUBSCRIPTION_WRITE = "subscription.write"
    REPORT_READ = "report.read"
    REPORT_GENERATE = "report.generate"
    INVOICE_READ = "invoice.read"
    INVOICE_WRITE = "invoice.write"
    INVOICE_SEND = "invoice.send"
    PAYMENT_READ = "payment.read"
    PAYMENT_WRITE = "payment.write"
    LINK_WRITE = "payment_link.write"
    WEBHOOK_READ = "webhook.read"
    REMINDER_WRITE = "reminder.write"
    OUTBOX_READ = "outbox.read"
    EXPORT = "export"
    IMPORT = "import"
    USER_MANAGE = "user.manage"
    WEBHOOK_ENDPOINT_WRITE = "webhook_endpoint.write"
    BUSINESS_WRITE = "business.write"
    AUDIT_READ = "audit.read"
    JOBS_MANAGE = "jobs.manage"


_FINANCE = frozenset(
    {
        Permission.CUSTOMER_READ,
        Permission.ORDER_READ,
        Permission.USAGE_READ,
        Permission.RATE_READ,
        Permission.PLAN_READ,
        Permission.PROMO_READ,
        Permission.SUBSCRIPTION_READ,
        Permission.REPORT_READ,
        Permission.INVOICE_READ,
        Permission.PAYMENT_READ,
        Permission.OUTBOX_READ,
        Permission.WEBHOOK_READ,
        Permission.AUDIT_READ,
    }
)
_MANAGER = _FINANCE | {Permission.REPORT_GENERATE, Permission.EXPORT}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.FINANCE: _FINANCE,
    Role.MANAGER: _MANAGER,
    Role.ADMIN: frozenset(Permission),
}

# An actor bound to one customer never sees what is about all of them.
_OF_ONE_CUSTOMER = frozenset(
    {
        Permission.CUSTOMER_READ,
        Permission.ORDER_READ,
        Permission.USAGE_READ,
        Permission.RATE_READ,
        Permission.PLAN_READ,
        Permission.SUBSCRIPTION_READ,
        Permission.REPORT_READ,
        Permission.REPORT_GENERATE,
        Permission.INVOICE_READ,
        Permission.PAYMENT_READ,
        Permission.EXPORT,
    }
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. ``user_id`` None: the system (commands, jobs). ``customer_id`` set: sees that customer alone."""

    user_id: int | None
    name: str
    permissions: frozenset[Permission]
    customer_id: int | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def is_superuser(self) -> bool:
        """The published documents' word for an admin of the whole company."""
        return self.customer_id is None and self.permissions >= PERMISSIONS[Role.ADMIN]

    def require(self, permission: Permission) -> None:
        if permission not in self.permissions:
            raise Forbidden(f"Your role does not allow this: it needs the permission “{permission}”")


def actor_with(role: Role, *, user_id: int | None, name: str, customer_id: int | None = None) -> Actor:
    """An actor of this role. Bound to one customer, it has only the permissions that concern a single customer."""
    allowed = PERMISSIONS[role]
    return Actor(user_id, name, allowed if customer_id is None else allowed & _OF_ONE_CUSTOMER, customer_id)


SYSTEM = Actor(None, "system", frozenset(Permission))
