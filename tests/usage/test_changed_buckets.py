"""Buckets that change between bills, of meters whose quantities hold on: each level is billed once, in one bucket."""

import json
import runpy
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, update

from billing_core.dates import Period
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import service
from billing_core.metering import withdrawal
from billing_core.metering.models import HOLDS_ON, UsagePeriod
from billing_core.usage import billing, late
from billing_core.usage.billed import lines
from billing_core.usage.exports import events as exports
from tests.at_once import at_once
from tests.usage.changing_buckets import (
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    SEPTEMBER,
    a_company,
    acme,
    assert_proven,
    at,
    bill,
    billed,
    change,
    changed,
    retire,
    tell,
)

__all__ = ["acme"]

RECOMPUTE = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "recompute_invoice.py"))["main"]


def test_what_a_retired_bucket_held_is_billed_once_where_its_events_fall_now(session, acme):
    tell(session, "five", "5", 9, region="eu")
    assert billed(session, acme, SEPTEMBER) == {"eu": 5}
    retire(session, "eu")
    # Nothing new was told: the level goes on outside of all buckets.
    assert billed(session, acme, OCTOBER) == {"": 5}
    tell(session, "seven", "7", 11, region="eu", now=3)
    assert billed(session, acme, NOVEMBER, now=4) == {"": 7}
    assert billed(session, acme, DECEMBER, now=5) == {"": 7}
    assert changed(session) == []


def test_what_another_bucket_takes_by_now_goes_on_in_that(session, acme):
    tell(session, "all", "3", 9)
    tell(session, "eu", "5", 9, region="eu")
    tell(session, "us", "7", 9, region="us")
    # The United States have none yet: they are the last of all others.
    assert billed(session, acme, SEPTEMBER) == {"": 7, "eu": 5}
    change(session, "us", region=["us"])
    assert billed(session, acme, OCTOBER) == {"": 3, "eu": 5, "us": 7}
    change(session, "gold", region=["us", "eu"])
    retire(session, "eu")
    retire(session, "us")
    # Of both in one the last is what holds: they were told at the same time, and “us” comes after “eu”.
    assert billed(session, acme, NOVEMBER) == {"": 3, "gold": 7}


@pytest.mark.parametrize(
    ("taking", "later"),
    [
        # What another bucket takes leaves one that itself stays as it is: more specific, also of another property.
        ({"region": ["eu"], "tier": ["gold"]}, {"gold": 5, "us": 7}),
        ({"tier": ["gold"], "kind": ["a"]}, {"gold": 5, "us": 7}),
        # And some take nothing of it.
        ({"region": ["uk"], "tier": ["gold"]}, {"eu": 5, "us": 7}),
        ({"tier": ["silver"], "region": ["eu"]}, {"eu": 5, "us": 7}),
    ],
)
def test_a_level_leaves_its_bucket_only_for_one_that_takes_it(session, acme, taking, later):
    change(session, "us", region=["us"])
    tell(session, "eu", "5", 9, region="eu", tier="gold", kind="a")
    tell(session, "us", "7", 9, region="us")
    assert billed(session, acme, SEPTEMBER) == {"eu": 5, "us": 7}
    change(session, "gold", **taking)
    assert billed(session, acme, OCTOBER) == later
    retire(session, "gold")
    assert billed(session, acme, NOVEMBER) == {"eu": 5, "us": 7}
    tell(session, "more", "8", 9, now=3, region="eu", tier="gold", kind="a")
    # Three more, at 10.00 in September and November, in October at the price of their bucket.
    assert changed(session) == [(9, 3, 3_000), (10, 3, 300_000 if "gold" in later else 3_000), (11, 3, 3_000)]


def test_a_month_that_is_billed_after_its_buckets_changed_comes_to_the_same_whether_earlier_ones_were_billed(
    session, acme
):
    tell(session, "eu", "5", 9, region="eu")
    tell(session, "us", "7", 9, region="us")
    change(session, "us", region=["us"])
    retire(session, "eu")
    assert billed(session, acme, OCTOBER) == {"": 5, "us": 7}


def test_late_usage_changes_each_bill_in_the_bucket_that_it_has_there(session, acme):
    tell(session, "five", "5", 9, region="eu")
    bill(session, acme, SEPTEMBER)
    retire(session, "eu")
    bill(session, acme, OCTOBER)
    # Told for the first of September: two more units at 10.00 in the bucket, and at 1.00 outside.
    tell(session, "six", "7", 9, region="eu", now=3)
    assert changed(session) == [(9, 2, 2_000), (10, 2, 200)]
    # Something else from October on replaces it there.
    tell(session, "four", "4", 10, now=4)
    assert changed(session)[2:] == [(10, -3, -300)]
    for kind in HOLDS_ON:
        withdrawal.withdraw(session, SYSTEM, acme, f"six {kind}", reason="A test", now=at(5))
    assert changed(session)[3:] == [(9, -2, -2_000)]


