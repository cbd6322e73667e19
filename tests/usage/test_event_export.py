"""A customer's own events as a file, from which the example in ``docs`` recomputes what it was billed."""

import json
import runpy
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden, NotFound
from billing_core.identity import SYSTEM, Actor, Permission
from billing_core.metering import digests, ingestion, meters, withdrawal
from billing_core.metering.archives import moving
from billing_core.metering.archives.moving import ArchiveFile
from billing_core.metering.models import Aggregation
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing
from billing_core.usage.billed import lines
from billing_core.usage.exports import events as exports
from tests.plans.agreed import NOW, terms
from tests.reports.company import a_customer

SCRIPT = Path(__file__).parents[2] / "docs" / "recompute_invoice.py"
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
BILLED_AT = datetime(2026, 4, 2, 8, tzinfo=UTC)
AFTERWARDS = datetime(2026, 4, 3, 8, tzinfo=UTC)
# Berlin's March begins an hour before that of UTC, and ends two hours before it.
TOLD = [
    {"id": "before", "time": "2026-02-28T22:59:59.999999Z"},
    {"id": "first", "time": "2026-02-28T23:00:00Z", "user": "ana", "response_time": Decimal("0.250")},
    {"id": "é=1", "time": "2026-03-10T10:00:00Z", "endpoint": '=HYPERLINK("x")', "user": "@ben"},
    {"id": "p", "time": "2026-03-10T10:00:01Z", "properties": {"b": [1, Decimal("2.50"), None, True], "a": {"ü": "x"}}},
    {"id": "withdrawn", "time": "2026-03-11T10:00:00Z"},
    {"id": "withdrawn later", "time": "2026-03-12T10:00:00Z"},
    {"id": "last", "time": "2026-03-31T21:59:59.999999Z"},
    {"id": "after", "time": "2026-03-31T22:00:00Z"},
    {"id": "m-1", "time": "2026-03-10T10:00:00Z", "meter": "mails", "quantity": Decimal("2.5")},
    {"id": "m-2", "time": "2026-03-20T10:00:00Z", "meter": "mails", "quantity": Decimal("4.000001")},
]


@pytest.fixture
def acme(session) -> int:
    """Billed for March in Berlin's days; afterwards an event came late and another was taken back."""
    customer_id = a_customer(session, priced=False)
    session.get_one(Customer, customer_id).time_zone = "Europe/Berlin"
    meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW)
    tiers = (Tier(Decimal(2), Decimal("0.5")), Tier(None, Decimal("0.125")))
    charged = {Metered("mails"): Price("USD", Scheme.GRADUATED, tiers, included=Decimal("1.5"))}
    agreed = terms(2, "0.355")
    plans.create(session, SYSTEM, code="basic", name="Basic", agreed=agreed, charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, customer_id, "basic", valid_from=MARCH.start, now=NOW)
    told = [{"customer_ref": "ACME", **event} for event in TOLD]
    ingestion.record(session, SYSTEM, told, now=BILLED_AT, atomic=True)
    withdrawal.withdraw(session, SYSTEM, customer_id, "withdrawn", reason="A test", now=BILLED_AT)
    billing.bill(session, SYSTEM, customer_id, MARCH, now=BILLED_AT, today=BILLED_AT.date())
    late = [{"customer_ref": "ACME", "id": "late", "time": "2026-03-13T10:00:00Z"}]
    assert ingestion.record(session, SYSTEM, late, now=AFTERWARDS).late == 1
    withdrawal.withdraw(session, SYSTEM, customer_id, "withdrawn later", reason="A test", now=AFTERWARDS)
    return customer_id


def exported(session, customer_id: int, actor: Actor = SYSTEM, period: Period = MARCH) -> str:
    return b"".join(exports.events(session, actor, customer_id, period).chunks).decode()


