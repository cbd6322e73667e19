"""The example in ``docs`` recomputes each line of any bill, from the customer's export and the prices agreed alone."""

import io
import runpy
from contextlib import redirect_stdout
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, meters, withdrawal
from billing_core.metering.models import Aggregation
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing
from billing_core.usage.billed import lines
from billing_core.usage.exports import events as exports
from tests.plans.agreed import NOW, terms
from tests.plans.test_pricing import any_price
from tests.usage.october import an_organization

D = Decimal
MAIN = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "recompute_invoice.py"))["main"]
ZONE = ZoneInfo("America/New_York")
# The clocks go back on the fifth: a day of 25 hours.
PERIOD = Period(date(2023, 11, 4), date(2023, 11, 7))
TOLD, BILLED, AFTERWARDS = (datetime(2023, 12, day, 10, tzinfo=UTC) for day in (1, 2, 3))
# Meters by their codes; one counts how many values of a property there are.
METERS = {
    "api_calls": (Aggregation.COUNT, ""),
    "bytes": (Aggregation.SUM, ""),
    "seats": (Aggregation.MAX, ""),
    "users": (Aggregation.UNIQUE, ""),
    "hosts": (Aggregation.UNIQUE, "host"),
    "level": (Aggregation.LATEST, ""),
    "stored": (Aggregation.TIME_WEIGHTED_SUM, ""),
}
PLACES = [Metered(meter, bucket) for meter in METERS for bucket in ("", "eu") if (meter, bucket) != ("api_calls", "")]
CALLS = 3, "0.333333333333"

told = st.fixed_dictionaries(
    {
        "meter": st.sampled_from(sorted(METERS)),
        "hours": st.integers(-40, 110),
        "microseconds": st.sampled_from((0, 1, 1_799_999_999)),
        "quantity": st.integers(0, 40_000_000).map(lambda number: D(number).scaleb(-6)),
        "region": st.sampled_from(("eu", "us")),
        "user": st.sampled_from(("", "ana", "ben", "null")),
        "host": st.sampled_from((None, "", "a", "b", 1, D("1.50"), True)),
    }
)
agreed = st.fixed_dictionaries({place: any_price() for place in PLACES})


def event(number, facts):
    start = datetime.combine(PERIOD.start, datetime.min.time(), ZONE).astimezone(UTC)
    at = start + timedelta(hours=facts["hours"], microseconds=facts["microseconds"])
    names = ("meter", "quantity", "user")
    properties = {"region": facts["region"], "host": facts["host"]}
    shared = {"id": f"e-{number:02}", "customer_ref": "EXAMPLE", "time": at.isoformat(), "properties": properties}
    return shared | {name: facts[name] for name in names}


def a_billed_customer(session, prices, changed, given_events, late, withdrawn):
    """Numbers of events: ``late`` are told afterwards, ``withdrawn`` are those taken back before and after."""
    customer_id = an_organization(session)
    session.get_one(Customer, customer_id).time_zone = ZONE.key
    for code, (aggregation, unique_of) in METERS.items():
        if code != "api_calls":
            facts = {"name": code.title(), "aggregation": aggregation, "unit": "one", "unique_of": unique_of}
            meters.create(session, SYSTEM, code=code, now=NOW, **facts)
        filters = {"region": ["eu"]}
        meters.add_bucket(session, SYSTEM, code, code="eu", name="Europe", filters=filters, now=NOW)
    for plan, charged, since in zip(("one", "two"), prices, (date(2023, 1, 1), changed), strict=True):
        if since is not None:
            plans.create(session, SYSTEM, code=plan, name=plan, agreed=terms(*CALLS), charged=charged, now=NOW)
            plans.put_on(session, SYSTEM, customer_id, plan, valid_from=since, now=NOW)
    events = [event(*numbered) for numbered in enumerate(given_events)]
    in_time = [one for number, one in enumerate(events) if number not in late]
    ingestion.record(session, SYSTEM, in_time, now=TOLD, atomic=True)
    told = {one["id"] for one in in_time}
    before, after = (told & {f"e-{number:02}" for number in numbers} for numbers in withdrawn)
    for event_id in before:
        withdrawal.withdraw(session, SYSTEM, customer_id, event_id, reason="Before", now=TOLD)
    billed = billing.bill(session, SYSTEM, customer_id, PERIOD, now=BILLED, today=BILLED.date())
    ingestion.record(session, SYSTEM, [one for one in events if one not in in_time], now=AFTERWARDS, atomic=True)
    for event_id in after - before:
        withdrawal.withdraw(session, SYSTEM, customer_id, event_id, reason="After", now=AFTERWARDS)
    return customer_id, lines.of_periods(session, SYSTEM, [billed.period_id])[billed.period_id]


def recomputed(file, line, price):
    """The quantity and the amount that the script finds for the line, in minor units."""
    aggregation, unique_of = METERS[line.meter]
    scheme = Scheme.GRADUATED if price.scheme is Scheme.PER_UNIT else price.scheme
    tiers = [
        ("--price", f"{'' if one.up_to is None else f'{one.up_to}:'}{one.unit_price}+{one.flat_fee}")
        for one in price.tiers
    ]
    options = {
        "from": line.first_day,
        "to": line.last_day,
        "period-from": PERIOD.start,
        "period-to": PERIOD.end,
        "zone": ZONE.key,
        "meter": line.meter,
        "aggregation": aggregation.value,
        "scheme": scheme.value,
        "included": line.included,
        "per": price.per,
        "minimum": price.minimum,
        "billed-at": BILLED.isoformat(),
    }
    if line.bucket_name:
        options["bucket"] = "eu"
    if unique_of:
        options["unique-of"] = unique_of
    given_options = [word for name, value in options.items() for word in (f"--{name}", f"{value}")]
    said = io.StringIO()
    with redirect_stdout(said):
        MAIN([str(file), *given_options, *(word for pair in tiers for word in pair)])
    found = dict(row.split(" ", 1) for row in said.getvalue().splitlines() if not row.startswith(("part", "digest")))
    return D(found["quantity"]), D(found["amount"]) * 100


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    prices=st.tuples(agreed, agreed),
    changed=st.none() | st.sampled_from([PERIOD.start + timedelta(days=day) for day in (1, 2, 3)]),
    given_events=st.lists(told, max_size=40),
    late=st.sets(st.integers(0, 39), max_size=6),
    withdrawn=st.tuples(*(st.sets(st.integers(0, 39), max_size=4) for _ in range(2))),
)
def test_every_line_of_any_bill(session, tmp_path, prices, changed, given_events, late, withdrawn):
    file = tmp_path / "events.ndjson"
    with session.begin_nested() as taken_back:
        customer_id, billed = a_billed_customer(session, prices, changed, given_events, late, withdrawn)
        file.write_bytes(b"".join(exports.events(session, SYSTEM, customer_id, PERIOD).chunks))
        taken_back.rollback()
    session.expire_all()
    assert len(billed) == (len(PLACES) + 1) * (2 if changed else 1)
    own = Price("USD", Scheme.PER_UNIT, (Tier(None, D(CALLS[1])),), included=D(CALLS[0]))
    by_plan = dict(zip(("one", "two"), prices, strict=True))
    for line in billed:
        price = by_plan[line.plan].get(Metered(line.meter, "eu" if line.bucket_name else ""), own)
        assert recomputed(file, line, price) == (line.quantity, line.amount.minor)
