"""Events that programs send: each kept once, each refused with its index and field, and nothing by halves."""

import asyncio
import gzip
import json

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.metering import keeping
from billing_core.metering.models import UsageDay, UsageEvent, UsageEventKey, ZoneKind
from billing_core.web.api.middleware.api_middleware import ApiMiddleware
from tests.invoices.company import a_customer

EVENTS = "/api/v1/usage/events"
LINES = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}


def an_event(name="1", **facts):
    return {"id": name, "customer_ref": "ACME", "time": "2026-03-10T10:00:00Z", **facts}


def answered(answer, accepted=0, repeated=0, late=0, refused=()):
    assert answer.status_code == 200, answer.text
    wanted = {"accepted": accepted, "repeated": repeated, "late": late, "refused": list(refused)}
    assert answer.json() == wanted


def kept(sessions):
    """The number of events, of their keys, and of the calls that the days count."""
    calls = select(func.coalesce(func.sum(UsageDay.calls), 0)).where(UsageDay.zone_kind == ZoneKind.UTC)
    with sessions() as session:
        counted = [session.scalar(select(func.count()).select_from(model)) for model in (UsageEvent, UsageEventKey)]
        return (*counted, int(session.scalar(calls)))


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session)


@pytest.fixture
def client(acme, program):
    return program()


def test_a_batch_is_counted_once_however_often_it_is_sent(client, sessions):
    batch = {"events": [an_event("1", user="ana", response_time=0.42, quantity=3), an_event("2"), an_event("2")]}
    answered(client.post(EVENTS, json=batch), accepted=2, repeated=1)
    answered(client.post(EVENTS, json=batch), repeated=3)
    answered(client.post(EVENTS, json={"events": [an_event("3"), *batch["events"]]}), accepted=1, repeated=3)
    assert kept(sessions) == (3, 3, 3)


def test_one_event_may_come_by_itself(client, sessions):
    answered(client.post(EVENTS, json=an_event()), accepted=1)
    answered(client.post(EVENTS, json=an_event()), repeated=1)
    assert kept(sessions) == (1, 1, 1)


def test_events_may_come_one_a_line(client, sessions):
    lines = [json.dumps(an_event("1")), "", json.dumps(an_event("2", quantity=-1)), json.dumps(an_event("3"))]
    refusal = {"index": 1, "error": "quantity must not be negative", "fields": {"quantity": "must not be negative"}}
    answered(client.post(EVENTS, content="\r\n".join(lines) + "\n", headers=LINES), accepted=2, refused=[refusal])
    assert kept(sessions) == (2, 2, 2)


@pytest.mark.parametrize("by", ["uuid", "public_id", "ref"])
def test_an_organization_is_named_by_any_of_its_ids(by, client, acme, sessions):
    with sessions() as session:
        name = getattr(session.get_one(Customer, acme), by)
    event = {"id": "1", "organization_id": name, "time": "2026-03-10T10:00:00Z"}
    answered(client.post(EVENTS, json={"events": [event]}), accepted=1)


def test_the_letters_of_a_uuid_may_be_capitals_everywhere(client, acme, sessions):
    with sessions() as session:
        uuid = session.get_one(Customer, acme).uuid
    name = uuid.upper()
    event = {"id": "1", "organization_id": name, "time": "2026-03-10T10:00:00Z"}
    answered(client.post(EVENTS, json={"events": [event, {**event, "organization_id": uuid}]}), accepted=1, repeated=1)
    here = f"/api/v1/usage/organizations/{name}"
    taken_back = client.post(f"{here}/events/1/withdraw", json={"reason": "Twice"})
    assert (taken_back.status_code, taken_back.json()["organization_id"]) == (200, uuid)
    assert client.get(f"{here}/prepaid-credit").status_code == 200
    assert client.get("/api/v1/usage/alerts", params={"organization_id": name}).status_code == 200
    alert = {"organization_id": name, "measure": "calls", "threshold": 5}
    made = client.post("/api/v1/usage/alerts", json=alert)
    assert (made.status_code, made.json()["organization_id"]) == (201, uuid)
    for part in ("usage", "billing", "billing/invoice"):
        assert client.get(f"/api/v1/analytics/{part}/{name}").status_code == 200


