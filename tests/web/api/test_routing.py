"""Routes are found by how their addresses begin, and are the same that one list of them would be."""

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from billing_core.web.api.routing import RoutesTogether, router


def a_router(prefix, *declared):
    """``declared``: a method with the rest of an address; the answer is the route's number."""
    made = router(tags=["Test"], prefix=prefix)
    for number, one in enumerate(declared, 1):
        method, _, rest = one.partition(" ")
        made.add_api_route(rest, lambda number=number: PlainTextResponse(str(number)), methods=[method])
    return made


ROUTERS = (
    a_router("/things", "GET", "GET /all", "GET /{id}", "POST /{id}", "GET /{id}/parts"),
    a_router("/things/{id}", "DELETE", "GET /late"),
    a_router("", "GET /thin", "GET /things/{id}/parts/{part}"),
)


@pytest.fixture(params=["together", "in one list"])
def client(request):
    together = [RoutesTogether(list(one.routes)) for one in ROUTERS]
    in_one_list = [route for one in ROUTERS for route in one.routes]
    found = together if request.param == "together" else in_one_list
    return TestClient(FastAPI(routes=found, openapi_url=None, redirect_slashes=False))


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("GET /things", (200, "1")),
        ("GET /things/all", (200, "2")),
        ("GET /things/7", (200, "3")),
        ("POST /things/7", (200, "4")),
        ("GET /things/7/parts", (200, "5")),
        ("DELETE /things/7", (200, "1")),
        ("GET /things/7/late", (200, "2")),
        ("GET /thin", (200, "1")),
        ("GET /things/7/parts/8", (200, "2")),
        ("PUT /things/7", (405, "GET")),
        ("DELETE /things", (405, "GET")),
        ("DELETE /things/7/late", (405, "GET")),
        ("GET /thing", (404, None)),
        ("GET /things/", (404, None)),
        ("GET /", (404, None)),
        ("GET /other", (404, None)),
    ],
)
def test_each_address_has_its_route(client, asked, answered):
    answer = client.request(*asked.split())
    told = answer.text if answer.status_code == 200 else answer.headers.get("allow")
    assert (answer.status_code, told) == answered
