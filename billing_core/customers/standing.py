"""Whether anything new may be billed to a customer. What it owes already stays payable, and is reminded of."""

from billing_core.customers.models import Customer
from billing_core.errors import Conflict


def refuse_inactive(customer: Customer) -> None:
    """Conflict where the customer is deactivated, or was merged into another one."""
    if not customer.active:
        raise inactive(customer.name, customer.merged_into_id)


def inactive(name: str, merged_into_id: int | None) -> Conflict:
    if merged_into_id is not None:
        return merged(name, merged_into_id)
    return Conflict(
        f"{name} is deactivated: nothing new is billed to it. Reactivate the customer first",
        fields={"customer_id": "is deactivated"},
    )


def merged(name: str, into_id: int) -> Conflict:
    return Conflict(
        f"{name} was merged into the customer {into_id}: use that one",
        fields={"customer_id": f"was merged into the customer {into_id}"},
    )