def recomputed(session, customer_id, tmp_path, monkeypatch, capsys, *options: str) -> list[list[str]]:
    """What the script says of the events of March: its lines in words."""
    file = tmp_path / "events.ndjson"
    file.write_text(exported(session, customer_id), encoding="utf-8")
    days = ["--from", str(MARCH.start), "--to", str(MARCH.end), "--zone", "Europe/Berlin"]
    monkeypatch.setattr(sys, "argv", ["recompute_invoice.py", str(file), *days, *options])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_it_has_every_event_of_the_days_in_the_billing_zone(session, acme):
    events = [json.loads(line) for line in exported(session, acme).splitlines()]
    ids = ["first", "m-1", "é=1", "p", "withdrawn", "withdrawn later", "late", "m-2", "last"]
    assert [event["id"] for event in events] == ids
    assert events[0] == {
        "id": "first",
        "organization_id": session.get_one(Customer, acme).uuid,
        "customer_ref": "ACME",
        "time": "2026-02-28T23:00:00",
        "meter": "api_calls",
        "user": "ana",
        "endpoint": "",
        "response_time": 0.25,
        "quantity": 1,
        "properties": {},
        "bucket": None,
        "received_at": "2026-04-02T08:00:00",
        "late": False,
        "withdrawn_at": None,
        "withdrawn_reason": None,
    }
    assert (events[2]["endpoint"], events[2]["user"]) == ('=HYPERLINK("x")', "@ben")
    assert [event["id"] for event in events if event["late"]] == ["late"]
    assert {event["id"]: event["withdrawn_at"] for event in events if event["withdrawn_at"]} == {
        "withdrawn": "2026-04-02T08:00:00",
        "withdrawn later": "2026-04-03T08:00:00",
    }


def test_the_example_recomputes_the_lines_of_the_invoice(session, acme, tmp_path, monkeypatch, capsys):
    billed = {line.meter: line for period in lines.of_periods(session, SYSTEM, [1]).values() for line in period}
    calls = ("--included", "2", "--price", "0.355", "--billed-at", "2026-04-02T12:00:00")
    # Of the five calls in time three go beyond what is included: 1.065, rounded up.
    assert recomputed(session, acme, tmp_path, monkeypatch, capsys, *calls)[:4] == [
        ["quantity", "5"],
        ["billable", "3"],
        ["part", "3", "×", "0.355"],
        ["amount", "1.07"],
    ]
    assert (billed["api_calls"].quantity, billed["api_calls"].amount.minor) == (5, 107)
    mails = ("--meter", "mails", "--aggregation", "sum", "--included", "1.5", "--price", "2:0.5", "--price", "0.125")
    # 2 × 0.5 + 3.000001 × 0.125 = 1.375000125
    assert recomputed(session, acme, tmp_path, monkeypatch, capsys, *mails)[:5] == [
        ["quantity", "6.500001"],
        ["billable", "5.000001"],
        ["part", "2", "×", "0.5"],
        ["part", "3.000001", "×", "0.125"],
        ["amount", "1.38"],
    ]
    assert (billed["mails"].quantity, billed["mails"].amount.minor) == (Decimal("6.500001"), 138)


def test_the_example_recomputes_a_line_of_late_usage(session, acme, tmp_path, monkeypatch, capsys):
    """One call came after the bill, and one was taken back from it; afterwards two more came."""
    calls = ("--included", "2", "--price", "0.355", "--billed-at", "2026-04-02T12:00:00")
    late = [{"customer_ref": "ACME", "id": f"later still {number}", "time": "2026-03-14T10:00:00Z"} for number in "12"]
    ingestion.record(session, SYSTEM, late, now=datetime(2026, 4, 5, tzinfo=UTC), atomic=True)
    first = (*calls, "--late-until", "2026-04-04T00:00:00")
    # Five calls, as before: 3 × 0.355 = 1.07
    assert recomputed(session, acme, tmp_path, monkeypatch, capsys, *first)[:6] == [
        ["used", "5"],
        ["quantity", "0"],
        ["billable", "3"],
        ["part", "3", "×", "0.355"],
        ["comes", "to", "1.07", "instead", "of", "1.07"],
        ["amount", "0.00"],
    ]
    second = (*calls, "--late-since", "2026-04-04T00:00:00", "--late-until", "2026-04-06T00:00:00")
    # 5 × 0.355 = 1.775
    assert recomputed(session, acme, tmp_path, monkeypatch, capsys, *second)[:6] == [
        ["used", "7"],
        ["quantity", "2"],
        ["billable", "5"],
        ["part", "5", "×", "0.355"],
        ["comes", "to", "1.78", "instead", "of", "1.07"],
        ["amount", "0.71"],
    ]