def test_what_comes_for_days_that_nobody_billed_is_in_the_bucket_that_the_bill_after_them_had(session, acme):
    bill(session, acme, OCTOBER)
    retire(session, "eu")
    bill(session, acme, NOVEMBER)
    tell(session, "five", "5", 9, region="eu", now=3)
    assert changed(session) == [(10, 5, 5_000), (11, 5, 500)]
    # And in today's once its own days are billed.
    assert billed(session, acme, SEPTEMBER, now=4) == {"": 5}


def test_a_bucket_that_was_retired_before_the_bill_takes_nothing_late(session, acme):
    tell(session, "five", "5", 9, region="eu")
    retire(session, "eu")
    assert billed(session, acme, SEPTEMBER) == {"": 5}
    tell(session, "six", "6", 9, 2, region="eu", now=3)
    (item,) = [one for one in late.items(session, SYSTEM) if one.meter == "latest"]
    assert (item.quantity, item.worth.minor) == (1, 100)
    assert_proven(session)


def test_days_that_are_billed_anew_stay_in_the_buckets_of_then(session, acme):
    tell(session, "five", "5", 9, region="eu")
    made = bill(session, acme, OCTOBER)
    retire(session, "eu")
    service.discard(session, SYSTEM, made.invoice_id, now=at(3))
    assert billed(session, acme, OCTOBER, now=4) == {"eu": 5}


@pytest.mark.slow
def test_a_bill_that_is_made_while_buckets_change_goes_by_those_of_before_or_after(sessions):
    with sessions.begin() as session:
        acme = a_company(session)
        tell(session, "five", "5", 9, region="eu")

    all_at_once(
        sessions,
        lambda session: retire(session, "eu"),
        lambda session: bill(session, acme, SEPTEMBER),
        lambda session: tell(session, "seven", "7", 9, 2, region="eu"),
    )
    with sessions.begin() as session:
        assert billed(session, acme, OCTOBER, now=3) == {"": 7}
        (period_id,) = session.scalars(select(UsagePeriod.id).where(UsagePeriod.first_day == SEPTEMBER.start))
        of_latest = [one for one in lines.of_periods(session, SYSTEM, [period_id])[period_id] if one.meter == "latest"]
        worths = [one.worth.minor for one in late.items(session, SYSTEM) if one.meter == "latest"]
        # Seven at 10.00 in the bucket of the EU, or at 1.00 outside of all.
        assert sum(line.amount.minor for line in of_latest) + sum(worths) in (7_000, 700)


@pytest.mark.slow
def test_what_is_taken_back_from_a_bill_while_buckets_change_is_credited_in_the_bucket_of_then(sessions):
    with sessions.begin() as session:
        acme = a_company(session)
        tell(session, "five", "5", 9, region="eu")
        bill(session, acme, SEPTEMBER)
    all_at_once(
        sessions,
        lambda session: retire(session, "eu"),
        lambda session: withdrawal.withdraw(session, SYSTEM, acme, "five latest", reason="A test", now=at(3)),
    )
    with sessions() as session:
        assert [(one.quantity, one.worth.minor) for one in late.items(session, SYSTEM)] == [(-5, -5_000)]


def all_at_once(sessions, *works):
    """Each in a transaction of its own."""

    def within(work):
        with sessions.begin() as session:
            work(session)

    at_once(*(partial(within, work) for work in works))


FIRST_HALF, SECOND_HALF = Period(date(2023, 10, 1), date(2023, 10, 15)), Period(date(2023, 10, 16), OCTOBER.end)