def test_numbers_are_kept_exactly(client, sessions):
    body = '{"events": [{"id": "1", "customer_ref": "ACME", "time": "2026-03-10T10:00:00Z", "quantity": 0.100000,'
    body += ' "response_time": 3.000001, "properties": {"a": 0.1000000000000000055511151231257827}}]}'
    answered(client.post(EVENTS, content=body, headers=JSON), accepted=1)
    with sessions() as session:
        event = session.scalars(select(UsageEvent)).one()
    assert (str(event.quantity), str(event.response_time)) == ("0.100000", "3.000001")
    assert event.properties == '{"a":0.1000000000000000055511151231257827}'
    # The float that is nearest to that number is another one.
    other = client.post(EVENTS, json={"events": [an_event("1", quantity=0.1, response_time=3.000001)]})
    assert other.status_code == 409


LONG = "x" * 10_000
DEEP = {"a": 1}
for _ in range(49):
    DEEP = {"a": DEEP}
BAD = {
    "unknown organization": ({"customer_ref": "NONE"}, "customer_ref", "“NONE” is no organization that we know"),
    "unknown meter": ({"meter": "steps"}, "meter", "“steps” is no meter that we know"),
    "a number as id": ({"id": 7}, "id", "must be a text"),
    "no id": ({"id": None}, "id", "is needed"),
    "a long id": ({"id": LONG}, "id", "may have at most 255 characters"),
    "a NUL": ({"id": "a\0b"}, "id", "has a character in it that cannot be kept (U+0000)"),
    "half a pair": ({"user": "\ud800"}, "user", "has a character in it that cannot be kept (U+D800)"),
    "a list as user": ({"user": ["ana"]}, "user", "must be a text"),
    "no time": ({"time": None}, "time", "is needed"),
    "no such time": ({"time": "2026-02-30T10:00:00Z"}, "time", "is not a time that there is"),
    "a number as time": ({"time": 1_770_000_000}, "time", "must be a time such as 2024-02-15T10:00:00Z"),
    "the future": ({"time": "2199-01-01T00:00:00Z"}, "time", "lies more than a day in the future"),
    "negative": ({"quantity": -1}, "quantity", "must not be negative"),
    "a text as quantity": ({"quantity": "1"}, "quantity", "must be a number"),
    "not a number": ({"quantity": float("nan")}, "quantity", "must be a number"),
    "endless": ({"response_time": float("inf")}, "response_time", "must be a number"),
    "seven decimals": ({"quantity": 0.0000001}, "quantity", "may have at most 6 decimals"),
    "deep": ({"properties": DEEP}, "properties", "may be nested at most 10 deep"),
    "large": ({"properties": {"a": LONG}}, "properties", "may have at most 10,000 bytes"),
    "no object": ({"properties": [1]}, "properties", "must be an object"),
    "not a field": ({"quantiti": 1}, "quantiti", "is not a field of an event"),
    "two names": ({"organization_id": "ACME"}, "customer_ref", "cannot be given beside organization_id"),
}


@pytest.mark.parametrize(("facts", "name", "reason"), BAD.values(), ids=BAD)
def test_a_bad_event_is_refused_with_index_and_field_and_the_others_are_kept(facts, name, reason, client, sessions):
    bad = json.dumps({**an_event("2"), **facts})
    body = f'{{"events": [{json.dumps(an_event("1"))}, {bad}, {json.dumps(an_event("3"))}]}}'

    whole = client.post(EVENTS, content=body, headers=JSON, params={"atomic": "true"})
    assert (whole.status_code, whole.json()["fields"]) == (400, {f"events.1.{name}": reason})
    assert kept(sessions) == (0, 0, 0)

    refusal = {"index": 1, "error": f"{name} {reason}", "fields": {name: reason}}
    answered(client.post(EVENTS, content=body, headers=JSON), accepted=2, refused=[refusal])
    assert kept(sessions) == (2, 2, 2)

    alone = client.post(EVENTS, content=bad, headers=JSON)
    assert (alone.status_code, alone.json()["fields"]) == (400, {f"events.0.{name}": reason})
    assert alone.json()["detail"] == f"Nothing was kept. Event 0: {name} {reason}"


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e99999999999999999999", "9" * 5000, "1e-400"])
def test_numbers_beyond_all_columns_spoil_only_their_event(number, client, sessions):
    bad = json.dumps(an_event("2"))[:-1] + f', "quantity": {number}}}'
    answer = client.post(EVENTS, content=f'{{"events": [{json.dumps(an_event())}, {bad}]}}', headers=JSON)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    (refusal,) = answer.json()["refused"]
    assert (refusal["index"], list(refusal["fields"])) == (1, ["quantity"])
    assert kept(sessions) == (1, 1, 1)


