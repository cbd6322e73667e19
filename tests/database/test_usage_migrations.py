"""Billed usage of a former version: an upgrade changes nothing of what was billed, nor of what late usage is worth.

October's days up to the 15th are billed by one plan, at 1.00 a unit, the others and November by another, at 2.00.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from alembic import command
from sqlalchemy import delete, func, select, text, update

from billing_core.customers.models import Customer
from billing_core.database import for_changes, migrate
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices import service as invoices
from billing_core.metering import ingestion, meters, withdrawal
from billing_core.metering.models import FROM_EVENTS, Aggregation, LateItem, UsageEvent, UsagePeriod
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, late
from billing_core.usage.billed import verification
from billing_core.usage.models import Outcome, UsageLine, UsageSettlement
from tests.invoices.company import a_customer
from tests.plans.agreed import NOW, terms

# These migrations are released, and never change.
pytestmark = pytest.mark.later

D = Decimal
OCTOBER, NOVEMBER = (Period.month_of(date(2023, month, 1)) for month in (10, 11))
BILLED = datetime(2023, 12, 1, 12, tzinfo=UTC)
LATER = BILLED + timedelta(hours=1)
AFTERWARDS = LATER + timedelta(hours=1)
KINDS = ["latest", "max", "time_weighted_sum", "unique"]


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        for kind in FROM_EVENTS:
            meters.create(session, SYSTEM, code=kind.value, name=kind.value, aggregation=kind, unit="unit", now=NOW)
        facts = {"name": "Plants", "aggregation": Aggregation.UNIQUE, "unit": "plant", "unique_of": "plant"}
        meters.create(session, SYSTEM, code="plants", **facts, now=NOW)
        customer_id = a_customer(session)
        for code, price, since in (("one", 1, date(2023, 9, 1)), ("two", 2, date(2023, 10, 16))):
            each = Price("USD", Scheme.PER_UNIT, (Tier(None, D(price)),))
            charged = {Metered(meter): each for meter in (*KINDS, "plants")}
            plans.create(session, SYSTEM, code=code, name=code, agreed=terms(price="0"), charged=charged, now=NOW)
            plans.put_on(session, SYSTEM, customer_id, code, valid_from=since, now=NOW)
        return customer_id


def tell(sessions, month, day, quantity, user, *, kinds=KINDS, now=BILLED):
    told = [
        {
            "id": f"{kind} {month}-{day}",
            "customer_ref": "ACME",
            "time": f"2023-{month:02}-{day:02}T00:00:00Z",
            "meter": kind,
            "quantity": D(quantity),
            "user": user,
        }
        for kind in kinds
    ]
    with sessions.begin() as session:
        assert ingestion.record(session, SYSTEM, told, now=now).accepted == len(kinds)


def bill(sessions, customer_id, *periods, now=BILLED):
    with sessions.begin() as session:
        for period in periods:
            billing.bill(session, SYSTEM, customer_id, period, now=now, today=now.date())


def withdraw(sessions, customer_id, *names, now=LATER):
    with sessions.begin() as session:
        for name in names:
            withdrawal.withdraw(session, SYSTEM, customer_id, name, reason="A test", now=now)


def released(sessions, *statements):
    """The database as the version left it that was released before late items said what they change."""
    with for_changes(sessions.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0019")
        for statement in statements:
            connection.execute(text(statement))


def former_items(sessions):
    with sessions.engine.connect() as connection:
        return {
            (name, kind, f"{day}", quantity)
            for name, kind, day, quantity in connection.execute(
                text("SELECT event_id, kind, day, quantity FROM usage_late_items")
            )
        }


def items(sessions):
    """By meter and kind, in order: the day from which each counts, and what it changes."""
    found = {}
    with sessions() as session:
        chosen = select(LateItem.event_id, LateItem.kind, LateItem.day, LateItem.quantity)
        for name, kind, day, quantity in session.execute(chosen.order_by(LateItem.id)):
            found.setdefault((name.split()[0], kind.value), []).append((f"{day:%m-%d}", quantity))
    return found


def worths(sessions):
    """Of each event, by what became of it, in cents."""
    found = {}
    with sessions() as session:
        for one in late.items(session, SYSTEM):
            key = (one.event_id, one.kind.value)
            found[key] = found.get(key, 0) + one.worth.minor
    return found


def wrong_in(sessions):
    with sessions() as session:
        return [wrong for check in verification.checks(session) for wrong in check.wrong]


@pytest.mark.parametrize("now", [BILLED, LATER], ids=["in one instant", "one after the other"])
def test_late_items_say_by_how_much_each_event_changed_each_segment(sessions, acme, now):
    tell(sessions, 10, 5, "2", "ana")
    tell(sessions, 10, 21, "1", "ben")
    bill(sessions, acme, OCTOBER, NOVEMBER)
    tell(sessions, 10, 11, "4", "ben", now=now)
    withdraw(sessions, acme, *(f"{kind} 10-21" for kind in KINDS), now=now)
    before = worths(sessions)
    released(sessions)
    assert former_items(sessions) == {
        *((f"{kind} 10-11", "arrived", "2023-10-11", 4_000_000) for kind in KINDS),
        *((f"{kind} 10-21", "withdrawn", "2023-10-21", -1_000_000) for kind in KINDS),
    }

    migrate.upgrade(sessions.engine)

    assert items(sessions) == {
        ("latest", "arrived"): [("10-11", 2)],
        # 4 instead of 1 at the end of October, and in November.
        ("latest", "withdrawn"): [("10-21", 3), ("11-01", 3)],
        ("max", "arrived"): [("10-11", 2)],
        ("max", "withdrawn"): [("10-21", -1)],
        # Two more for five of 31 days in each half: 22 become 32, and 21 become 31.
        ("time_weighted_sum", "arrived"): [("10-11", D("0.322581")), ("10-16", D("0.322581"))],
        # Three more for eleven days, 31 become 64, and for all of November.
        ("time_weighted_sum", "withdrawn"): [("10-21", D("1.064516")), ("11-01", 3)],
        # Ben counts in the first half instead of the second.
        ("unique", "arrived"): [("10-11", 1), ("10-16", -1)],
        ("unique", "withdrawn"): [("10-21", 0)],
    }
    # What was reached costs its part of the month: 15 of 31 days at 1.00, or 16 at 2.00.
    assert worths(sessions) == before
    assert before == {
        ("latest 10-11", "arrived"): 194 - 97,
        ("latest 10-21", "withdrawn"): 413 - 103 + 800 - 200,
        ("max 10-11", "arrived"): 194 - 97,
        ("max 10-21", "withdrawn"): 0 - 103,
        ("time_weighted_sum 10-11", "arrived"): 103 - 71 + 200 - 135,
        ("time_weighted_sum 10-21", "withdrawn"): 413 - 200 + 800 - 200,
        ("unique 10-11", "arrived"): 100 - 200,
        ("unique 10-21", "withdrawn"): 0,
    }
    assert wrong_in(sessions) == []


def test_further_items_stand_before_those_of_events_that_came_later_and_the_others_keep_their_ids(sessions, acme):
    """What an item is worth follows from those before it."""
    bill(sessions, acme, OCTOBER)
    for day, quantity in ((3, "1"), (20, "5"), (4, "2")):
        tell(sessions, 10, day, quantity, "ana", kinds=["max", "latest"], now=LATER)
    before = worths(sessions)
    released(sessions)
    former = ids(sessions, "max")
    migrate.upgrade(sessions.engine)
    assert items(sessions) == {
        # 0 → 1 → 2 in the first half, 0 → 1 → 5 in the second.
        ("latest", "arrived"): [("10-03", 1), ("10-16", 1), ("10-20", 4), ("10-04", 1)],
        ("max", "arrived"): [("10-03", 1), ("10-20", 5), ("10-04", 1)],
    }
    assert ids(sessions, "max") == former
    assert worths(sessions) == before


def ids(sessions, meter):
    with sessions.engine.connect() as connection:
        chosen = text("SELECT event_id, id FROM usage_late_items WHERE event_id LIKE :like")
        return dict(connection.execute(chosen, {"like": f"{meter} %"}).all())


def test_what_came_or_went_for_days_that_were_not_billed_yet_has_items_of_the_periods_after_them(sessions, acme):
    """September, and October, are billed after November, or never."""
    tell(sessions, 9, 10, "1", "ana", kinds=["latest"])
    tell(sessions, 9, 11, "2", "ana", kinds=["latest", "max"])
    bill(sessions, acme, NOVEMBER)
    withdraw(sessions, acme, "latest 9-11")
    tell(sessions, 10, 30, "4", "ana", kinds=["time_weighted_sum", "unique"], now=LATER)
    bill(sessions, acme, OCTOBER, now=AFTERWARDS)
    with sessions.begin() as session:
        # Nobody is billed for it yet.
        session.execute(update(LateItem).values(settlement_id=None))
        session.execute(delete(UsageLine).where(UsageLine.settlement_id.is_not(None)))
    expected = {("latest", "withdrawn"): [("11-01", -1)], ("time_weighted_sum", "arrived"): [("11-01", 4)]}
    assert items(sessions) == expected
    not_late = "UPDATE usage_events SET late = false"
    released(sessions, "DELETE FROM usage_late_items", not_late)

    migrate.upgrade(sessions.engine)

    assert items(sessions) == expected
    with sessions() as session:
        chosen = select(UsageEvent.event_id).where(UsageEvent.late)
        assert session.scalars(chosen).all() == ["time_weighted_sum 10-30"]


def test_values_of_a_property_are_told_apart_as_json_and_days_are_those_of_the_customer(sessions, acme):
    at_home = {"customer_ref": "ACME", "meter": "plants", "time": "2023-10-16T03:00:00Z"}
    with sessions.begin() as session:
        session.get_one(Customer, acme).time_zone = "America/New_York"
        known = at_home | {"id": "plants known", "time": "2023-10-16T04:00:00Z", "properties": {"plant": "1"}}
        ingestion.record(session, SYSTEM, [known], now=BILLED)
    bill(sessions, acme, OCTOBER)
    told = ["1", 1, 1, True, D("1.5"), D("1.50"), None]
    with sessions.begin() as session:
        late_ones = [at_home | {"id": f"plants {n}", "properties": {"plant": value}} for n, value in enumerate(told)]
        late_ones.append(at_home | {"id": "plants none"})
        assert ingestion.record(session, SYSTEM, late_ones, now=LATER).late == 8
    released(sessions)
    migrate.upgrade(sessions.engine)
    # Each in the first half, the evening before; the text counted in the second so far.
    assert items(sessions)["plants", "arrived"] == [
        ("10-15", 1),
        ("10-16", -1),
        *(("10-15", quantity) for quantity in (1, 0, 1, 1, 0, 0, 0)),
    ]
    assert wrong_in(sessions) == []


def test_what_came_late_for_days_that_were_billed_anew_counts_in_each_of_their_bills_as_it_was(sessions, acme):
    tell(sessions, 10, 5, "2", "ana", kinds=["max"])
    bill(sessions, acme, OCTOBER)
    tell(sessions, 10, 6, "5", "ana", kinds=["max"], now=LATER)
    with sessions.begin() as session:
        (period,) = session.scalars(select(UsagePeriod))
        invoices.discard(session, SYSTEM, period.invoice_id, now=LATER)
    bill(sessions, acme, OCTOBER, now=AFTERWARDS)
    tell(sessions, 10, 7, "9", "ana", kinds=["max"], now=AFTERWARDS + timedelta(hours=1))
    released(sessions)
    migrate.upgrade(sessions.engine)
    # 2 → 5, and 5 → 9.
    assert items(sessions) == {("max", "arrived"): [("10-06", 3), ("10-07", 4)]}
    assert wrong_in(sessions) == []


def test_what_was_settled_keeps_its_amount_and_settles_what_was_changed_beside_it(sessions, acme):
    bill(sessions, acme, OCTOBER, NOVEMBER)
    tell(sessions, 10, 11, "3.1", "ana", kinds=["latest", "time_weighted_sum"], now=LATER)
    tell(sessions, 10, 12, "3.1", "ana", kinds=["max"], now=LATER)
    lines = (
        "INSERT INTO usage_lines (period_id, position, meter_id, bucket_id, first_day, last_day, plan_version_id,"
        " whole, millionths, included, parts, currency, amount_minor, settlement_id)"
        " SELECT period_id, position, meter_id, bucket_id, first_day, last_day, plan_version_id, 3, 100000, included,"
        " parts, currency, 987, 1 FROM usage_lines WHERE period_id = 1 AND first_day = '2023-10-01'"
        " AND meter_id IN (SELECT id FROM meters WHERE code IN ('latest', 'time_weighted_sum'))"
    )
    released(
        sessions,
        "INSERT INTO usage_settlements (id, period_id, outcome, reason, settled_at, settled_by)"
        " VALUES (1, 1, 'waived', 'Our fault', '2023-12-02 00:00:00', 'Ana')",
        "UPDATE usage_late_items SET settlement_id = 1 WHERE event_id NOT LIKE 'max %'",
        lines,
    )
    if sessions.engine.dialect.name == "postgresql":
        with sessions.begin() as session:
            session.execute(text("SELECT setval(pg_get_serial_sequence('usage_settlements', 'id'), 1)"))

    migrate.upgrade(sessions.engine)

    # 3.1 units for 5 and for 16 of 31 days, and all of November.
    assert items(sessions) == {
        ("latest", "arrived"): [("10-11", D("3.1")), ("10-16", D("3.1")), ("11-01", D("3.1"))],
        ("max", "arrived"): [("10-12", D("3.1"))],
        ("time_weighted_sum", "arrived"): [("10-11", D("0.5")), ("10-16", D("1.6")), ("11-01", D("3.1"))],
    }
    with sessions() as session:
        settled = select(UsageLine.whole, UsageLine.millionths, UsageLine.amount_minor).where(
            UsageLine.settlement_id.is_not(None)
        )
        assert sorted(map(tuple, session.execute(settled))) == [(2, 100_000, 987), (6, 200_000, 987)]
        made = select(UsageSettlement.id, UsageSettlement.period_id, UsageSettlement.outcome, UsageSettlement.reason)
        assert sorted(map(tuple, session.execute(made))) == [
            (1, 1, Outcome.WAIVED, "Our fault"),
            (2, 2, Outcome.WAIVED, "Our fault"),
        ]
        by_settlement = select(LateItem.settlement_id, func.count()).group_by(LateItem.settlement_id)
        assert dict(session.execute(by_settlement).all()) == {None: 1, 1: 4, 2: 2}
    assert wrong_in(sessions) == []


def test_lines_know_which_event_held_when_their_days_began(sessions, acme):
    """As far as was known when they were billed."""
    holding = ["latest", "time_weighted_sum"]
    tell(sessions, 9, 29, "1", "ana", kinds=holding)
    tell(sessions, 9, 30, "2", "ana", kinds=holding)
    tell(sessions, 10, 12, "2", "ana", kinds=holding)
    withdraw(sessions, acme, *(f"{kind} 9-30" for kind in holding), now=BILLED)
    bill(sessions, acme, OCTOBER)
    tell(sessions, 10, 13, "3", "ana", kinds=holding, now=LATER)
    withdraw(sessions, acme, *(f"{kind} 10-12" for kind in holding))
    withdraw(sessions, acme, *(f"{kind} 9-29" for kind in holding))
    bill(sessions, acme, NOVEMBER, now=AFTERWARDS)
    released(sessions)

    migrate.upgrade(sessions.engine)

    with sessions() as session:
        lines = select(UsageLine.first_day, UsageLine.held_event_id).where(
            UsageLine.settlement_id.is_(None), UsageLine.held_event_id.is_not(None)
        )
        expected = ((1, 10, "9-29"), (16, 10, "10-12"), (1, 11, "10-13"))
        assert sorted(map(tuple, session.execute(lines))) == sorted(
            (date(2023, month, day), f"{kind} {name}") for day, month, name in expected for kind in holding
        )


def test_periods_are_cut_where_their_lines_begin_and_end(sessions, acme):
    """On no plan there are no lines."""
    first, last = OCTOBER.start, OCTOBER.end
    histories = {
        "WHOLE": [(date(2023, 9, 1), "one")],
        "CHANGED": [(first, "one"), (date(2023, 10, 16), "two"), (last, "one")],
        "BEGUN": [(date(2023, 10, 20), "one")],
        "AWAY": [(first, "one"), (date(2023, 10, 11), None), (date(2023, 10, 21), "two")],
        "ENDED": [(first, "one"), (date(2023, 10, 2), None)],
        "NEVER": [],
    }
    with sessions.begin() as session:
        for ref, history in histories.items():
            customer_id = a_customer(session, ref)
            for since, plan in history:
                if plan:
                    plans.put_on(session, SYSTEM, customer_id, plan, valid_from=since, now=NOW)
                else:
                    plans.take_off(session, SYSTEM, customer_id, valid_from=since, now=NOW)
            billing.bill(session, SYSTEM, customer_id, OCTOBER, now=BILLED, today=BILLED.date())
    with for_changes(sessions.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0020")

    migrate.upgrade(sessions.engine)

    with sessions() as session:
        cuts = select(Customer.ref, UsagePeriod.cuts).join(Customer, Customer.id == UsagePeriod.customer_id)
        assert dict(session.execute(cuts).all()) == {
            "WHOLE": [],
            "CHANGED": ["2023-10-16", "2023-10-31"],
            "BEGUN": ["2023-10-20"],
            "AWAY": ["2023-10-11", "2023-10-21"],
            "ENDED": ["2023-10-02"],
            "NEVER": [],
        }
