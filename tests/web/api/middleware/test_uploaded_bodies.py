"""Files that programs upload are never whole in memory, and are refused before they are taken where they will be."""

import asyncio
import hashlib
import resource
import tempfile
import tracemalloc
from itertools import chain, repeat
from unittest import mock

import pytest
from sqlalchemy import select

from billing_core.identity import Permission
from billing_core.identity.idempotent import IdempotentRequest
from billing_core.web.doors import body_limits
from tests.invoices.company import a_customer
from tests.web.api import probe
from tests.web.api.probe import UPLOAD
from tests.web.knocking import knock

PART = 64 * 1024
MIB = 1024 * 1024
BOUNDARY = b"----part17"
BEGIN = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="orders.csv"\r\n\r\n' % BOUNDARY
END = b"\r\n--%b--\r\n" % BOUNDARY
MULTIPART = (b"content-type", b"multipart/form-data; boundary=" + BOUNDARY)
KEY = {"Idempotency-Key": "nightly-17"}


@pytest.fixture
def uploading(probed, monkeypatch):
    monkeypatch.setattr(body_limits, "_LINGER_SECONDS", 0.0)
    monkeypatch.setitem(body_limits.UPLOADED_TO, UPLOAD, Permission.IMPORT)
    return probed


@pytest.fixture
def client(uploading, program):
    return program()


@pytest.fixture
def credentials(key_of):
    def of(role, **bound):
        return (b"authorization", b"Bearer " + key_of(role, **bound).secret_key.encode())

    return of