def test_an_id_with_other_content_is_a_conflict_that_names_both(client, sessions):
    answered(client.post(EVENTS, json=an_event(quantity=1)), accepted=1)
    reason = "“1” is also that of an event of 2026-03-10T10:00:00+00:00, which has other content"
    other = an_event(quantity=2)
    for body in (other, {"events": [other]}):
        answer = client.post(EVENTS, json=body)
        assert (answer.status_code, answer.json()["fields"]) == (409, {"events.0.id": reason})
    batch = {"events": [an_event("2"), other]}
    assert client.post(EVENTS, json=batch, params={"atomic": "true"}).status_code == 409
    refusal = {"index": 1, "error": f"id {reason}", "fields": {"id": reason}}
    answered(client.post(EVENTS, json=batch), accepted=1, refused=[refusal])
    assert kept(sessions) == (2, 2, 2)


def test_an_id_twice_in_a_batch_with_other_content_names_the_first(client, sessions):
    answer = client.post(EVENTS, json={"events": [an_event(), an_event(quantity=2), an_event()]})
    reason = "“1” is also that of event 0 of this batch, which has other content"
    refusal = {"index": 1, "error": f"id {reason}", "fields": {"id": reason}}
    answered(answer, accepted=1, repeated=1, refused=[refusal])
    assert kept(sessions) == (1, 1, 1)


def test_ten_thousand_events_come_at_once_and_one_more_is_refused(client, sessions):
    events = [an_event(str(number), user=f"user {number % 100}", endpoint="/v1/search") for number in range(10_001)]
    lines = "\n".join(map(json.dumps, events))
    for answer in (
        client.post(EVENTS, json={"events": events}),
        client.post(EVENTS, content=lines, headers=LINES),
    ):
        assert (answer.status_code, answer.json()["fields"]) == (400, {"events": "are 10,001"})
    assert kept(sessions) == (0, 0, 0)
    answered(client.post(EVENTS, json={"events": events[1:]}), accepted=10_000)
    answered(client.post(EVENTS, content=lines.partition("\n")[2], headers=LINES), repeated=10_000)
    assert kept(sessions) == (10_000, 10_000, 10_000)


WRONG = {
    "half a batch": (json.dumps({"events": [an_event()]})[:-9], JSON),
    "half a line": (json.dumps(an_event()) + "\n" + json.dumps(an_event("2"))[:-5], LINES),
    "no JSON": ("id=1", JSON),
    "nothing": ("", JSON),
    "a list": ("[]", JSON),
    "no list": ('{"events": {}}', JSON),
    "something beside the events": ('{"events": [], "atomic": true}', JSON),
    "a field twice": ('{"events": [{"id": "1", "id": "1"}]}', JSON),
    "a NUL in a name": ('{"events": [{"\\u0000": 1}]}', JSON),
    "nested without end": ('{"a":' * 100_000, JSON),
    "another kind of body": (json.dumps(an_event()), {"Content-Type": "text/plain"}),
    "an array a line": ("[]", LINES),
}


