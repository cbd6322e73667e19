"""The description of the APIs for programs that make clients: complete, with every refusal."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.responses import Response

from billing_core.identity import SESSION_COOKIE
from billing_core.web.api.access import CSRF_HEADER
from billing_core.web.api.description.openapi_links import LINKS
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.middleware import rate_limit
from billing_core.web.api.problem_bodies import EnvelopeProblem, OtherProblem, PlainProblem
from billing_core.web.api.problems import Family, family_of
from billing_core.web.api.routing import router as described_router

router = described_router(tags=["Description"])

ABOUT = """\
What programs may ask for is what people may do on the pages, with the same permissions.

**Credentials**: `Authorization: Bearer …` with a secret key (`sk_live_…`), a pair (`pk_live_…:sk_live_…`), or a token
from `POST /api/v1/auth/token`. A signed-in browser may use its session, and then sends `X-CSRF-Token` with changes.

**Two dialects** of `/api/v2/`: bearer credentials get the plain one, a browser session the envelope. The header
`Accept: application/vnd.billing.plain+json` or `application/vnd.billing.envelope+json` overrides that.

**Limits**: 100 requests a minute and 10 a second, counted for each key and each person; bodies of at most 1 MiB,
10 MiB where usage is recorded, 501 MiB where a file to import is posted.

**Once**: a POST repeated with the same `Idempotency-Key` within 24 hours gets the first answer.

**Exact**: amounts are JSON numbers in the currency's major unit, below `/v1/billing` integers in cents, with no float
in between.
"""
TAGS = {
    "Credentials": "Getting a token, and what a browser's changes need.",
    "Reports": "Billing reports: generate, list, read, download, and the summary by customer.",
    "Businesses": "Our own legal entities that issue invoices.",
    "Invoices": "Invoices with line items, from draft to paid.",
    "Payment links": "Having an invoice paid online.",
    "Billing": "Invoices in cents, open as soon as they are made.",
    "Usage": "Events of what organizations used: recorded once each, taken back, and those that came late.",
    "Imports": "Files that are checked first, and imported once that is confirmed.",
    "Analytics": "Organizations, what they used, and what it costs.",
}
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A secret key, a pair of keys, or a token"},
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "A signed-in browser"},
    "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER, "description": "From GET /api/v1/auth/csrf"},
}
_MEANINGS = {
    400: "The request cannot be used; the text says why",
    401: "Credentials are missing or not valid",
    403: "The caller's role does not allow this",
    404: "There is no such thing, or the caller may not see it",
    409: "A request with this Idempotency-Key is still being carried out",
    413: "The body is larger than 1 MiB",
    415: "The body is compressed, as its Content-Encoding says",
    422: "The Idempotency-Key was used with another request before",
    429: "Too many requests",
    500: "A fault on our side; the log knows it by the reference",
    503: "The database is busy with a large change",
}
# By the names under which the description has them.
_PROBLEMS = {"PlainProblem": PlainProblem, "EnvelopeProblem": EnvelopeProblem, "Problem": OtherProblem}
_PROBLEM_OF: dict[Family, Any] = {
    Family.REPORTS: {
        "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("PlainProblem", "EnvelopeProblem")]
    },
    Family.INVOICES: {"$ref": "#/components/schemas/Refusal"},
    Family.OTHER: {"$ref": "#/components/schemas/Problem"},
}
_LIMIT_HEADERS = {
    name: {"schema": {"type": "integer"}, "description": text}
    for name, text in zip(
        rate_limit.HEADERS,
        ("Requests a minute", "How many are left", "The second of the epoch at which more is free"),
        strict=True,
    )
}
# Texts without what control_character refuses; JSON itself has no surrogates.
_STORABLE = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key within 24 hours gets the first answer again, instead of doing the work twice",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def install(app: FastAPI) -> None:
    """The application's description: its addresses, completed with what holds for all of their operations."""

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(title=app.title, version=app.version, routes=app.state.addresses)
            app.openapi_schema = _complete(described)
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]  # as FastAPI documents it


@router.get("/api/openapi.json", include_in_schema=False)
def description(request: Request) -> Response:
    return ExactJSON(request.app.openapi())


def _complete(described: dict[str, Any]) -> dict[str, Any]:
    described["info"]["description"] = ABOUT
    described["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    described["security"] = [{"bearer": []}, {"session": [], "csrf": []}]
    components = described.setdefault("components", {})
    components["securitySchemes"] = _SECURITY_SCHEMES
    components["headers"] = _LIMIT_HEADERS
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for schema in schemas.values():
        # Only the bodies of requests refuse other fields.
        if schema.get("additionalProperties") is False:
            _restrict_texts(schema)
    for name, body in _PROBLEMS.items():
        schema = TypeAdapter(body).json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {name: schema}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            _complete_operation(path, method, operation)
    return described


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        if parameter["in"] == "query":
            _need_texts(parameter["schema"])
    for accepted in (*parameters, *operation.get("requestBody", {}).get("content", {}).values()):
        _restrict_texts(accepted["schema"])
    is_open = operation.get("security") == []
    repeatable = method == "post"
    if repeatable:
        operation["parameters"] = parameters = [*parameters, _IDEMPOTENCY_KEY]
    schema = responses.get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if schema.get("$ref", "").endswith("/HTTPValidationError"):
        del responses["422"]
    statuses = [400, 401, 429, 500, 503]
    statuses += [] if is_open else [403]
    statuses += [404] if "{" in path else []
    statuses += [413, 415] if "requestBody" in operation else []
    statuses += [409, 422] if repeatable else []
    for status in statuses:
        response = responses.setdefault(str(status), {"description": _MEANINGS[status]})
        response.setdefault("content", {"application/json": {"schema": _PROBLEM_OF[family_of(path)]}})
    for status, response in responses.items():
        if links := LINKS.get((operation["operationId"], status)):
            response["links"] = links
        response.setdefault("headers", {}).update(
            {name: {"$ref": f"#/components/headers/{name}"} for name in _LIMIT_HEADERS}
        )
    operation["responses"] = dict(sorted(responses.items()))


def _need_texts(schema: dict[str, Any]) -> None:
    """An address leaves out what it does not ask for: nothing in it is empty."""
    if schema.get("type") == "string" and not schema.keys() & {"enum", "pattern", "format"}:
        schema["minLength"] = 1
    for part in schema.get("anyOf", ()):
        _need_texts(part)


def _restrict_texts(schema: dict[str, Any]) -> None:
    """Describe which characters the schema's texts may hold, where nothing else describes their form."""
    described = schema.keys() & {"enum", "const", "pattern"} or schema.get("format", "password") != "password"
    if schema.get("type") == "string" and not described:
        schema["pattern"] = _STORABLE
    of_list = [schema["items"]] if "items" in schema else []
    for part in (*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *of_list):
        _restrict_texts(part)
