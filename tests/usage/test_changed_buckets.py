"""Buckets that change between bills, of meters whose quantities hold on: each level is billed once, in one bucket."""

import json
import runpy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from billing_core.dates import Period
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import service
from billing_core.metering import ingestion, meters, withdrawal
from billing_core.metering import verification as metering
from billing_core.metering.models import HOLDS_ON, UsagePeriod
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, late
from billing_core.usage.billed import explaining, lines, verification
from billing_core.usage.exports import events as exports
from tests.arrivals import Dealt, arriving
from tests.at_once import at_once
from tests.invoices.company import a_customer
from tests.plans.agreed import NOW, terms
from tests.usage import naive
from tests.usage.naive import Told

D = Decimal
MONTHS = [Period.month_of(date(2023, month, 1)) for month in (9, 10, 11, 12)]
SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = MONTHS
RECOMPUTE = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "recompute_invoice.py"))["main"]
# What a unit costs in each bucket, and outside of all.
PRICES = {"": "1", "eu": "10", "us": "100", "gold": "1000"}


def each(price):
    return Price("USD", Scheme.PER_UNIT, (Tier(None, D(price)),))


@pytest.fixture
def acme(session) -> int:
    return a_company(session)


def a_company(session) -> int:
    """Each meter has a bucket for the EU, and further ones into which nothing falls yet."""
    charged = {}
    for kind in HOLDS_ON:
        meters.create(session, SYSTEM, code=kind.value, name=kind.value, aggregation=kind, unit="unit", now=NOW)
        for code, price in PRICES.items():
            if code:
                region = "eu" if code == "eu" else f"no {code}"
                facts = {"code": code, "name": code, "filters": {"region": [region]}, "now": NOW}
                meters.add_bucket(session, SYSTEM, kind.value, **facts)
            charged[Metered(kind.value, code)] = each(price)
    customer_id = a_customer(session, "ACME")
    plans.create(session, SYSTEM, code="basic", name="Basic", agreed=terms(), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, customer_id, "basic", valid_from=SEPTEMBER.start, now=NOW)
    return customer_id


def at(day):
    """Noon, so many days after the last of December."""
    return datetime(2023, 12, 31, 12, tzinfo=UTC) + timedelta(days=day)


def tell(session, name, quantity, month, day=1, now=1, **properties):
    """The same of both meters."""
    told = [
        {
            "id": f"{name} {kind}",
            "customer_ref": "ACME",
            "time": f"2023-{month:02}-{day:02}T00:00:00Z",
            "meter": kind.value,
            "quantity": D(quantity),
            "properties": properties,
        }
        for kind in HOLDS_ON
    ]
    return ingestion.record(session, SYSTEM, told, now=at(now), atomic=True)


def change(session, code, **filters):
    for kind in HOLDS_ON:
        meters.change_bucket(session, SYSTEM, kind.value, code, name=code, filters=filters, now=NOW)


def retire(session, code):
    for kind in HOLDS_ON:
        meters.retire_bucket(session, SYSTEM, kind.value, code, now=NOW)


def bill(session, customer_id, period, now=2):
    return billing.bill(session, SYSTEM, customer_id, period, now=at(now), today=at(now).date())


def billed(session, customer_id, period, now=2):
    """The quantity of each bucket, which is the same of both meters; what is 0 is left out."""
    made = bill(session, customer_id, period, now)
    of_period = lines.of_periods(session, SYSTEM, [made.period_id])[made.period_id]
    found = [
        {line.bucket_name: line.quantity for line in of_period if line.meter == kind.value and line.quantity}
        for kind in HOLDS_ON
    ]
    assert found[0] == found[1]
    assert_proven(session)
    return found[0]


def changed(session):
    """The month, the quantity and the worth in cents of each late item, the same of both meters."""
    items = late.items(session, SYSTEM)
    found = [
        [(one.first_day.month, one.quantity, one.worth.minor) for one in items if one.meter == kind.value]
        for kind in HOLDS_ON
    ]
    assert found[0] == found[1]
    assert_proven(session)
    return found[0]


def assert_proven(session):
    for checked in (verification.checks(session), metering.checks(session)):
        assert [wrong for check in checked for wrong in check.wrong] == []


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


REGIONS = st.sampled_from(["eu", "us", "uk", "elsewhere"])
EVENTS = st.tuples(st.integers(0, 3), st.integers(1, 28), st.sampled_from(["0", "3", "12.5", "0.000001"]), REGIONS)
# What the facts of each step are drawn from.
STEPS = {
    "tell": (st.lists(EVENTS, min_size=1, max_size=4),),
    "withdraw": (st.integers(0, 50),),
    "bill": (st.integers(0, 3),),
    "bill_anew": (st.integers(0, 3),),
    "change": (st.sampled_from(["eu", "us", "gold"]), st.frozensets(REGIONS, min_size=1, max_size=3)),
}


