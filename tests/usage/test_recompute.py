"""The example in ``docs`` recomputes each line of any bill, and of what came late for it, from the customer's export
and the prices agreed alone.
"""

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
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices import service as invoices
from billing_core.metering import ingestion, meters, withdrawal
from billing_core.metering.models import Aggregation
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, late
from billing_core.usage.billed import lines
from billing_core.usage.exports import events as exports
from billing_core.usage.models import UsageLine, UsageSettlement
from tests.arrivals import arriving
from tests.plans.agreed import NOW, terms
from tests.plans.test_pricing import any_price
from tests.usage.october import an_organization

D = Decimal
MAIN = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "recompute_invoice.py"))["main"]
ZONE = ZoneInfo("America/New_York")
# The clocks go back on the fifth: a day of 25 hours.
PERIOD = Period(date(2023, 11, 4), date(2023, 11, 7))
TOLD, BILLED, *AFTERWARDS = (datetime(2023, 12, day, 10, tzinfo=UTC) for day in (1, 2, 3, 5))
# When what came late by then was dealt with.
SETTLED = [at + timedelta(days=1) for at in AFTERWARDS]
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
        "hours": st.integers(-40, 110),
        "microseconds": st.sampled_from((0, 1, 1_799_999_999)),
        "quantity": st.integers(0, 40_000_000).map(lambda number: D(number).scaleb(-6)),
        "region": st.sampled_from(("eu", "us")),
        "user": st.sampled_from(("", "ana", "ben", "null")),
        "host": st.sampled_from((None, "", "a", "b", 1, D("1.50"), True)),
    }
)
# Each meter's, before the bill; and at least one of each at every time afterwards.
in_time = st.fixed_dictionaries(dict.fromkeys(METERS, st.lists(told, max_size=6)))
too_late = st.fixed_dictionaries(dict.fromkeys(METERS, st.lists(told, min_size=1, max_size=3)))
agreed = st.fixed_dictionaries({place: any_price() for place in PLACES})


def events_of(by_meter, name):
    """They are called by this name."""
    given_events = [(meter, facts) for meter, of_meter in by_meter.items() for facts in of_meter]
    return [event(f"{name}-{number:02}", *one) for number, one in enumerate(given_events)]


def event(event_id, meter, facts):
    start = datetime.combine(PERIOD.start, datetime.min.time(), ZONE).astimezone(UTC)
    at = start + timedelta(hours=facts["hours"], microseconds=facts["microseconds"])
    properties = {"region": facts["region"], "host": facts["host"]}
    shared = {"id": event_id, "customer_ref": "EXAMPLE", "time": at.isoformat(), "properties": properties}
    return shared | {"meter": meter, "quantity": facts["quantity"], "user": facts["user"]}


def a_customer(session, prices, changed):
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
    return customer_id


def a_billed_customer(session, prices, changed, before, late_events, withdrawn):
    """``late_events`` are told afterwards, those of each place at the time in the same place of AFTERWARDS;
    ``withdrawn`` are places among the events of those that are taken back before, and at each of these times.
    """
    customer_id = a_customer(session, prices, changed)
    left = []

    def tell(events, now):
        ingestion.record(session, SYSTEM, events, now=now, atomic=True)
        left.extend(one["id"] for one in events)

    def take_back(places, now):
        for place in places if left else ():
            event_id = left.pop(place % len(left))
            withdrawal.withdraw(session, SYSTEM, customer_id, event_id, reason="A test", now=now)

    tell(events_of(before, "in-time"), TOLD)
    take_back(withdrawn[0], TOLD)
    billed = billing.bill(session, SYSTEM, customer_id, PERIOD, now=BILLED, today=BILLED.date())
    if billed.invoice_id:
        # Of a draft nothing can be credited.
        invoices.send(session, SYSTEM, billed.invoice_id, now=BILLED)
    for came, gone, noticed, settled in zip(late_events, withdrawn[1:], AFTERWARDS, SETTLED, strict=True):
        tell(events_of(came, f"{noticed:%d}"), noticed)
        take_back(gone, noticed)
        items = [one.id for one in late.items(session, SYSTEM, open_only=True, limit=1_000)]
        if items:
            late.settle(session, SYSTEM, items, now=settled, today=settled.date())
    return customer_id, lines.of_periods(session, SYSTEM, [billed.period_id])[billed.period_id]


def settled_lines(session):
    """Those of late usage: each with when it was dealt with, and when late usage of the same line was before."""
    statement = select(UsageLine, UsageSettlement.settled_at).join(
        UsageSettlement, UsageSettlement.id == UsageLine.settlement_id
    )
    before = {}
    for row, settled_at in session.execute(statement.order_by(UsageLine.id)):
        place = row.meter_id, row.bucket_id, row.first_day
        yield lines.one(session, SYSTEM, row.id), settled_at, before.get(place)
        before[place] = settled_at


def recomputed(file, line, price, **more):
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
        **more,
    }
    if line.bucket_name:
        options["bucket"] = "eu"
    if unique_of:
        options["unique-of"] = unique_of
    given_options = [word for name, value in options.items() for word in (f"--{name}", f"{value}")]
    said = io.StringIO()
    with redirect_stdout(said):
        MAIN([str(file), *given_options, *(word for pair in tiers for word in pair)])
    found = dict(row.rsplit(" ", 1) for row in said.getvalue().splitlines() if row.startswith(("quantity", "amount")))
    return D(found["quantity"]), D(found["amount"]) * 100


places = st.lists(st.integers(0, 39), max_size=4)


# What has to have happened to lines: late usage of each meter, of one twice, and less than was billed.
HAPPENED = [*METERS, "again", "less"]


@pytest.mark.slow
@pytest.mark.later
def test_every_line_of_any_bill(session, tmp_path):
    file = tmp_path / "events.ndjson"
    own = Price("USD", Scheme.PER_UNIT, (Tier(None, D(CALLS[1])),), included=D(CALLS[0]))
    with arriving(HAPPENED) as arrived:

        @settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
        @given(
            prices=st.tuples(agreed, agreed),
            changed=st.none() | st.sampled_from([PERIOD.start + timedelta(days=day) for day in (1, 2, 3)]),
            before=in_time,
            late_events=st.tuples(*(too_late for _ in AFTERWARDS)),
            withdrawn=st.tuples(*(places for _ in (BILLED, *AFTERWARDS))),
        )
        def any_bill(prices, changed, before, late_events, withdrawn):
            with session.begin_nested() as taken_back:
                customer_id, billed = a_billed_customer(session, prices, changed, before, late_events, withdrawn)
                changes = list(settled_lines(session))
                file.write_bytes(b"".join(exports.events(session, SYSTEM, customer_id, PERIOD).chunks))
                taken_back.rollback()
            session.expire_all()
            assert len(billed) == (len(PLACES) + 1) * (2 if changed else 1)
            by_plan = dict(zip(("one", "two"), prices, strict=True))

            def price_of(line):
                return by_plan[line.plan].get(Metered(line.meter, "eu" if line.bucket_name else ""), own)

            for line in billed:
                assert recomputed(file, line, price_of(line)) == (line.quantity, line.amount.minor)
            for line, until, since in changes:
                times = {"late-until": until.isoformat()} | ({"late-since": since.isoformat()} if since else {})
                assert recomputed(file, line, price_of(line), **times) == (line.quantity, line.amount.minor)
                arrived(line.meter)
                for step, happened in (("again", since), ("less", line.amount.minor < 0)):
                    if happened:
                        arrived(step)

        any_bill()
