"""The job that holds usage against what is watched for: whom it mails, in which language, and what webhooks carry."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core import runtime
from billing_core.businesses.queries import default_business
from billing_core.identity import SYSTEM
from billing_core.jobs import usage_alerts
from billing_core.mailing import dispatch, wording
from billing_core.mailing.default_texts import Wording
from billing_core.mailing.models import MailKind
from billing_core.metering.alerts import AlertMeasure
from billing_core.outbox.models import OutboxMessage
from billing_core.usage import alerts
from billing_core.usage.alerts import Told
from billing_core.web.api import event_payloads
from billing_core.web.api.usage.thresholds import EXAMPLE
from tests.invoices.company import a_customer
from tests.plans.agreed import terms
from tests.usage.test_daily_checks import a_fee
from tests.usage.watching import NOW, SET, a_subscriber, call, ten_calls, watch

ALLOWANCE, CALLS, COST = AlertMeasure.ALLOWANCE, AlertMeasure.CALLS, AlertMeasure.COST
ANA = Told(("ana@example.com",))


@pytest.fixture
def running(sessions, monkeypatch):
    """The job finds this database, on the day of the tests' usage."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr(usage_alerts, "utc_now", lambda: NOW)
    return sessions


def mails(sessions) -> list[OutboxMessage]:
    with sessions() as session:
        found = select(OutboxMessage).where(OutboxMessage.channel == "mail").order_by(OutboxMessage.id)
        return list(session.scalars(found))


def test_people_are_mailed_in_english_and_the_customer_in_its_language(running):
    with running.begin() as session:
        told = Told(("ana@example.com", "ben@example.com"), to_customer=True)
        watch(session, ten_calls(session, name="Müller GmbH", language="de"), 80, ALLOWANCE, told)
    call(running, 1, 7)
    assert (usage_alerts.check_waiting(), mails(running)) == (0, [])
    call(running, 8, 8)
    assert usage_alerts.check_waiting() == 1
    ana, ben, theirs = mails(running)
    assert [mail.recipient for mail in (ana, ben, theirs)] == ["ana@example.com", "ben@example.com", "ap@acme.example"]
    assert ana.title == ben.title == "Müller GmbH: 80% of the included API calls used"
    for line in (
        "The usage of Müller GmbH from March 1, 2026 to March 31, 2026 has reached 80% of the included API calls.",
        "API calls so far: 8",
        "Included: 10",
        "Cost so far: $0.00",
    ):
        assert line in ana.content["text"].splitlines()
    assert theirs.title == "Müller GmbH: 80 % der enthaltenen API-Aufrufe verbraucht"
    assert "API-Aufrufe bisher: 8" in theirs.content["text"].splitlines()
    assert [mail.content["language"] for mail in (ana, ben, theirs)] == ["en", "en", "de"]
    call(running, 9, 20)
    assert (usage_alerts.check_waiting(), len(mails(running))) == (0, 3)


@pytest.mark.parametrize(
    ("measure", "value", "subject", "reached"),
    [
        (CALLS, 1_200, "Acme Corp: 1,200 API calls used", "has reached 1,200 API calls."),
        (COST, 150, "Acme Corp: $1.50 of usage", "has reached $1.50."),
    ],
)
def test_a_mail_names_calls_and_costs(running, measure, value, subject, reached):
    with running.begin() as session:
        agreed = terms(included_calls=0, price_per_call="0.00125")
        watch(session, a_subscriber(session, agreed=agreed), value, measure, ANA)
    call(running, 1, 1_200)
    usage_alerts.check_waiting()
    (mail,) = mails(running)
    text = mail.content["text"]
    assert mail.title == subject
    assert reached in text
    # 1,200 × 0.00125 = 1.50; nothing is included, and so no line says how much.
    assert "Cost so far: $1.50" in text
    assert "Included" not in text


def test_a_mail_of_nobody_s_plan_says_nothing_of_a_cost(running):
    with running.begin() as session:
        watch(session, a_customer(session), 1, CALLS, ANA)
    call(running, 1, 1)
    usage_alerts.check_waiting()
    assert "Cost" not in mails(running)[0].content["text"]


