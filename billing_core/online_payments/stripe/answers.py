"""Reading the objects of Stripe's library."""

from typing import Any

from stripe import StripeObject


def field(parent: StripeObject | None, name: str) -> Any:
    """An optional field of Stripe's; None where it is absent."""
    return getattr(parent, name, None)


def id_of(reference: Any) -> str | None:
    """The id of something that Stripe returns as an id or, where expanded, as the whole object."""
    return reference if reference is None or isinstance(reference, str) else str(reference.id)


def request_id(answer: StripeObject) -> str:
    response = answer.last_response
    return (response.request_id if response is not None else None) or ""
