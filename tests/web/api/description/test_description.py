"""The APIs describe themselves completely, to programs and to people."""

import re

import pytest

from billing_core.web.api.app import api_app
from billing_core.web.api.description.openapi_links import LINKS

OPEN = {"create_token"}


@pytest.fixture(scope="module")
def described():
    return api_app().openapi()


@pytest.fixture(scope="module")
def operations(described):
    return [(path, method, one) for path, methods in described["paths"].items() for method, one in methods.items()]


def references(value):
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_reference_leads_somewhere(described):
    for reference in set(references(described)):
        place = described
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_every_operation_names_its_refusals_and_has_a_name_that_makes_a_good_client(operations):
    names = [one["operationId"] for _, _, one in operations]
    assert len(set(names)) == len(names)
    for path, method, one in operations:
        needed = {"400", "401", "429", "500", "503"}
        needed |= set() if one["operationId"] in OPEN else {"403"}
        needed |= {"404"} if "{" in path else set()
        needed |= {"413"} if "requestBody" in one else set()
        assert needed <= one["responses"].keys(), (method, path)
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", one["operationId"])
        assert one["summary"]
        for answer in one["responses"].values():
            assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= answer["headers"].keys()
        keyed = "Idempotency-Key" in [parameter["name"] for parameter in one.get("parameters", ())]
        assert keyed == (method == "post")


def test_every_body_and_every_good_answer_as_text_has_an_example(described, operations):
    def examples(content):
        schema = content["schema"]
        if "$ref" in schema:
            schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return (content.keys() | schema.keys()) & {"example", "examples"}

    for path, method, one in operations:
        good = [answer for status, answer in one["responses"].items() if status.startswith("2")]
        for told in (*good, one.get("requestBody", {})):
            for kind, content in told.get("content", {}).items():
                assert kind not in ("application/json", "application/x-ndjson") or examples(content), (method, path)


def test_links_lead_from_answers_to_operations_that_take_what_they_give(operations):
    taken = {one["operationId"]: {each["name"] for each in one.get("parameters", ())} for _, _, one in operations}
    links = {
        (one["operationId"], status): answer["links"]
        for _, _, one in operations
        for status, answer in one["responses"].items()
        if "links" in answer
    }
    assert links.keys() == LINKS.keys()
    for link in (link for answer in links.values() for link in answer.values()):
        assert link["parameters"].keys() <= taken[link["operationId"]]


def test_frameworks_own_shapes_are_not_among_them(described):
    assert not [reference for reference in references(described) if "ValidationError" in reference]


def test_credentials_are_described(described):
    assert described["security"] == [{"bearer": []}, {"session": [], "csrf": []}]
    assert described["components"]["securitySchemes"].keys() == {"bearer", "session", "csrf"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_both_are_there_without_credentials_and_need_nothing_from_elsewhere(api, browser, operations):
    client = browser()
    assert client.get("/api/openapi.json").json()["openapi"].startswith("3.1")
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert not re.search(r'(src|href)="(https?:)?//', page.text)
    assert "script-src" not in page.headers["content-security-policy"]
    assert not re.search(r"Default:\s*<code>\s*</code>", page.text), "a parameter without a default names none"
    for path, _, one in operations:
        assert f'id="{one["operationId"]}"' in page.text
        assert path in page.text