class History:
    """One customer's levels, its bills, and the buckets by which each was made."""

    def __init__(self, session, customer_id, arrived):
        self.session, self.customer_id, self.arrived = session, customer_id, arrived
        self.counted = {}
        self.buckets = {"eu": {"eu"}, "us": {"no us"}, "gold": {"no gold"}}
        # By the place of the month.
        self.by_bill = {}
        self.names = 0

    def tell(self, events):
        for place, day, quantity, region in events:
            month = MONTHS[place].start
            self.names += 1
            recorded = tell(self.session, f"{self.names}", quantity, month.month, day, region=region)
            at_midnight = datetime(month.year, month.month, day, tzinfo=UTC)
            self.counted[f"{self.names}"] = Told(at_midnight, f"{self.names}", "", D(quantity), region)
            if recorded.late and place not in self.by_bill:
                self.arrived("carried late")

    def withdraw(self, place):
        if self.counted:
            name = list(self.counted)[place % len(self.counted)]
            for kind in HOLDS_ON:
                event_id = f"{name} {kind}"
                withdrawal.withdraw(self.session, SYSTEM, self.customer_id, event_id, reason="A test", now=at(3))
            del self.counted[name]

    def bill(self, place):
        bill(self.session, self.customer_id, MONTHS[place])
        self.by_bill.setdefault(place, dict(self.buckets))
        if len({tuple(map(str, kept.items())) for kept in self.by_bill.values()}) > 1:
            self.arrived("other buckets")

    def bill_anew(self, place):
        made = bill(self.session, self.customer_id, MONTHS[place])
        self.by_bill.setdefault(place, dict(self.buckets))
        if made.invoice_id is None:
            return
        with self.session.begin_nested() as discarded:
            service.discard(self.session, SYSTEM, made.invoice_id, now=at(3))
            try:
                bill(self.session, self.customer_id, MONTHS[place], now=4)
                self.arrived("billed anew")
            except Conflict:
                # Late usage of the month is on another draft.
                discarded.rollback()

    def change(self, code, regions):
        if code in self.buckets and regions not in self.buckets.values():
            change(self.session, code, region=sorted(regions))
            self.buckets[code] = regions

    def retire(self, code):
        if code in self.buckets:
            retire(self.session, code)
            del self.buckets[code]

    def check(self):
        """Each bill, with its late items, is what its levels come to in the buckets of then."""
        assert_proven(self.session)
        standing = select(UsagePeriod).where(UsagePeriod.replaced_at.is_(None))
        for period in self.session.scalars(standing).all():
            place = next(place for place, month in enumerate(MONTHS) if month.start == period.first_day)
            billed = lines.of_periods(self.session, SYSTEM, [period.id])[period.id]
            items = [one for one in late.items(self.session, SYSTEM, limit=1_000) if one.first_day == period.first_day]
            # Those of a bill that was replaced are in the one that replaced it.
            worths = sum(one.worth.minor for one in items if one.state.value != "billed_anew")
            assert sum(line.amount.minor for line in billed) + worths == 100 * self.cost(place)
            for line in billed:
                explained(self.session, line)

    def cost(self, place):
        """By hand, of both meters, in the halves of October that are on two plans."""
        month, cost = MONTHS[place], D(0)
        whole = bounds(month.start, month.end)
        for first, last in halves(month):
            days = (last - first).days + 1
            for kind in HOLDS_ON:
                for code, price in PRICES.items():
                    told = [one for one in self.counted.values() if naive.bucket(self.by_bill[place], one) == code]
                    used = naive.quantity(kind.value, told, bounds(first, last), whole)
                    cost += naive.amount(kind.value, used, D(price), D(0), days, month.days)
        return cost


def explained(session, line):
    """What a line opens into comes to its quantity."""
    if line.meter == "latest":
        reached = explaining.reached(session, SYSTEM, line.id)
        assert (reached.quantity if reached else 0) == line.quantity
    elif line.meter == "time_weighted_sum":
        assert explaining.held_in_all(session, SYSTEM, line.id).quantity == line.quantity


def halves(month):
    """The segments of a month: in October the plan changes."""
    if month == OCTOBER:
        return [(month.start, date(2023, 10, 15)), (date(2023, 10, 16), month.end)]
    return [(month.start, month.end)]


def bounds(first, last):
    begun, ended = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (first, last + timedelta(days=1)))
    return begun, ended


@pytest.mark.later
@pytest.mark.slow
def test_whatever_becomes_of_buckets_each_bill_is_what_its_levels_come_to_in_those_of_then(session, acme):
    charged = {Metered(kind.value, code): each(price) for kind in HOLDS_ON for code, price in PRICES.items()}
    plans.create(session, SYSTEM, code="other", name="Other", agreed=terms(), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, acme, "other", valid_from=date(2023, 10, 16), now=NOW)
    with arriving(["carried late", "other buckets", "billed anew"]) as arrived:

        @settings(max_examples=10)
        @given(st.data())
        def any_history(data):
            with session.begin_nested() as taken_back:
                history = History(session, acme, arrived)
                steps = Dealt(list(STEPS), times=3)
                for number in range(3 * len(STEPS)):
                    name = steps.next(data.draw)
                    getattr(history, name)(*map(data.draw, STEPS[name]))
                    if number % 5 == 0:
                        history.check()
                history.retire(data.draw(st.sampled_from(["eu", "us", "gold"])))
                history.tell(data.draw(st.lists(EVENTS, min_size=1, max_size=4)))
                history.bill(3)
                history.check()
                taken_back.rollback()
            session.expire_all()

        any_history()
