"""A line of a meter whose events do not add up opens into what a person can check it by, whatever happened since."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.dates import Period
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.metering import ingestion, meters, withdrawal
from billing_core.metering.models import FROM_EVENTS
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, late
from billing_core.usage.billed import explaining, lines
from billing_core.usage.billed.explaining import DayPart, UserPart
from billing_core.usage.billed.origins import HeldPart, ValuePart
from billing_core.usage.models import UsageLine
from tests.invoices.company import a_customer
from tests.plans.agreed import NOW, terms

D = Decimal
NOVEMBER = Period(date(2023, 11, 1), date(2023, 11, 30))
LATER = datetime(2023, 12, 1, 10, tzinfo=UTC)
SECONDS_A_DAY = 86_400


def at(day, hour=0, month=11):
    return datetime(2023, month, day, hour, tzinfo=UTC)


def tell(session, meter, *told):
    events = [
        {
            "id": name,
            "customer_ref": "ACME",
            "time": time.isoformat(),
            "meter": meter,
            "user": user,
            "quantity": D(much),
        }
        for name, time, user, much in told
    ]
    ingestion.record(session, SYSTEM, events, now=LATER, atomic=True)


@pytest.fixture
def acme(session) -> int:
    """Billed in UTC; a unit of every meter costs 1.00."""
    one = Price("USD", Scheme.PER_UNIT, (Tier(None, D(1)),))
    for kind in FROM_EVENTS:
        meters.create(session, SYSTEM, code=kind.value, name=kind.value, aggregation=kind, unit="unit", now=NOW)
    customer_id = a_customer(session, "ACME", time_zone="UTC")
    charged = {Metered(kind.value): one for kind in FROM_EVENTS}
    plans.create(session, SYSTEM, code="basic", name="Basic", agreed=terms(), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, customer_id, "basic", valid_from=date(2023, 10, 1), now=NOW)
    return customer_id


def billed(session, customer_id, meter):
    made = billing.bill(session, SYSTEM, customer_id, NOVEMBER, now=LATER, today=LATER.date())
    (line,) = [one for one in lines.of_periods(session, SYSTEM, [made.period_id])[made.period_id] if one.meter == meter]
    return line


def test_the_greatest_quantity_is_that_of_one_event_and_the_greatest_of_its_days(session, acme):
    told = [
        ("a", at(3), "ana", 4),
        ("b", at(3, 5), "ben", 9),
        ("c", at(20), "ana", 7),
        ("before", at(31, 0, 10), "", 99),
    ]
    tell(session, "max", *told)
    line = billed(session, acme, "max")
    # Neither is part of what was billed.
    tell(session, "max", ("late", at(4), "eve", 50))
    withdrawal.withdraw(session, SYSTEM, acme, "b", reason="A test", now=LATER)
    assert line.quantity == 9
    assert explaining.days(session, SYSTEM, line.id) == [
        DayPart(at(3).date(), 2, D(9), 2),
        DayPart(at(20).date(), 1, D(7), 1),
    ]
    assert explaining.users(session, SYSTEM, line.id) == [UserPart("ana", 2, D(7)), UserPart("ben", 1, D(9))]
    assert explaining.reached(session, SYSTEM, line.id).id == "b"


def test_unique_values_are_as_many_as_were_new(session, acme):
    told = [("a", at(3), "ana", 1), ("b", at(3, 5), "ben", 1), ("c", at(20), "ana", 1), ("d", at(20), "cy", 1)]
    tell(session, "unique", *told, ("nobody", at(21), "", 1))
    line = billed(session, acme, "unique")
    tell(session, "unique", ("late", at(1), "ana", 1), ("new", at(1), "eve", 1))
    assert line.quantity == 3
    assert [(day.day, day.calls, day.quantity) for day in explaining.days(session, SYSTEM, line.id)] == [
        (at(3).date(), 2, 2),
        (at(20).date(), 2, 1),
        (at(21).date(), 1, 0),
    ]
    found = [ValuePart("ana", "a", at(3)), ValuePart("ben", "b", at(3, 5)), ValuePart("cy", "d", at(20))]
    assert explaining.values(session, SYSTEM, line.id) == found
    assert explaining.values(session, SYSTEM, line.id, limit=1, offset=1) == found[1:2]


def test_the_latest_quantity_is_that_of_the_last_event_also_of_one_before_the_period(session, acme):
    tell(session, "latest", ("october", at(5, 0, 10), "ana", 4))
    line = billed(session, acme, "latest")
    assert (line.quantity, explaining.days(session, SYSTEM, line.id)) == (4, [])
    assert explaining.reached(session, SYSTEM, line.id).id == "october"
    # What is told afterwards, for October or for November, changes nothing of what was billed.
    tell(
        session,
        "latest",
        ("same", at(6, 0, 10), "ana", 4),
        ("other", at(7, 0, 10), "ana", 5),
        ("late", at(3), "ben", 6),
    )
    withdrawal.withdraw(session, SYSTEM, acme, "october", reason="A test", now=LATER)
    assert explaining.reached(session, SYSTEM, line.id).id == "october"


def test_the_latest_quantity_of_each_day_and_that_of_the_last_event(session, acme):
    told = [("a", at(3), "ana", 4), ("b", at(3, 5), "ben", 9), ("c", at(20), "ana", 7)]
    tell(session, "latest", *told)
    line = billed(session, acme, "latest")
    assert explaining.days(session, SYSTEM, line.id) == [
        DayPart(at(3).date(), 2, D(9), 2),
        DayPart(at(20).date(), 1, D(7), 1),
    ]
    assert explaining.reached(session, SYSTEM, line.id).id == "c"


def test_nothing_is_the_latest_where_nothing_was_told(session, acme):
    line = billed(session, acme, "latest")
    assert (line.quantity, explaining.reached(session, SYSTEM, line.id)) == (0, None)


def test_what_is_weighted_by_time_is_what_held_for_how_long(session, acme):
    told = [("october", at(5, 0, 10), "ana", "1.5"), ("a", at(11), "ben", 3), ("b", at(12, 12), "ana", "0.000001")]
    tell(session, "time_weighted_sum", *told)
    line = billed(session, acme, "time_weighted_sum")
    tell(session, "time_weighted_sum", ("late", at(6, 0, 10), "ana", 5), ("in it", at(13), "ana", 5))
    held = [
        HeldPart(at(1), at(11), D("1.5"), "october", "ana"),
        HeldPart(at(11), at(12, 12), D(3), "a", "ben"),
        HeldPart(at(12, 12), at(1, 0, 12), D("0.000001"), "b", "ana"),
    ]
    assert explaining.held(session, SYSTEM, line.id) == held
    assert explaining.held(session, SYSTEM, line.id, limit=1, offset=1) == held[1:2]
    # Ten days 1.5, one and a half 3, eighteen and a half nearly nothing.
    days = [D(15), D("4.5"), D("0.0000185")]
    assert [part.held for part in held] == [one * SECONDS_A_DAY for one in days]
    assert [part.seconds for part in held] == [10 * SECONDS_A_DAY, D("1.5") * SECONDS_A_DAY, D("18.5") * SECONDS_A_DAY]
    in_all = explaining.held_in_all(session, SYSTEM, line.id)
    assert (in_all.total, in_all.seconds) == (sum(days) * SECONDS_A_DAY, 30 * SECONDS_A_DAY)
    # 19.5000185 of 30 days.
    assert in_all.quantity == line.quantity == D("0.650001")
    by_day = explaining.days(session, SYSTEM, line.id)
    assert (len(by_day), sum(day.quantity for day in by_day)) == (30, in_all.total)
    assert by_day[11] == DayPart(at(12).date(), 1, D("1.5000005") * SECONDS_A_DAY, 1)
    assert explaining.users(session, SYSTEM, line.id) == [
        UserPart("ana", 1, D("15.0000185") * SECONDS_A_DAY),
        UserPart("ben", 1, D("4.5") * SECONDS_A_DAY),
    ]


def test_what_late_items_changed_adds_up_of_every_meter(session, acme):
    """A line of late items has by how much what was billed changed."""
    tell(session, "max", ("a", at(3), "ana", 4))
    billed(session, acme, "max")
    tell(session, "max", ("late", at(4), "eve", 9), ("less", at(5), "eve", 8))
    ids = [one.id for one in late.items(session, SYSTEM)]
    late.settle(session, SYSTEM, ids, now=LATER, today=LATER.date())
    (line_id,) = session.scalars(select(UsageLine.id).where(UsageLine.settlement_id.is_not(None))).all()
    assert lines.one(session, SYSTEM, line_id).quantity == 5
    assert [(day.day, day.quantity) for day in explaining.days(session, SYSTEM, line_id)] == [
        (at(4).date(), 5),
        (at(5).date(), 0),
    ]
    assert explaining.users(session, SYSTEM, line_id) == [UserPart("eve", 2, D(5))]


@pytest.mark.parametrize("read", [explaining.reached, explaining.values, explaining.held, explaining.held_in_all])
def test_only_its_own_customer_sees_what_a_line_comes_from(session, acme, read):
    tell(session, "max", ("a", at(3), "ana", 4))
    line = billed(session, acme, "max")
    other = actor_with(Role.FINANCE, user_id=None, name="Other", customer_id=acme + 1)
    with pytest.raises(NotFound):
        read(session, other, line.id)
    with pytest.raises(Forbidden):
        read(session, SYSTEM.__class__(None, "Nobody", frozenset()), line.id)
