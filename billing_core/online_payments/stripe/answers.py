"""Reading what Stripe's library hands over."""

from typing import Any

from stripe import StripeObject


def field(parent: StripeObject | None, name: str) -> Any:
    """What Stripe need not tell: None where it does not."""
    return getattr(parent, name, None)


def id_of(reference: Any) -> str | None:
    """Of what Stripe tells as an id or, where we asked for it, as the whole object."""
    return reference if reference is None or isinstance(reference, str) else str(reference.id)


def request_id(answer: StripeObject) -> str:
    response = answer.last_response
    return (response.request_id if response is not None else None) or ""
