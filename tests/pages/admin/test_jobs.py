"""The jobs page: what is shown, and what can be done about it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.bill_runs.models import BillRun, RunOutcome
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports.models import FileState, ImportFile
from billing_core.jobs import nudges
from billing_core.jobs.overview import schedules
from billing_core.jobs.overview.schedules import ScheduleRow
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.processes import pausing
from billing_core.processes.models import Process, ProcessKind, Queue
from pages.ui import formats
from tests.jobs.overview.work import (
    a_living_process,
    a_lost_process,
    a_process,
    a_run,
    an_import,
    customers,
    events,
    messages,
    of_run,
)
from tests.pages.pressing import press

QUEUES = [
    "Bill runs",
    "Imports",
    "Mails",
    "Payment service",
    "Outgoing webhooks",
    "Incoming webhooks",
    "Ledger seals",
    "Usage alerts",
    "Prepaid credit",
    "Renewals",
    "Charges",
]
NO_SCHEDULES = "None yet: the product sets them up when it starts for the first time."


@pytest.fixture
def told(monkeypatch) -> list[Queue]:
    """The queues of which anybody was told."""
    heard: list[Queue] = []
    monkeypatch.setattr(nudges, "tell", lambda *queues: heard.extend(queues))
    return heard


@pytest.fixture
def jobs(page_as):
    """The page, as an administrator sees it."""
    return lambda: page_as("admin").visit("admin/jobs.py")


def row_of(page, queue: str) -> dict[str, object]:
    shown = page.dataframe[0].value
    row = shown[shown["Queue"] == queue].iloc[0].to_dict()
    return {**row, "State": list(row["State"])}


def confirmed(page, queue: str):
    """The button in the dialog. Here the whole page runs, so that what opened the dialog is pressed again with it."""
    page.button(key="cancel_waiting").click()
    return press(page, "Cancel", row=place(queue))


def place(queue: str) -> int:
    return QUEUES.index(queue)


def actions(sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def states(sessions) -> dict[MessageState, int]:
    with sessions() as session:
        counted = select(OutboxMessage.state, func.count()).group_by(OutboxMessage.state)
        return {row[0]: row[1] for row in session.execute(counted)}


def test_an_idle_product_shows_every_queue_at_rest(sessions, jobs):
    with sessions.begin() as session:
        a_living_process(session, "a")
    page = jobs()
    assert not page.exception
    assert not page.warning
    shown = page.dataframe[0].value
    assert list(shown["Queue"]) == QUEUES
    assert [state for states in shown["State"] for state in states] == ["Idle"] * 11
    assert set(shown["Waiting"]) == {"–"}
    assert list(shown["Retry"].dropna()) == list(shown["Cancel"].dropna()) == []
    assert NO_SCHEDULES in [caption.value for caption in page.caption]
    assert list(page.dataframe[1].value["State"]) == [["Living"]]


def test_without_a_living_process_a_banner_says_that_nothing_goes_on(sessions, jobs):
    with sessions.begin() as session:
        a_process(session, "a", silent_for=20)
    page = jobs()
    assert "No process works in the background" in page.warning[0].value
    assert list(page.dataframe[1].value["State"]) == [["Silent"]]


def test_what_waits_and_failed_is_counted_with_the_last_reason(sessions, jobs):
    now = utc_now()
    with sessions.begin() as session:
        messages(session, "mail", 1_200, not_before=now)
        messages(session, "mail", 2, state=MessageState.FAILED, last_error="No *such* address")
        messages(session, "mail", 3, state=MessageState.HELD_BACK)
    page = jobs()
    mails = row_of(page, "Mails")
    assert (mails["Waiting"], mails["Failed"], mails["Later"]) == ("1,200", "2", "–")
    assert mails["State"] == ["Failed", "Held back"]
    assert (mails["Retry"], mails["Cancel"], mails["Pause"]) == ("Retry 2", "Recall …", "Pause")
    said = [text.value for text in page.markdown]
    assert r":material/error: **Mails:** 2 mails failed. The last one: No \*such\* address" in said
    assert any("3 mails kept, until somebody sends them in the outbox" in text for text in said)


def test_pausing_and_resuming_a_queue(sessions, jobs, told):
    page = press(jobs(), "Pause", row=place("Incoming webhooks"))
    assert not page.exception
    assert row_of(page, "Incoming webhooks")["State"] == ["Paused"]
    assert row_of(page, "Incoming webhooks")["Pause"] == "Resume"
    assert any(
        "**Incoming webhooks:** paused since" in text.value and "Ada Admin" in text.value for text in page.markdown
    )
    with sessions() as session:
        assert pausing.paused(session) == {Queue.INCOMING_WEBHOOKS}
    assert Queue.INCOMING_WEBHOOKS not in told

    page = press(page, "Pause", row=place("Incoming webhooks"))
    assert row_of(page, "Incoming webhooks")["State"] == ["Idle"]
    with sessions() as session:
        assert pausing.paused(session) == set()
    assert actions(sessions) == ["jobs.pause", "jobs.resume"]
    assert Queue.INCOMING_WEBHOOKS in told


def test_retrying_what_failed_tells_who_does_it(sessions, jobs, told):
    with sessions.begin() as session:
        messages(session, "mail", 2, state=MessageState.FAILED)
        messages(session, "gateway", 3, state=MessageState.FAILED)
    page = press(jobs(), "Retry", row=place("Mails"))
    assert not page.exception
    assert states(sessions) == {MessageState.WAITING: 2, MessageState.FAILED: 3}
    assert row_of(page, "Mails")["Failed"] == "–"
    assert Queue.MAILS in told
    assert actions(sessions) == ["outbox.retry", "outbox.retry"]


def test_retrying_failed_events(sessions, jobs, told):
    with sessions.begin() as session:
        events(session, 2, state=WebhookState.FAILED, handled_at=utc_now(), last_error="Unknown payment")
    page = press(jobs(), "Retry", row=place("Incoming webhooks"))
    assert not page.exception
    with sessions() as session:
        assert set(session.scalars(select(WebhookEvent.state))) == {WebhookState.WAITING}
    assert Queue.INCOMING_WEBHOOKS in told


def test_retrying_a_run_begins_it(sessions, jobs, told, monkeypatch):
    begun: list[int] = []
    monkeypatch.setattr("billing_core.jobs.bill_run.begin", begun.append)
    with sessions.begin() as session:
        run_id = a_run(session, finished_at=utc_now())
        of_run(session, run_id, customers(session, 2), RunOutcome.FAILED, finished_at=utc_now(), reason="No rate")
    page = press(jobs(), "Retry", row=place("Bill runs"))
    assert not page.exception
    assert begun == [run_id]
    assert row_of(page, "Bill runs")["Waiting"] == "2"


def test_waiting_mails_are_recalled_once_that_is_confirmed(sessions, jobs, told):
    with sessions.begin() as session:
        messages(session, "mail", 2, not_before=utc_now())
        messages(session, "mail", 1, attempts=1, not_before=utc_now())
        messages(session, "webhook", 3, not_before=utc_now())
    page = press(jobs(), "Cancel", row=place("Mails"))
    assert states(sessions) == {MessageState.WAITING: 6}
    page = confirmed(page, "Mails")
    assert not page.exception
    assert states(sessions) == {MessageState.WAITING: 4, MessageState.RECALLED: 2}
    assert set(actions(sessions)) == {"outbox.recall"}


def test_runs_that_go_on_are_stopped_once_that_is_confirmed(sessions, jobs, told):
    with sessions.begin() as session:
        run_id = a_run(session)
        of_run(session, run_id, customers(session, 2), RunOutcome.WAITING)
    page = press(jobs(), "Cancel", row=place("Bill runs"))
    assert any("before its next customer" in text.value for text in page.markdown)
    page = confirmed(page, "Bill runs")
    assert not page.exception
    with sessions() as session:
        assert session.get(BillRun, run_id).cancelled_at is not None


def test_imports_that_nobody_has_taken_up_are_called_off_once_that_is_confirmed(sessions, jobs, told):
    with sessions.begin() as session:
        an_import(session, process_id=a_living_process(session, "app-1"))
        an_import(session)
    page = press(jobs(), "Cancel", row=place("Imports"))
    page = confirmed(page, "Imports")
    assert not page.exception
    with sessions() as session:
        found = session.scalars(select(ImportFile.state).order_by(ImportFile.id)).all()
    assert found == [FileState.WAITING, FileState.NEW]
    assert Queue.IMPORTS in told


def test_a_lost_process_says_what_it_had_in_hand_and_can_be_dismissed(sessions, jobs):
    with sessions.begin() as session:
        a_living_process(session, "a", kind=ProcessKind.WORKER)
        a_lost_process(session, "b", bill_runs=3, mails=1)
    page = jobs()
    shown = page.dataframe[1].value
    assert list(shown["Process"]) == ["Worker", "Product"]
    assert list(shown["In hand"]) == ["–", "3 customers, 1 mail"]
    assert list(shown["State"]) == [["Living"], ["Lost"]]
    page = press(page, "Dismiss", row=1, table=1)
    assert not page.exception
    with sessions() as session:
        assert session.get(Process, "b").dismissed_at is not None
    assert actions(sessions) == ["jobs.dismiss"]
    assert not page.dataframe[1].value["Dismiss"].iloc[1]
    assert list(page.dataframe[1].value["State"]) == [["Living"], ["Lost, dismissed"]]


def test_open_leads_to_the_work_itself(sessions, page_as):
    visitor = page_as("admin")
    page = press(visitor.visit("admin/jobs.py"), "Open", row=place("Mails"))
    assert page.title[0].value == "Outbox"


@pytest.mark.parametrize("role", ["manager", "finance"])
def test_nobody_else_sees_the_page(page_as, role):
    page = page_as(role).visit("admin/jobs.py")
    assert "Your role does not allow this page" in page.error[0].value
    assert not page.dataframe


def test_a_step_that_came_too_late_says_so(sessions, jobs, told):
    page = jobs()
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, Queue.MAILS, now=utc_now())
    page = press(page, "Pause", row=place("Mails"))
    assert "is paused already" in page.error[0].value
    assert page.dataframe


def test_a_schedule_says_when_it_runs_why_it_failed_and_whether_it_is_paused(sessions, jobs, monkeypatch):
    at = datetime(2026, 4, 2, 9, 5, tzinfo=UTC)
    rows = [
        ScheduleRow(Queue.REMINDERS, False, at, at + timedelta(hours=1), at - timedelta(days=1), "No time zone"),
        ScheduleRow(Queue.LINK_EXPIRY, False, at, at + timedelta(hours=1), at, "No *mode*"),
        ScheduleRow(Queue.PRUNING, True, at, at + timedelta(hours=1), None, ""),
    ]
    monkeypatch.setattr(schedules, "listed", lambda _engine, *, now: rows)
    page = jobs()
    assert not page.exception
    shown = page.dataframe[1].value
    assert list(shown["Schedule"]) == ["Reminders", "Payment link expiry", "Pruning of old records"]
    assert list(shown["State"]) == [["Scheduled"], ["Failed"], ["Running"]]
    assert list(shown["Last run"]) == [formats.instant(at, "UTC")] * 3
    assert list(shown["Last failure"]) == [
        formats.instant(at - timedelta(days=1), "UTC"),
        formats.instant(at, "UTC"),
        "–",
    ]
    said = [text.value for text in page.markdown]
    assert r":material/error: **Payment link expiry:** The last run failed: No \*mode\*" in said
    assert any("**Reminders:** Failed on" in text and text.endswith("No time zone") for text in said)

    page = press(page, "Pause", row=2, table=1)
    assert list(page.dataframe[1].value["State"]) == [["Scheduled"], ["Failed"], ["Paused"]]
    with sessions() as session:
        assert pausing.paused(session) == {Queue.PRUNING}
