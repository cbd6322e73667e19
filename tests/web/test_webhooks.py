"""The address at which the payment gateway tells us what happened."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.jobs import incoming_webhook_processing
from billing_core.online_payments import configured, queries
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.online_payments.stripe import signature as stripe_signature
from billing_core.online_payments.webhooks import inbox
from billing_core.online_payments.webhooks.refusals import refusals
from billing_core.settings import settings
from tests.online_payments.linked import linked, paying
from tests.online_payments.stripe.events import Paying, payload

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ADDRESS = "/webhooks/stripe"


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """The sandbox with a secret of its own, and nothing counted yet."""
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path))
    for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "BILLING_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    settings.cache_clear()
    refusals._counts.clear()
    yield
    refusals._counts.clear()
    monkeypatch.undo()
    settings.cache_clear()


def send(client, content: bytes, *, at=None, signature: str | None = None, secret: str = "", **headers):
    made = stripe_signature.signed(content, secret or configured.webhook_secret(settings()), at or utc_now())
    wanted = made if signature is None else signature
    return client.post(ADDRESS, content=content, headers={"Stripe-Signature": wanted} | headers)


def stored(sessions) -> list[WebhookEvent]:
    with sessions() as session:
        return list(session.scalars(select(WebhookEvent)))


def refused(sessions) -> dict[str, int]:
    refusals.write(sessions)
    with sessions() as session:
        return {reason: times for _, reason, times in queries.refused(session, SYSTEM, since=utc_now().date())}


def test_an_event_is_stored_answered_and_applied_by_the_job(visitor, sessions):
    with sessions.begin() as session:
        invoice, link = linked(session)
        link.mode = Mode.SANDBOX
    told = paying(link, invoice).succeeded()
    # As a browser of another site would send it too: the signature decides.
    for headers in ({}, {"Origin": "https://stripe.example", "Sec-Fetch-Site": "cross-site"}):
        answer = send(visitor, payload(told), **headers)
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    (event,) = stored(sessions)
    assert (event.event_id, event.payload.encode(), event.state) == (told["id"], payload(told), WebhookState.WAITING)

    assert incoming_webhook_processing.process_waiting() == 1
    with sessions() as session:
        assert session.get_one(Invoice, invoice.id).state is InvoiceState.PAID
    assert incoming_webhook_processing.process_waiting() == 0
    assert refused(sessions) == {}


@on_sqlite
def test_what_is_not_proven_is_refused_and_only_counted(visitor, sessions):
    content = payload(Paying().succeeded())
    right = stripe_signature.signed(content, configured.webhook_secret(settings()), utc_now())
    answers = {
        "missing": visitor.post(ADDRESS, content=content),
        "wrong": send(visitor, content, secret="whsec_somebody_elses"),
        "old": send(visitor, content, at=utc_now() - timedelta(minutes=6)),
        "early": send(visitor, content, at=utc_now() + timedelta(minutes=6)),
        "malformed": send(visitor, b"[]"),
        "too large": send(visitor, b"x" * (inbox.LARGEST_BYTES + 1)),
    }
    for reason, answer in answers.items():
        assert answer.status_code == (413 if reason == "too large" else 400), reason
        assert answer.json() == {"detail": f"This is not accepted as an event: {reason}"}
    assert send(visitor, content + b" ", signature=right).status_code == 400
    assert send(visitor, json.dumps({"id": "evt_1", "type": "x"}).encode()).status_code == 400
    assert visitor.get(ADDRESS).status_code == 405
    assert visitor.post(ADDRESS + "/more", content=content).status_code == 401
    assert stored(sessions) == []
    assert refused(sessions) == {"early": 1, "malformed": 2, "missing": 1, "old": 1, "too large": 1, "wrong": 2}


@on_sqlite
def test_what_cannot_be_stored_now_is_to_be_sent_again(visitor, sessions, monkeypatch):
    def busy(*_, **__):
        raise OperationalError("INSERT", {}, Exception("database is locked"))

    monkeypatch.setattr(inbox, "store_rows", busy)
    answer = send(visitor, payload(Paying().succeeded()))
    assert answer.status_code == 503
    assert "INSERT" not in answer.text


@on_sqlite
def test_an_event_of_a_real_size_limit_fits(visitor, sessions):
    told = Paying(metadata={"note": "x" * 900_000}).succeeded()
    assert send(visitor, payload(told)).status_code == 200
    assert len(stored(sessions)) == 1


THIN = {
    "id": "evt_thin1",
    "object": "v2.core.event",
    "type": "v1.billing.meter.error_report_triggered",
    "livemode": False,
    "created": "2026-09-26T17:46:22.134Z",
    "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"},
}


@pytest.mark.parametrize("created", [THIN["created"], "2026-09-26T17:46:22.134", "2026-09-26T19:46:22.134+02:00"])
def test_a_notification_without_its_contents_is_kept_and_nothing_is_done_with_it(visitor, sessions, created):
    """Of Stripe's newer API, with its instant in another form."""
    assert send(visitor, payload(THIN | {"created": created})).status_code == 200
    assert incoming_webhook_processing.process_waiting() == 1
    (kept,) = stored(sessions)
    assert (kept.state, kept.created_at) == (WebhookState.IGNORED, datetime(2026, 9, 26, 17, 46, 22, 134_000, UTC))
    assert kept.outcome == "Only names what changed, without its contents: nothing is done with such events"


@pytest.mark.parametrize(
    "wrong",
    [
        *({"id": one} for one in (None, 7, "", "evt_\0", "evt_\ud800", ["evt_1"], "e" * 256)),
        *({"type": one} for one in (None, 7, "a\0", "\udfff", {})),
        *({"created": one} for one in (None, "now", True, -1, 1.5, 10**30, "2026-09-26T17:46:22Z", [])),
        *({"livemode": one} for one in (None, "false", 0, [])),
        *({"api_version": one} for one in (7, "\0", "\ud800", ["2026"])),
        {"object": "v2.core.event", "created": "0001-01-01T00:00:00+14:00"},
        {"object": "v2.core.event", "created": "yesterday"},
    ],
)
@on_sqlite
def test_an_envelope_that_is_none_is_refused_as_documented(visitor, sessions, wrong):
    answer = send(visitor, json.dumps(Paying().succeeded() | wrong).encode())
    assert (answer.status_code, answer.json()) == (400, {"detail": "This is not accepted as an event: malformed"})
    assert stored(sessions) == []


@pytest.mark.parametrize("data", [None, [], 7, "x", {"object": None}, {"object": []}, {"object": {"id": "\ud800"}}])
def test_contents_that_are_none_are_kept_with_what_is_wrong_about_them(visitor, sessions, data):
    content = json.dumps(Paying().succeeded() | {"data": data}).encode()
    assert send(visitor, content).status_code == 200
    incoming_webhook_processing.process_waiting()
    (kept,) = stored(sessions)
    assert (kept.state, kept.payload.encode()) == (WebhookState.WAITING, content)
    assert kept.last_error.startswith("The event does not have the shape of a payment_intent.succeeded: ")