@pytest.mark.parametrize(("body", "headers"), WRONG.values(), ids=WRONG)
def test_a_body_that_is_none_is_refused_as_a_whole(body, headers, client, sessions):
    answer = client.post(EVENTS, content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert kept(sessions) == (0, 0, 0)


def test_a_byte_order_mark_is_no_part_of_a_body(client, sessions):
    mark = "\ufeff"
    answered(client.post(EVENTS, content=mark + json.dumps({"events": [an_event("1")]}), headers=JSON), accepted=1)
    answered(client.post(EVENTS, content=f"{mark}{json.dumps(an_event('2'))}\n", headers=LINES), accepted=1)
    answered(client.post(EVENTS, content=f"{mark}\n{json.dumps(an_event('3'))}\n", headers=LINES), accepted=1)
    assert kept(sessions) == (3, 3, 3)


def test_a_compressed_body_is_refused_with_its_encoding(client, sessions):
    for kind in (JSON, LINES):
        body = gzip.compress(json.dumps(an_event()).encode())
        answer = client.post(EVENTS, content=body, headers={**kind, "Content-Encoding": "gzip"})
        assert answer.status_code == 415
        assert answer.json()["detail"].startswith("The body has Content-Encoding: gzip")
    assert kept(sessions) == (0, 0, 0)


@pytest.mark.parametrize("name", [".", "..", " .. "])
def test_an_id_that_no_address_can_name_is_refused(name, client, sessions):
    bad = client.post(EVENTS, json={"events": [an_event("1"), an_event(name), an_event("..."), an_event("a/../b")]})
    reason = "must be more than one or two dots, which no address can name"
    answered(bad, accepted=3, refused=[{"index": 1, "error": f"id {reason}", "fields": {"id": reason}}])


def test_a_broken_line_is_named(client):
    answer = client.post(EVENTS, content=json.dumps(an_event()) + "\n\n{", headers=LINES)
    assert answer.json()["detail"].startswith("Line 3: The body is not JSON")


@pytest.mark.parametrize("atomic", ["1", "yes", "null", "TRUE"])
def test_atomic_is_true_or_false(atomic, client):
    answer = client.post(EVENTS, json=an_event(), params={"atomic": atomic})
    assert (answer.status_code, answer.json()["fields"]) == (400, {"atomic": "must be true or false"})


def test_a_body_may_have_ten_mebibytes_and_others_one(client):
    padded = json.dumps({"events": [an_event()]}) + " " * (9 * 1024 * 1024)
    answered(client.post(EVENTS, content=padded, headers=JSON), accepted=1)
    answer = client.post(EVENTS, content=padded + " " * 1024 * 1024, headers=JSON)
    assert (answer.status_code, answer.json()["detail"]) == (413, "The body is larger than 10240 KiB")
    assert client.post("/api/v2/reports/generate/", content=padded, headers=JSON).status_code == 413


def test_a_batch_that_failed_in_the_middle_counts_once_when_it_is_sent_again(client, sessions, monkeypatch):
    batch = {"events": [an_event("1"), an_event("2")]}
    with monkeypatch.context() as broken:
        broken.setattr(keeping, "_COUNT", {})
        assert client.post(EVENTS, json=batch).status_code == 500
    assert kept(sessions) == (0, 0, 0)
    answered(client.post(EVENTS, json=batch), accepted=2)
    assert kept(sessions) == (2, 2, 2)


def test_a_client_that_goes_in_the_middle_of_its_body_has_sent_nothing():
    came = []

    async def receive():
        came.append(1)
        more = {"type": "http.request", "body": b'{"id": "1"}\n', "more_body": True}
        return more if len(came) == 1 else {"type": "http.disconnect"}

    async def app(_scope, _receive, _send):
        pytest.fail("half a body is no request")

    async def send(_message):
        pytest.fail("nobody is there")

    scope = {"type": "http", "method": "POST", "path": EVENTS, "headers": []}
    asyncio.run(ApiMiddleware(app)._forward(scope, receive, send, None, None))
    assert len(came) == 2


def test_the_same_key_gets_the_first_answer_again(client, sessions):
    key = {"Idempotency-Key": "batch-1"}
    first = client.post(EVENTS, json={"events": [an_event()]}, headers=key)
    again = client.post(EVENTS, json={"events": [an_event()]}, headers=key)
    answered(first, accepted=1)
    answered(again, accepted=1)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert client.post(EVENTS, json={"events": [an_event("2")]}, headers=key).status_code == 422
    assert kept(sessions) == (1, 1, 1)


@pytest.mark.parametrize("role", ["finance", "manager"])
def test_only_admins_record(role, acme, program, sessions):
    assert program(role).post(EVENTS, json=an_event()).status_code == 403
    assert kept(sessions) == (0, 0, 0)


def test_a_key_of_one_customer_cannot_record_even_its_own(acme, program, sessions):
    assert program("manager", customer_id=acme).post(EVENTS, json=an_event()).status_code == 403
    assert kept(sessions) == (0, 0, 0)


def test_a_batch_is_one_entry_of_the_audit_log(client, sessions):
    with sessions() as session:
        before = session.scalar(select(func.count()).select_from(AuditEntry))
    client.post(EVENTS, json={"events": [an_event("1"), an_event("2"), an_event("3", quantity=-1)]})
    client.post(EVENTS, json={"events": [an_event("1")]})
    with sessions() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()[before:]
    assert [entry.after for entry in entries] == [{"accepted": 2, "repeated": 0, "late": 0, "refused": 1}]
