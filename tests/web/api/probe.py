"""Routes for the tests of what stands before all routes: one of each kind under each API's addresses."""

import hashlib
from datetime import UTC, datetime
from threading import Event

from fastapi import Depends
from sqlalchemy import func, select

from billing_core import errors
from billing_core.audit import service as audit
from billing_core.audit.models import AuditEntry
from billing_core.web.api.access import CurrentCaller, Transaction
from billing_core.web.api.exact_json import Body, ExactJSON, Number, WholeNumber, money
from billing_core.web.api.problems import fails_with
from billing_core.web.api.routing import router as described_router
from billing_core.web.requests import multipart
from billing_core.web.requests.uploads import GivenUpload

NOW = datetime(2026, 5, 1, 10, tzinfo=UTC)
# An address of each API.
PLACES = {
    "reports": "/api/v2/probe",
    "invoices": "/api/invoices/probe",
    "analytics": "/api/v1/analytics/probe",
    "billing": "/v1/billing/probe",
}
# Where the tests that use it let programs upload files.
UPLOAD = f"{PLACES['reports']}/upload"
router = described_router(tags=["Probe"])
began, go_on = Event(), Event()


class Line(Body):
    text: str
    quantity: Number = 1


class Given(Body):
    amount: Number
    count: WholeNumber = 1
    lines: list[Line] = []


def _work(given: Given, caller: CurrentCaller, session: Transaction) -> ExactJSON:
    audit.record(session, caller.actor, "probe", ("probe", given.count), now=NOW)
    return ExactJSON({"amount": given.amount, "at": NOW, "paid": money(150000, "USD")}, 201)


def _counted(caller: CurrentCaller, session: Transaction) -> ExactJSON:
    audit.record(session, caller.actor, "probe", ("probe", 1), now=NOW)
    return ExactJSON({"amount": 1})


def _breaks_before(given: Given, caller: CurrentCaller, session: Transaction) -> ExactJSON:
    audit.record(session, caller.actor, "probe", ("probe", given.count), now=NOW)
    raise RuntimeError("a secret detail")


def _refuses(kind: str, caller: CurrentCaller, limit: int = 1) -> ExactJSON:
    if kind == "bug":
        raise RuntimeError("a secret detail")
    raise getattr(errors, kind)("What was wrong", fields={"due_date": "is too early"} if kind == "Invalid" else {})


def _slow(given: Given, caller: CurrentCaller) -> ExactJSON:
    """Tells the test that it has begun, and waits until it may go on."""
    began.set()
    assert go_on.wait(300)
    return ExactJSON({"slow": True})


def _upload(upload: GivenUpload, caller: CurrentCaller, session: Transaction) -> ExactJSON:
    audit.record(session, caller.actor, "probe", ("probe", upload.size), now=NOW)
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    told = {"fields": upload.fields, "file_name": upload.file_name, "size": upload.size, "sha256": digest.hexdigest()}
    return ExactJSON(told, 202)


def done(sessions) -> int:
    """How often the work was done."""
    with sessions() as session:
        return session.scalar(select(func.count()).where(AuditEntry.action == "probe"))


def _held_up() -> None:
    """The first one tells the test that it has begun, and waits until it may go on."""
    if not began.is_set():
        began.set()
        assert go_on.wait(300)


for name, place in PLACES.items():
    router.post(f"{place}/work", name=f"work_{name}")(_work)
    router.post(f"{place}/breaks", name=f"breaks_{name}")(fails_with("An error occurred here")(_breaks_before))
    router.get(f"{place}/refuses/{{kind}}", name=f"refuses_{name}")(_refuses)
router.post(f"{PLACES['reports']}/slow", name="slow")(_slow)
for method in (router.put, router.patch, router.delete):
    method(f"{PLACES['reports']}/any-method", name=f"work_{method.__name__}")(_work)
router.get(f"{PLACES['reports']}/any-method", name="work_get")(_counted)
router.post(UPLOAD, name="upload", openapi_extra={"requestBody": {"content": {multipart.KIND: {}}}})(_upload)
# Before its transaction, which on SQLite would let nobody else write.
router.post(f"{PLACES['reports']}/held-up", name="held_up", dependencies=[Depends(_held_up)])(_work)