@pytest.mark.parametrize(
    ("before", "anew"),
    [([OCTOBER], FIRST_HALF), ([OCTOBER], SECOND_HALF), ([FIRST_HALF, SECOND_HALF], OCTOBER), ([SECOND_HALF], OCTOBER)],
)
def test_once_buckets_changed_no_other_days_than_before_are_billed_anew(session, acme, before, anew):
    """Seven replace five, all of the EU: in the buckets of then and in those of now, both would be billed."""
    tell(session, "five", "5", 10, 5, region="eu")
    tell(session, "seven", "7", 10, 20, region="eu")
    for made in [bill(session, acme, days) for days in before]:
        service.discard(session, SYSTEM, made.invoice_id, now=at(3))
    # While nothing has changed, other days can be billed.
    (seen,) = billing.rehearse(session, SYSTEM, [acme], anew, now=at(4))
    assert seen.can_be_billed
    retire(session, "eu")
    (seen,) = billing.rehearse(session, SYSTEM, [acme], anew, now=at(4))
    assert (
        seen.can_be_billed,
        "latest has had other buckets since: bill exactly those days again" in seen.refusal,
    ) == (False, True)
    with pytest.raises(Conflict, match="had other buckets since"):
        bill(session, acme, anew, now=4)
    for days in before:
        made = bill(session, acme, days, now=4)
        of_period = lines.of_periods(session, SYSTEM, [made.period_id])[made.period_id]
        assert {line.bucket_name for line in of_period if line.quantity} == {"eu"}
    assert_proven(session)


def test_of_former_bills_what_was_told_before_stays_in_the_bucket_that_it_is_in(session, acme):
    """Nobody knows which buckets there were when they were made."""
    tell(session, "five", "5", 9, region="eu")
    assert billed(session, acme, SEPTEMBER) == billed(session, acme, OCTOBER) == {"eu": 5}
    session.execute(update(UsagePeriod).values(bucket_change_id=None))
    session.expire_all()
    retire(session, "eu")
    assert billed(session, acme, NOVEMBER) == {"": 5}
    tell(session, "seven", "7", 9, region="eu", now=3)
    assert changed(session) == [(9, 2, 2_000), (10, 2, 2_000), (11, 2, 200)]


def test_of_a_former_bill_other_days_are_not_billed_anew_where_its_meters_have_buckets(session, acme):
    tell(session, "five", "5", 10, region="eu")
    made = bill(session, acme, OCTOBER)
    session.execute(update(UsagePeriod).values(bucket_change_id=None))
    session.expire_all()
    service.discard(session, SYSTEM, made.invoice_id, now=at(3))
    with pytest.raises(Conflict, match="latest has had other buckets since"):
        bill(session, acme, FIRST_HALF, now=4)
    assert billed(session, acme, OCTOBER, now=4)["eu"] == 5


def exported(session, customer_id, period):
    """The ids and buckets of the events in the file."""
    rows = b"".join(exports.events(session, SYSTEM, customer_id, period).chunks).splitlines()
    return [(row["id"], row["bucket"]) for row in map(json.loads, rows) if row["meter"] == "latest"]


def test_a_month_is_exported_with_what_holds_on_in_the_buckets_of_its_bill(session, acme):
    in_september = (datetime(2023, 9, 3, 12, tzinfo=UTC) - at(0)).days
    tell(session, "five", "5", 9, now=in_september, region="eu")
    tell(session, "four", "4", 9, 2, now=in_september, region="elsewhere")
    bill(session, acme, SEPTEMBER)
    bill(session, acme, OCTOBER)
    assert exported(session, acme, OCTOBER) == [("five latest", "eu"), ("four latest", None)]
    change(session, "us", region=["elsewhere"])
    retire(session, "eu")
    # What nobody billed goes by the buckets of today.
    assert exported(session, acme, NOVEMBER) == [("five latest", None), ("four latest", "us")]
    change(session, "us", region=["us"])
    # Both are in none, of which the later one holds.
    assert exported(session, acme, NOVEMBER) == [("four latest", None)]
    assert exported(session, acme, OCTOBER) == [("five latest", "eu"), ("four latest", None)]
    assert exported(session, acme, SEPTEMBER) == [("five latest", "eu"), ("four latest", None)]


def test_the_example_recomputes_what_goes_on_in_another_bucket(session, acme, tmp_path, capsys):
    tell(session, "five", "5", 9, region="eu")
    bill(session, acme, SEPTEMBER)
    retire(session, "eu")
    assert billed(session, acme, OCTOBER) == {"": 5}
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(exports.events(session, SYSTEM, acme, OCTOBER).chunks))
    days = ["--from", f"{OCTOBER.start}", "--to", f"{OCTOBER.end}", "--price", "1", "--billed-at", at(2).isoformat()]
    for kind in HOLDS_ON:
        of_meter = ["--meter", kind.value, "--aggregation", kind.value]
        for bucket, quantity in (([], "5"), (["--bucket", "eu"], "0")):
            RECOMPUTE([str(file), *days, *of_meter, *bucket])
            assert f"quantity {quantity}" in capsys.readouterr().out.splitlines()
