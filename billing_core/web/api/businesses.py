"""Our own legal entities for programs, /api/businesses: the invoices API names them by their ids."""

from typing import Any

from pydantic import with_config
from starlette.responses import Response
from typing_extensions import TypedDict

from billing_core.businesses import models
from billing_core.invoices import issuers
from billing_core.web.api.access import CurrentCaller, Reading
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.invoices.responses import refusals
from billing_core.web.api.routing import router as described_router

router = described_router(prefix="/api/businesses", tags=["Businesses"])
_EXAMPLE: dict[str, Any] = {
    "business_id": "biz_abc123",
    "name": "Clawprint Inc.",
    "email": "billing@clawprint.example",
    "phone": "",
    "address": "1 Main Street",
    "tax_id": "12-3456789",
    "currency": "USD",
    "time_zone": "America/New_York",
    "payment_terms": "Net 30",
    "active": True,
}


@with_config(json_schema_extra={"example": _EXAMPLE})
class Business(TypedDict):
    """One of our legal entities, which issue invoices."""

    business_id: str
    name: str
    email: str
    phone: str
    address: str
    tax_id: str
    currency: str
    time_zone: str
    payment_terms: str
    active: bool


@with_config(json_schema_extra={"example": {"businesses": [_EXAMPLE], "count": 1}})
class BusinessList(TypedDict):
    businesses: list[Business]
    count: int


@router.get("", response_model=BusinessList, responses=refusals(), summary="List the businesses")
def list_businesses(caller: CurrentCaller, session: Reading) -> Response:
    """All of them, there are a handful; a caller of one customer sees those that bill it."""
    businesses = issuers.visible(session, caller.actor)
    answer: BusinessList = {"businesses": [_answer(business) for business in businesses], "count": len(businesses)}
    return ExactJSON(answer)


def _answer(business: models.Business) -> Business:
    return {
        "business_id": business.public_id,
        "name": business.name,
        "email": business.email,
        "phone": business.phone,
        "address": business.address,
        "tax_id": business.tax_id,
        "currency": business.currency,
        "time_zone": business.time_zone,
        "payment_terms": business.payment_terms,
        "active": business.active,
    }