def test_a_customer_without_an_address_is_not_mailed_and_a_business_has_its_own_words(running):
    with running.begin() as session:
        business, own = default_business(session).id, Wording("{{ calls }} calls", "Look: {{ customer_name }}")
        wording.change(session, SYSTEM, business, MailKind.USAGE_ALERT, "en", own, drawn_from=None, now=SET)
        watch(session, ten_calls(session, email=""), 2, CALLS, Told(("ana@example.com",), to_customer=True))
    call(running, 1, 2)
    usage_alerts.check_waiting()
    (mail,) = mails(running)
    assert (mail.recipient, mail.title, mail.content["text"]) == (
        "ana@example.com",
        "2 calls",
        "Look: Acme Corp\n",
    )


def test_the_mail_can_be_composed_as_it_leaves(running):
    with running.begin() as session:
        watch(session, ten_calls(session), 1, CALLS, ANA)
    call(running, 1, 1)
    usage_alerts.check_waiting()
    with running() as session:
        (message,) = session.scalars(select(OutboxMessage))
        composed = dispatch.composed(session, message, sender="billing@example.com", address="https://x.example")
    assert composed["To"] == "ana@example.com"
    assert "1 API calls" in composed.get_body().get_content()


def test_all_who_wait_are_checked_batch_by_batch_until_the_process_ends(running, monkeypatch):
    monkeypatch.setattr(usage_alerts, "_BATCH", 2)
    with running.begin() as session:
        for number in range(5):
            ten_calls(session, f"C{number}")
        watch(session, None, 1)
    usage_alerts.check_waiting()
    for number in range(5):
        call(running, 1, 1, f"C{number}")
    asked = iter([False, True])
    assert usage_alerts.check_waiting(lambda: next(asked)) == 2
    assert usage_alerts.check_waiting() == 3
    assert usage_alerts.check_waiting() == 0


@pytest.mark.parametrize(
    ("measure", "value", "currency"), [(ALLOWANCE, 80, None), (CALLS, 12, None), (COST, 150, "USD")]
)
def test_webhooks_carry_how_things_stood(running, measure, value, currency):
    with running.begin() as session:
        acme = ten_calls(session)
        watch(session, acme, value, measure)
    call(running, 1, 12)
    usage_alerts.check_waiting()
    call(running, 13, 20)
    with running() as session:
        (row,) = alerts.reached(session, SYSTEM)
        carried = event_payloads.rendered(session, "usage_threshold", row.id)
        assert event_payloads.rendered(session, "usage_threshold", row.id + 1) is None
    assert carried == {
        "object": "usage_threshold",
        "organization_id": row.customer_uuid,
        "customer_ref": "ACME",
        "measure": measure.value,
        "threshold": Decimal("1.5") if measure is COST else value,
        "currency": currency,
        "start_date": "2026-03-01",
        "end_date": "2026-03-31",
        "api_calls": 12,
        "included_api_calls": 10,
        "cost": 2,
        "cost_currency": "USD",
        "reached_at": "2026-03-20T12:00:00Z",
    }
    assert carried.keys() == EXAMPLE.keys()
    assert datetime.fromisoformat(carried["reached_at"]) == datetime(2026, 3, 20, 12, tzinfo=UTC)


def test_a_month_that_begins_with_a_fee_is_told_of_without_an_event(running, monkeypatch):
    with running.begin() as session:
        # What is used costs nothing here, but 50.00 are due each month.
        watch(session, a_fee(session), 5_000, COST, ANA)
    usage_alerts.check_waiting()
    before = len(mails(running))
    monkeypatch.setattr(usage_alerts, "utc_now", lambda: NOW.replace(month=4, day=1))
    assert usage_alerts.check_waiting() == 0
    usage_alerts.ask_where_a_day_began()
    assert usage_alerts.check_waiting() == 1
    assert [mail.recipient for mail in mails(running)[before:]] == ["ana@example.com"]