def test_the_example_takes_off_what_was_waived(session, acme, tmp_path, monkeypatch, capsys):
    calls = ("--included", "2", "--price", "0.355", "--billed-at", "2026-04-02T12:00:00", "--waived", "0.35")
    said = recomputed(session, acme, tmp_path, monkeypatch, capsys, *calls)
    # 1.065 is rounded before.
    assert ["amount", "0.72"] in said


@pytest.mark.parametrize("incomplete", [("--late-until",), ("--late-since", "--billed-at")])
def test_the_example_says_which_time_is_missing(session, acme, tmp_path, monkeypatch, capsys, incomplete):
    options = [word for name in incomplete for word in (name, "2026-04-04T00:00:00")]
    with pytest.raises(SystemExit):
        recomputed(session, acme, tmp_path, monkeypatch, capsys, "--price", "1", *options)
    assert "late usage" in capsys.readouterr().err


def test_the_example_makes_the_digests_that_we_keep(session, acme, tmp_path, monkeypatch, capsys):
    said = recomputed(session, acme, tmp_path, monkeypatch, capsys, "--price", "1")
    kept = digests.of_days(session, SYSTEM, acme, Period(date(2026, 3, 1), date(2026, 3, 30)))
    assert [one.day.day for one in kept] == [10, 13, 20]
    # Of the days at the ends the other part is in other months of Berlin.
    assert [words for words in said if words[0] == "digest" and words[1] != "2026-03-31"] == [
        ["digest", str(one.day), one.digest] for one in kept
    ]


def test_archived_events_are_not_left_out_in_silence(session, acme):
    february = date(2026, 2, 1)
    content = moving.content_of(session, moving.events_of(february))
    moving.put_away(session, february, ArchiveFile("usage-2026-02.parquet", "f00d", 1, content), now=AFTERWARDS)
    with pytest.raises(Conflict, match=r"are archived: usage-2026-02\.parquet has to be brought back first"):
        exported(session, acme)
    whole = exported(session, acme, period=Period(date(2026, 3, 2), MARCH.end))
    assert len(whole.splitlines()) == 8


def test_it_has_what_holds_on_into_its_days(session):
    """Of meters whose last quantity holds on: the last event that was known in time, and what may have replaced it."""
    customer_id = a_customer(session, priced=False)
    meters.create(session, SYSTEM, code="level", name="Level", aggregation=Aggregation.LATEST, unit="one", now=NOW)
    meters.create(session, SYSTEM, code="most", name="Most", aggregation=Aggregation.MAX, unit="one", now=NOW)
    meters.add_bucket(session, SYSTEM, "level", code="eu", name="Europe", filters={"region": ["eu"]}, now=NOW)

    def tell(event_id, day, now, meter="level", **properties):
        event = {"id": event_id, "customer_ref": "ACME", "time": f"2026-02-{day:02}T10:00:00Z", "meter": meter}
        ingestion.record(session, SYSTEM, [event | {"properties": properties}], now=now, atomic=True)

    in_time = datetime(2026, 3, 5, tzinfo=UTC)
    for event_id, day in (("long before", 1), ("last", 10), ("withdrawn", 12)):
        tell(event_id, day, in_time)
    tell("last of Europe", 2, in_time, region="eu")
    tell("of no meter that holds on", 14, in_time, "most")
    tell("told later", 11, AFTERWARDS)
    withdrawal.withdraw(session, SYSTEM, customer_id, "withdrawn", reason="A test", now=AFTERWARDS)
    events = [json.loads(line) for line in exported(session, customer_id).splitlines()]
    assert [(event["id"], event["bucket"]) for event in events] == [
        ("last of Europe", "eu"),
        ("last", None),
        ("told later", None),
        ("withdrawn", None),
    ]


def test_it_needs_both_permissions_and_is_its_customers_own(session, acme):
    for permissions in ({Permission.USAGE_READ}, {Permission.EXPORT}):
        with pytest.raises(Forbidden):
            exported(session, acme, Actor(1, "Some", frozenset(permissions)))
    everything = frozenset(Permission)
    with pytest.raises(NotFound):
        exported(session, acme, Actor(1, "Other", everything, acme + 1))
    with pytest.raises(NotFound):
        exported(session, acme + 1)
    assert exported(session, acme, Actor(1, "Own", everything, acme)) == exported(session, acme)
