"""``jobs``: what the page shows, as text and as JSON."""

import json

import pytest

from billing_core import runtime
from billing_core.__main__ import main
from billing_core.dates import utc_now
from billing_core.identity import Role, actor_with
from billing_core.outbox.models import MessageState
from billing_core.processes import pausing
from billing_core.processes.models import ProcessKind, Queue
from tests.jobs.overview import schedules_of_dbos
from tests.jobs.overview.work import a_living_process, a_lost_process, messages


@pytest.fixture(autouse=True)
def here(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)


@pytest.fixture
def busy(sessions) -> None:
    now = utc_now()
    with sessions.begin() as session:
        a_living_process(session, "a", kind=ProcessKind.WORKER)
        a_lost_process(session, "b", bill_runs=3, mails=1)
        messages(session, "mail", 1_200, not_before=now)
        messages(session, "mail", 2, state=MessageState.FAILED, last_error="No such address")
        messages(session, "webhook", 3, state=MessageState.DELIVERED, delivered_at=now)
        pausing.pause(session, actor_with(Role.ADMIN, user_id=1, name="Ada"), Queue.MAILS, now=now)


def test_as_json(busy, capsys):
    assert main(["--json", "jobs"]) == 0
    said = json.loads(capsys.readouterr().out)
    queues = {one["queue"]: one for one in said["queues"]}
    mails = queues["mails"]
    assert 0 <= mails.pop("oldest_waiting_seconds") < 60
    assert mails.pop("paused_at").endswith("+00:00")
    assert mails == {
        "queue": "mails",
        "running": 0,
        "waiting": 1_200,
        "scheduled": 0,
        "held_back": 0,
        "failed": 2,
        "last_error": "No such address",
        "done_in_the_last_hour": 0,
        "done_in_the_last_minute": 0,
        "paused_by": "Ada",
    }
    assert queues["outgoing webhooks"]["done_in_the_last_minute"] == 3
    assert queues["outgoing webhooks"]["oldest_waiting_seconds"] is None
    assert said["schedules"] == []
    living, lost = said["processes"]
    assert (living["process"], living["state"], living["kind"], living["host"]) == (
        "a",
        "living",
        "worker",
        "billing-1",
    )
    assert (lost["process"], lost["state"], lost["in_hand"]) == ("b", "lost", {"bill runs": 3, "mails": 1})


def test_as_text(busy, capsys):
    assert main(["jobs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ("queue running waiting later held back failed oldest last hour last minute".split())
    mails = next(line for line in lines if line.startswith("mails "))
    assert mails.split()[:6] == ["mails", "0", "1,200", "0", "0", "2"]
    assert mails.endswith(" by Ada")
    assert " paused since " in mails
    assert "Last failure among mails: No such address" in lines
    living, lost = lines[-2:]
    assert living.split()[:5] == ["worker", "living", "billing-1", "17", "0.1.0"]
    assert lost.endswith("3 bill runs, 1 mails")


def test_columns_stand_under_each_other(busy, capsys):
    main(["jobs"])
    table = capsys.readouterr().out.split("\n\n")[0].splitlines()[:8]
    end = table[0].index("waiting") + len("waiting")
    assert [line[:end].rsplit(" ", 1)[1] for line in table[1:]] == ["0", "0", "1,200", "0", "0", "0", "0"]


def test_without_any_process_it_says_so(capsys):
    assert main(["jobs"]) == 0
    assert capsys.readouterr().out.endswith("\n\nNo process works in the background.\n")


@pytest.fixture
def reminders(sessions) -> None:
    """Before what is printed is captured: DBOS goes on writing to the terminal that it found."""
    schedules_of_dbos.set_up(sessions)


@pytest.mark.slow
def test_schedules_are_listed_once_jobs_have_run(reminders, capsys):
    assert main(["jobs"]) == 0
    text = capsys.readouterr().out
    [reminders] = [line for line in text.splitlines() if line.startswith("reminders")]
    assert reminders.split() == ["reminders", "–", *reminders.split()[2:5], "–"]
    assert main(["--json", "jobs"]) == 0
    [said] = json.loads(capsys.readouterr().out)["schedules"]
    assert (said["schedule"], said["last_run_at"], said["running"]) == ("reminders", None, False)
    assert said["next_run_at"].endswith(":00:00+00:00")
