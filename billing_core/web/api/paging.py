"""Paging: how many come at most, and, where documents have no pages, a Link header that leads from each to the next."""

from typing import Any, Final

from fastapi import Request

from billing_core.settings import settings

# How the description tells of the header.
MORE: Final[dict[str, Any]] = {
    "Link": {
        "description": 'The address of the next page, with rel="next"; absent on the last one',
        "schema": {"type": "string"},
    }
}


def next_page(request: Request, starting_after: str | int) -> dict[str, str]:
    """The header that leads to what follows ``starting_after``, with the same filters (RFC 8288)."""
    address = request.url.include_query_params(starting_after=starting_after)
    # Behind a proxy, only the settings have the address that programs use.
    base = settings().public_url.rstrip("/") or f"{address.scheme}://{address.netloc}"
    return {"Link": f'<{base}{address.path}?{address.query}>; rel="next"'}
