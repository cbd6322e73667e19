"""The description of the APIs as a page for people: without scripts, and with nothing from other sites."""

import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi import Request
from starlette.responses import Response

from billing_core.web import forms
from billing_core.web.api.description.openapi import ABOUT, TAGS
from billing_core.web.api.routing import router as described_router

router = described_router(tags=["Description"])
_STYLED = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")


@router.get("/api/docs", include_in_schema=False)
def page(request: Request) -> Response:
    """Every operation with its parameters, bodies and answers."""
    described = request.app.openapi()
    return forms.plain_page(
        request,
        "api_docs.html",
        about=ABOUT.strip().split("\n\n"),
        sections=_sections(described),
        pieces=_pieces,
        type_of=lambda schema: _type(described, _resolved(described, schema)),
        examples_of=lambda response: list(_examples(described, response)),
    )


def _pieces(text: str) -> list[tuple[str, str]]:
    """Text with the little Markdown that descriptions have, as (text, style)."""
    pieces, end = [], 0
    for styled in _STYLED.finditer(text):
        pieces.append((text[end : styled.start()], ""))
        pieces.append((styled[1], "code") if styled[1] else (styled[2], "strong"))
        end = styled.end()
    return [*pieces, (text[end:], "")]


def _examples(described: dict[str, Any], response: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Title and text of each example of an answer."""
    for kind, content in response.get("content", {}).items():
        for example in content.get("examples", {}).values():
            yield example.get("summary", ""), _printed(example["value"])
        schema = _resolved(described, content.get("schema", {}))
        if "example" in content:
            yield kind, _printed(content["example"])
        elif "examples" not in content:
            for example in schema.get("examples", [schema["example"]] if "example" in schema else []):
                yield "", _printed(example)


def _printed(example: Any) -> str:
    return example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)


def _sections(described: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations under their headings, each with its request's fields side by side."""
    sections: dict[str, list[dict[str, Any]]] = {name: [] for name in TAGS}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            entry = {"method": method.upper(), "path": path, **operation, "fields": _fields(described, operation)}
            for tag in operation.get("tags", ()):
                sections.setdefault(tag, []).append(entry)
    return [
        {"name": name, "about": TAGS.get(name, ""), "operations": entries}
        for name, entries in sections.items()
        if entries
    ]


def _fields(described: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return [] if schema is None else list(_members(described, schema, ""))


def _members(described: dict[str, Any], schema: dict[str, Any], above: str) -> list[dict[str, Any]]:
    """The fields of a body, those of its lines included: ``line_items[].quantity``."""
    schema = _resolved(described, schema)
    fields = []
    for name, member in schema.get("properties", {}).items():
        member = _resolved(described, member)
        fields.append(
            {
                "name": above + name,
                "type": _type(described, member),
                "required": name in schema.get("required", ()),
                "description": member.get("description", ""),
            }
        )
        if "items" in member:
            fields += _members(described, member["items"], f"{above}{name}[].")
    return fields


def _resolved(described: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return {**described["components"]["schemas"][name], **schema} if name else schema


def _type(described: dict[str, Any], schema: dict[str, Any]) -> str:
    if choices := schema.get("enum"):
        return " | ".join(map(str, choices))
    if several := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_type(described, _resolved(described, choice)) for choice in several))
    return str(schema.get("format", schema.get("type", "any")))
