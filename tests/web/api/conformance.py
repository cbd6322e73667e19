"""Whether an answer is what the published description says: its status, its fields, and the order of its fields."""

import re
from functools import cache
from typing import Any

import jsonschema_rs
from httpx2 import Response

from billing_core.web.api.app import api_app


def check(response: Response) -> None:
    """For a client's ``event_hooks``: fails where an answer and its description differ."""
    name = _operation(response.request.method, response.request.url.path)
    if name is None:
        return
    declared = _operations()[name]["responses"].get(str(response.status_code))
    assert declared is not None, f"{name} does not describe {response.status_code}"
    schema = declared.get("content", {}).get("application/json", {}).get("schema")
    if schema is None or response.headers.get("content-type") != "application/json":
        return
    response.read()
    body = response.json()
    _validator(name, str(response.status_code)).validate(body)
    assert _in_order(schema, body), f"{name} sends its fields in another order: {response.text[:1000]}"


@cache
def described() -> dict[str, Any]:
    """The description, made strict: no field that it does not name. As it is when this is called first."""
    description = api_app().openapi()
    for schema in description["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return description


@cache
def _operations() -> dict[str, dict[str, Any]]:
    return {one["operationId"]: one for methods in described()["paths"].values() for one in methods.values()}


@cache
def _addresses() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """Those without parameters first, as the routes are matched."""
    paths = sorted(described()["paths"].items(), key=lambda item: item[0].count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path.rstrip("/")) + "/?"), methods) for path, methods in paths]


def _operation(method: str, path: str) -> str | None:
    methods = next((methods for pattern, methods in _addresses() if pattern.fullmatch(path)), {})
    return methods[method.lower()]["operationId"] if method.lower() in methods else None


@cache
def _validator(operation: str, status: str) -> jsonschema_rs.Draft202012Validator:
    schema = _operations()[operation]["responses"][status]["content"]["application/json"]["schema"]
    components = {"components": {"schemas": described()["components"]["schemas"]}}
    return jsonschema_rs.Draft202012Validator(schema | components, validate_formats=True)


def _in_order(schema: dict[str, Any] | bool, value: Any) -> bool:
    """Whether the fields of every object stand in the order of its definition, where it has one."""
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema:
        schema = described()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return any(_in_order(branch, value) for branch in schema["anyOf"])
    if isinstance(value, list):
        return "items" in schema and all(_in_order(schema["items"], item) for item in value)
    if not isinstance(value, dict):
        return True
    if "properties" not in schema:
        of_any_name = schema.get("additionalProperties", {})
        return schema.get("type") == "object" and all(_in_order(of_any_name, item) for item in value.values())
    fields = schema["properties"]
    return [name for name in fields if name in value] == list(value) and all(
        _in_order(fields[name], item) for name, item in value.items()
    )