def fifty_megabytes():
    return chain([BEGIN], repeat(b"0123456789,abcd\n" * (PART // 16), 50 * MIB // PART), [END])


@pytest.mark.parametrize("key", [[], [(b"idempotency-key", b"a")]])
def test_50_mb_pass_through_a_few(uploading, credentials, key):
    headers = [MULTIPART, credentials("admin"), *key]
    expected = hashlib.sha256(b"0123456789,abcd\n" * (50 * MIB // 16)).hexdigest().encode()
    tracemalloc.start()
    try:
        status, _, told, _ = asyncio.run(knock(uploading, "POST", UPLOAD, headers, fifty_megabytes()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (status, expected in told) == (202, True)
    assert peak < 8 * MIB


@pytest.mark.parametrize(
    ("who", "status"), [(None, 401), ("nobody", 401), ("finance", 403), ("manager", 403), ("customer", 403)]
)
def test_who_may_not_is_refused_before_anything_is_read(uploading, credentials, sessions, who, status):
    match who:
        case None:
            more = []
        case "nobody":
            more = [(b"authorization", b"Bearer sk_live_" + b"0" * 40)]
        case "customer":
            with sessions.begin() as session:
                customer_id = a_customer(session)
            more = [credentials("manager", customer_id=customer_id)]
        case _:
            more = [credentials(who)]
    answered, _, _, taken = asyncio.run(knock(uploading, "POST", UPLOAD, [MULTIPART, *more], fifty_megabytes()))
    assert (answered, taken) == (status, 0)


@pytest.mark.parametrize("announced", [False, True])
def test_what_is_larger_than_an_upload_is_refused_before_it_is_parsed(uploading, credentials, monkeypatch, announced):
    monkeypatch.setattr(body_limits, "AN_UPLOAD", 3 * MIB)
    headers = [MULTIPART, credentials("admin")]
    if announced:
        headers.append((b"content-length", b"52428800"))
    with mock.patch("billing_core.web.requests.multipart.MultipartParser", side_effect=AssertionError("parsed")):
        status, sent, told, taken = asyncio.run(knock(uploading, "POST", UPLOAD, headers, fifty_megabytes()))
    assert (status, sent[b"connection"]) == (413, b"close")
    assert b"The body is larger than 3072 KiB" in told
    assert taken <= (0 if announced else 3 * MIB + PART)


def test_an_upload_is_taken_at_its_own_address_and_method_alone(uploading, credentials):
    for method, path in (("GET", UPLOAD), ("PATCH", UPLOAD), ("POST", UPLOAD + "/"), ("POST", probe.PLACES["reports"])):
        headers = [MULTIPART, credentials("admin")]
        status, _, _, taken = asyncio.run(knock(uploading, method, path, headers, fifty_megabytes()))
        assert (status, taken <= MIB + PART) == (413, True), (method, path)


@pytest.fixture
def full_disk():
    """Files end at 2 MiB, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_of_and_nothing_is_done(uploading, credentials, sessions, full_disk):
    headers = [MULTIPART, credentials("admin"), (b"idempotency-key", b"a")]
    status, sent, told, taken = asyncio.run(knock(uploading, "POST", UPLOAD, headers, fifty_megabytes()))
    assert (status, sent[b"retry-after"]) == (503, b"60")
    assert b"There is no room on our disk for what was sent." in told
    assert taken < 4 * MIB
    assert probe.done(sessions) == 0
    with sessions() as session:
        assert session.scalars(select(IdempotentRequest)).all() == []


@pytest.mark.parametrize("how", ["answered", "refused", "gone", "broken"])
def test_the_file_is_closed_however_the_request_ends(uploading, credentials, monkeypatch, how):
    headers = [MULTIPART, credentials("admin")]
    opened = []
    real = tempfile.SpooledTemporaryFile

    def remembered(**options):
        opened.append(real(**options))
        return opened[-1]

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", remembered)
    parts = list(fifty_megabytes())[:40]
    if how != "refused":
        parts.append(END)
    if how == "broken":
        monkeypatch.setattr(probe.audit, "record", mock.Mock(side_effect=RuntimeError("a bug")))
    ending = _disconnected if how == "gone" else knock
    ended = asyncio.run(_ended(ending(uploading, "POST", UPLOAD, headers, parts)))
    assert ended == {"answered": 202, "refused": 400, "gone": None, "broken": 500}[how]
    assert [file.closed for file in opened] == [True]
    assert opened[0]._rolled


async def _ended(request):
    try:
        answer = await request
    except RuntimeError:
        # Raised anew for the server's log, after the answer.
        return 500
    return answer and answer[0]


async def _disconnected(application, method, path, headers, parts):
    """A client that goes before its body has ended."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages = iter([*messages, *[{"type": "http.disconnect"}] * 9])
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": ""}
    scope |= {"scheme": "http", "query_string": b"", "client": ("192.0.2.1", 5000), "server": ("testserver", 80)}
    scope |= {
        "headers": [(b"host", b"testserver"), *headers, (b"transfer-encoding", b"chunked")],
        "http_version": "1.1",
    }

    async def receive():
        return next(messages)

    await application(scope, receive, mock.AsyncMock(side_effect=AssertionError("answered")))


def sent(client, content, *, boundary, path=UPLOAD, further=b"", key=KEY):
    body = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="f.csv"\r\n\r\n%b\r\n%b--%b--\r\n'
    kind = f"multipart/form-data; boundary={boundary}"
    mark = boundary.encode()
    return client.post(path, content=body % (mark, content, further, mark), headers={"Content-Type": kind, **key})


def test_a_repetition_with_another_boundary_gets_the_first_answer(client, sessions):
    first = sent(client, b"1,2", boundary="one")
    again = sent(client, b"1,2", boundary="another-one")
    assert (first.status_code, again.status_code) == (202, 202)
    assert (first.content, again.headers["idempotent-replayed"]) == (again.content, "true")
    assert probe.done(sessions) == 1


@pytest.mark.parametrize(
    ("content", "further"),
    [(b"1,3", b""), (b"1,2\n", b""), (b"1,2", b'--one\r\nContent-Disposition: form-data; name="kind"\r\n\r\n\r\n')],
)
def test_one_byte_or_field_more_is_another_request(client, sessions, content, further):
    sent(client, b"1,2", boundary="one")
    assert sent(client, content, boundary="one", further=further).status_code == 422
    assert probe.done(sessions) == 1


def test_what_cannot_be_read_is_itself_alone(client):
    """Each is refused, and its refusal repeated for the same bytes."""
    kind = {"Content-Type": "multipart/form-data; boundary=one", **KEY}
    first = client.post(UPLOAD, content=b"--one\r\nhalf", headers=kind)
    assert first.status_code == 400
    assert client.post(UPLOAD, content=b"--one\r\nhalf", headers=kind).content == first.content
    assert client.post(UPLOAD, content=b"--one\r\nhals", headers=kind).status_code == 422


def test_an_upload_of_another_kind_is_refused_and_repeated(client):
    first = client.post(UPLOAD, content=b"x" * 2 * MIB, headers={"Content-Type": "text/csv", **KEY})
    again = client.post(UPLOAD, content=b"x" * 2 * MIB, headers={"Content-Type": "text/csv", **KEY})
    assert (first.status_code, again.content) == (400, first.content)
    assert again.headers["idempotent-replayed"] == "true"


def test_what_was_stored_of_other_bodies_stays_valid(client, sessions):
    """As it has been computed since there are Idempotency-Keys."""
    body = b'{"amount": 5}'
    client.post(probe.PLACES["reports"] + "/work", content=body, headers={"Content-Type": "application/json", **KEY})
    said = (b"/api/v2/probe/work", b"", b"plain", body)
    with sessions() as session:
        stored = session.scalars(select(IdempotentRequest.fingerprint)).one()
    assert stored == hashlib.sha256(b"\0".join(hashlib.sha256(each).digest() for each in said)).hexdigest()


def test_the_page_of_files_and_programs_may_upload_as_much():
    assert body_limits.largest("/api/v1/imports") == body_limits.largest("/_stcore/upload_file/a/b")
    assert body_limits.largest("/api/v1/imports", "GET") == MIB
    assert body_limits.UPLOADED_TO["/api/v1/imports"] is Permission.IMPORT
