"""The description of the APIs for programs and for people."""

from fastapi import Request

from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.routing import router as described_router

router = described_router(tags=["Description"])


@router.get("/api/openapi.json", include_in_schema=False)
def description(request: Request) -> ExactJSON:
    return ExactJSON(request.app.openapi())
