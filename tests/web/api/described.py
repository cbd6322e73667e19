"""The operations of the published description, and requests for them that are right."""

from typing import Any

from billing_core.web.api.app import api_app

FORM = "multipart/form-data"
DESCRIBED = api_app().openapi()
OPERATIONS = {
    one["operationId"]: (method.upper(), path, one)
    for path, methods in DESCRIBED["paths"].items()
    for method, one in methods.items()
}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return DESCRIBED["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def known_to(path: str, known: dict[str, Any]) -> dict[str, Any]:
    """Customers have another kind of id in the billing API."""
    if path.startswith("/api/v1/imports"):
        return known | {"token": known["confirm_token"]}
    return known | {"customer_id": known["cus"]} if path.startswith("/v1/") else known


def example(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    """What the description shows of it, with what there is instead of what there is not."""
    schema = resolved(schema)
    if isinstance(shown := schema.get("example"), dict):
        return {name: known.get(name) or value for name, value in shown.items()}
    if "properties" in schema:
        return {
            name: known.get(name) or example(part, known)
            for name, part in schema["properties"].items()
            if name in schema.get("required", ()) or "examples" in part
        }
    if schema.get("type") == "array":
        return [example(schema["items"], known)]
    return schema["examples"][0]


def body_of(one: dict[str, Any]) -> dict[str, Any]:
    return one["requestBody"]["content"]["application/json"]["schema"]


def right_body(one: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """The body of a right request, if it has one, as the client takes it."""
    content = one.get("requestBody", {}).get("content", {})
    if FORM in content:
        shown = example(content[FORM]["schema"], known)
        return {"files": {name: (name if name == "file" else None, value) for name, value in shown.items()}}
    return {"json": example(body_of(one), known)} if content else {}


def takes_json(one: dict[str, Any]) -> bool:
    return "application/json" in one.get("requestBody", {}).get("content", {})


def address(path: str, known: dict[str, Any]) -> str:
    for name in ("{import_id}", "{org_id}", "{alert_id}", "{code}", "{change_id}"):
        path = path.replace(name, known[name])
    return path.replace("{id}", next((value for start, value in known.items() if path.startswith(start)), ""))


def needed(one: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    return {
        parameter["name"]: known[parameter["name"]]
        for parameter in one.get("parameters", ())
        if parameter.get("required") and parameter["in"] == "query"
    }
