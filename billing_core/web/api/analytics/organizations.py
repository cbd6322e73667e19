"""Customers for programs that use the analytics API: /api/v1/organizations."""

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import with_config
from starlette.responses import Response
from typing_extensions import TypedDict

from billing_core.dates import utc_now
from billing_core.usage import organizations
from billing_core.usage.document import ID
from billing_core.web.api.access import CurrentCaller, Reading
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.paging import next_page
from billing_core.web.api.routing import router as described_router
from billing_core.web.requests.values import IN_DIGITS

router = described_router(prefix="/api/v1/organizations", tags=["Analytics"])
MOST_AT_ONCE = 1_000
_EXAMPLE: dict[str, Any] = {
    "id": ID,
    "customer_ref": "EXAMPLE",
    "name": "Example Corp",
    "subscription_tier": "basic",
}


@with_config(json_schema_extra={"example": _EXAMPLE})
class Organization(TypedDict):
    """A customer. ``customer_ref`` is its key in imported files, ``subscription_tier`` the code of its plan today."""

    id: str
    customer_ref: str
    name: str
    subscription_tier: str


@with_config(json_schema_extra={"example": {"organizations": [_EXAMPLE], "count": 1}})
class OrganizationList(TypedDict):
    """``count`` organizations; the ``Link`` header leads to the next page."""

    organizations: list[Organization]
    count: int


@router.get(
    "",
    response_model=OrganizationList,
    responses={
        200: {
            "headers": {
                "Link": {"description": 'The next page, where there is one: rel="next"', "schema": {"type": "string"}}
            }
        },
    },
    summary="List the organizations",
)
def list_organizations(
    request: Request,
    caller: CurrentCaller,
    session: Reading,
    customer_ref: Annotated[str | None, Query(max_length=64, description="Only the one with this key")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most"), IN_DIGITS] = MOST_AT_ONCE,
    starting_after: Annotated[
        str | None, Query(max_length=36, description="The `id` that the page before ended with")
    ] = None,
) -> Response:
    """Those that the caller may see, in the order in which they became customers."""
    rows = organizations.page(
        session,
        caller.actor,
        ref=customer_ref,
        starting_after=starting_after,
        day=utc_now().date(),
        limit=limit + 1,
    )
    shown = rows[:limit]
    answer: OrganizationList = {
        "organizations": [
            {"id": row.uuid, "customer_ref": row.ref, "name": row.name, "subscription_tier": row.tier} for row in shown
        ],
        "count": len(shown),
    }
    return ExactJSON(answer, headers=next_page(request, shown[-1].uuid) if len(rows) > limit else None)
