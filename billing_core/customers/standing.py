"""Whether anything new may be billed to a customer. What it owes already stays payable, and is reminded of."""

from billing_core.customers.models import Customer
from billing_core.errors import Conflict


def refuse_inactive(customer: Customer) -> None:
    """Conflict where the customer is deactivated."""
    if not customer.active:
        raise inactive(customer.name)


def inactive(name: str) -> Conflict:
    return Conflict(
        f"{name} is deactivated: nothing new is billed to it. Reactivate the customer first",
        fields={"customer_id": "is deactivated"},
    )
