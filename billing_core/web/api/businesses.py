"""Our own legal entities for programs, /api/businesses: the invoices API names them by their ids."""

from starlette.responses import Response

from billing_core.businesses.models import Business
from billing_core.invoices import issuing
from billing_core.web.api.access import CurrentCaller, Reading
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.invoices import responses as shown
from billing_core.web.api.routing import router as described_router

router = described_router(prefix="/api/businesses", tags=["Businesses"])


@router.get("", response_model=shown.BusinessList, responses=shown.refusals(), summary="List the businesses")
def list_businesses(caller: CurrentCaller, session: Reading) -> Response:
    """All of them, there are a handful; a caller of one customer sees those that bill it."""
    found = issuing.businesses(session, caller.actor)
    return ExactJSON({"businesses": [_shown(business) for business in found], "count": len(found)})


def _shown(business: Business) -> dict[str, object]:
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
