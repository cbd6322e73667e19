"""The log of what the payment service told us."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.online_payments import queries
from billing_core.online_payments.models import WebhookEvent, WebhookRefusal, WebhookState
from billing_core.online_payments.webhooks import inbox
from tests.invoices.company import a_customer
from tests.pages.invoicing import shown


@pytest.fixture
def database_url(sqlite_url):
    """What is read here is tested on both databases beside its queries."""
    return sqlite_url


def an_event(session, number, *, kind="charge.refunded", state=WebhookState.WAITING, said="x", **facts):
    told = {"id": f"evt_{number}", "type": kind, "livemode": False, "created": 1_770_000_000, "api_version": "2026"}
    content = told | {"data": {"object": {"id": said}}}
    inbox.store(session, content, json.dumps(content).encode(), now=utc_now())
    event = session.scalars(select(WebhookEvent).where(WebhookEvent.event_id == f"evt_{number}")).one()
    event.state, event.attempts = state, 7
    for name, value in facts.items():
        setattr(event, name, value)
    session.flush()
    return event.id


@pytest.fixture
def log(sessions):
    with sessions.begin() as session:
        handled = an_event(session, 1, state=WebhookState.HANDLED, outcome="5.00 USD refunded", handled_at=utc_now())
        failed = an_event(
            session,
            2,
            kind="invoice.paid",
            state=WebhookState.FAILED,
            last_error="No *such* invoice",
            said="in_hostile",
        )
        session.add(WebhookRefusal(day=utc_now().date(), reason="wrong", requests=3))
        session.add(WebhookRefusal(day=utc_now().date() - timedelta(days=90), reason="old", requests=1_000))
    return handled, failed


@pytest.mark.parametrize("role", ["finance", "manager", "admin"])
def test_the_log_says_what_came_and_what_became_of_it(page_as, log, role):
    page = page_as(role).visit("admin/incoming_webhooks.py")
    assert not page.exception
    said = shown(page)
    assert "1 could not be applied" in said
    assert "1 handled · 1 failed" in said
    table = page.dataframe[-1].value
    assert list(table["Type"]) == ["invoice.paid", "charge.refunded"]
    assert list(table["What became of it"]) == ["No *such* invoice", "5.00 USD refunded"]
    refused = page.dataframe[0].value
    assert (list(refused["Why"]), list(refused["Requests"])) == (["With a wrong signature"], ["3"])


def test_it_is_filtered_by_state_type_and_text(page_as, log):
    for query, types in (
        ({"events_state": "Failed"}, ["invoice.paid"]),
        ({"events_type": "charge.refunded"}, ["charge.refunded"]),
        ({"events_text": "in_hostile"}, ["invoice.paid"]),
    ):
        page = page_as("finance").visit("admin/incoming_webhooks.py", **query)
        assert list(page.dataframe[-1].value["Type"]) == types
    page = page_as("finance").visit("admin/incoming_webhooks.py", events_text="nowhere")
    assert "No event matches these filters" in shown(page)


def test_it_says_where_it_has_not_searched(page_as, log, monkeypatch):
    for searched, told in ((2, False), (1, True)):
        monkeypatch.setattr(queries, "SEARCHED_PAYLOADS", searched)
        page = page_as("finance").visit("admin/incoming_webhooks.py", events_text="nowhere")
        assert (f"searched in the newest {searched} of these events" in shown(page)) == told


def test_an_event_is_read_and_processed_again(page_as, sessions, log):
    _, failed = log
    page = page_as("finance").visit("admin/incoming_webhooks.py", event=str(failed))
    assert "The last attempt failed: No *such* invoice" in shown(page)
    assert json.loads(page.code[0].value)["data"]["object"]["id"] == "in_hostile"
    assert "event_again" not in {button.key for button in page.button}
    page = page_as("admin").visit("admin/incoming_webhooks.py", event=str(failed))
    page.button(key="event_again").click().run()
    assert not page.exception
    with sessions() as session:
        event = session.get_one(WebhookEvent, failed)
        assert (event.state, event.attempts) == (WebhookState.WAITING, 0)


def test_a_handled_event_is_not_processed_again_and_an_unknown_one_is_said(page_as, log):
    handled, _ = log
    page = page_as("admin").visit("admin/incoming_webhooks.py", event=str(handled))
    assert "event_again" not in {button.key for button in page.button}
    for unknown in ("999", "x" * 30):
        page = page_as("admin").visit("admin/incoming_webhooks.py", event=unknown)
        assert any("There is no event" in error.value for error in page.error)


def test_somebody_of_one_customer_does_not_see_it(page_as, sessions):
    with sessions.begin() as session:
        acme = a_customer(session)
    page = page_as("admin", customer_id=acme).visit("admin/incoming_webhooks.py")
    assert "Your role does not allow this page" in page.error[0].value


@pytest.mark.parametrize(("said", "reads"), [("\ud800", '"\\ud800"'), ("a\0b", '"a\\u0000b"'), ("Zürich", '"Zürich"')])
def test_an_event_with_half_a_character_is_read_as_it_came(page_as, sessions, said, reads):
    with sessions.begin() as session:
        event_id = an_event(session, 1, said=said)
    page = page_as("finance").visit("admin/incoming_webhooks.py", event=str(event_id))
    assert not page.exception
    page.code[0].value.encode()
    assert reads in page.code[0].value
