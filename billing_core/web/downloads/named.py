"""The customer and the business that the address of a download names. Of one that there is not there is no file: one
without rows would be taken for an answer.
"""

from fastapi import Request
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.customers import queries as customers
from billing_core.errors import NotFound
from billing_core.identity import Actor
from billing_core.invoices import issuers
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.parameters import LARGEST_ID

_LOOKED_UP = ("customer_id", "business_id")


def known(request: Request, actor: CurrentActor) -> None:
    """NotFound where the address names one that there is not, or that this actor may not see."""
    # What is no id is refused by the route, with its reason.
    ids = {name: int(text) for name in _LOOKED_UP if _is_id(text := request.query_params.get(name, ""))}
    if ids:
        with runtime.sessions()() as session:
            _must_be_there(session, actor, **ids)


def _must_be_there(
    session: Session, actor: Actor, *, customer_id: int | None = None, business_id: int | None = None
) -> None:
    if customer_id is not None:
        customers.one(session, actor, customer_id)
    if business_id is not None and business_id not in {one.id for one in issuers.visible(session, actor)}:
        raise NotFound(f"There is no business {business_id}")


def _is_id(text: str) -> bool:
    return len(text) <= len(str(LARGEST_ID)) and text.isascii() and text.isdecimal() and 1 <= int(text) <= LARGEST_ID
