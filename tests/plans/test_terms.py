"""The terms of subscriptions: what is refused by which name, kept exactly, changed with a trace, and never lost."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.models import Aggregation
from billing_core.money import currencies, decimal_places
from billing_core.plans import parts, service
from billing_core.plans.models import BillingTiming, PlanInterval, PlanPhase, TrialEnd
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.plans.terms import MAX_INTERVALS, AddOn, Amounts, Phase, Terms
from tests.plans.agreed import NOW

D = Decimal
PLAIN = Terms("USD", D(29), 0, D(0))
SUPPORT = AddOn("support", "Support", {"USD": D(10), "EUR": D("9.01")})
ALL = replace(
    PLAIN,
    interval=PlanInterval.WEEK,
    interval_count=2,
    timing=BillingTiming.ARREARS,
    seat_price=D("4.50"),
    included_seats=3,
    trial_end=TrialEnd.PAUSE,
    ends_after=12,
    further={"EUR": Amounts(D("27.50"), D(4))},
    add_ons=(SUPPORT,),
    phases=(Phase(2, D(0)), Phase(10, D("50.0005"))),
)


def made(session, agreed, charged=None):
    return service.create(session, SYSTEM, code="team", name="Team", agreed=agreed, charged=charged, now=NOW)


def trace(session, action):
    return session.scalars(select(AuditEntry).where(AuditEntry.action == action)).one()


def refused_for(session, agreed, charged=None):
    with pytest.raises(Invalid) as refused, session.begin_nested():
        made(session, agreed, charged)
    return list(refused.value.fields)


WRONG = {
    "interval_count": [replace(PLAIN, interval_count=0), replace(PLAIN, interval_count=121)],
    "seat_price": [replace(PLAIN, seat_price=D("-0.01")), replace(PLAIN, seat_price=D("0.005"))],
    "included_seats": [
        replace(PLAIN, included_seats=1),
        replace(PLAIN, seat_price=D(1), included_seats=-1),
        replace(PLAIN, seat_price=D(1), included_seats=1_000_001),
    ],
    "ends_after": [replace(PLAIN, ends_after=0), replace(PLAIN, ends_after=10_001)],
    "further": [
        replace(PLAIN, further={"USD": Amounts(D(1))}),
        replace(PLAIN, further={"eur": Amounts(D(1))}),
        replace(PLAIN, further={"EUR": Amounts(D(1))}, price_per_call=D("0.01")),
    ],
    "further[EUR].price": [replace(PLAIN, further={"EUR": Amounts(D("0.001"))})],
    "further[JPY].price": [replace(PLAIN, further={"JPY": Amounts(D("0.5"))})],
    "further[EUR].seat_price": [
        replace(PLAIN, further={"EUR": Amounts(D(1), D(1))}),
        replace(PLAIN, seat_price=D(1), further={"EUR": Amounts(D(1))}),
        replace(PLAIN, seat_price=D(1), further={"EUR": Amounts(D(1), D("NaN"))}),
    ],
    "add_ons[0].code": [
        replace(ALL, add_ons=(replace(SUPPORT, code=""),)),
        replace(ALL, add_ons=(replace(SUPPORT, code="c" * 65),)),
        replace(ALL, add_ons=(replace(SUPPORT, code="support "),)),
    ],
    "add_ons[1].code": [replace(ALL, add_ons=(SUPPORT, SUPPORT))],
    "add_ons[0].name": [replace(ALL, add_ons=(replace(SUPPORT, name=" "),))],
    "add_ons[0].prices": [
        replace(PLAIN, add_ons=(SUPPORT,)),
        replace(ALL, add_ons=(replace(SUPPORT, prices={"USD": D(1)}),)),
    ],
    "add_ons[0].prices[EUR]": [replace(ALL, add_ons=(replace(SUPPORT, prices={"USD": D(1), "EUR": D(-1)}),))],
    "add_ons": [replace(PLAIN, add_ons=tuple(AddOn(f"a{i}", "A", {"USD": D(1)}) for i in range(51)))],
    "phases[1].periods": [replace(PLAIN, phases=(Phase(1, D(1)), Phase(0, D(1))))],
    "phases[0].percent": [
        replace(PLAIN, phases=(Phase(1, D(-1)),)),
        replace(PLAIN, phases=(Phase(1, D("1000.0001")),)),
        replace(PLAIN, phases=(Phase(1, D("0.00001")),)),
    ],
    "phases": [
        replace(PLAIN, phases=(Phase(1, D(1)),) * 51),
        replace(PLAIN, ends_after=2, phases=(Phase(1, D(1)), Phase(2, D(1)))),
    ],
}


@pytest.mark.parametrize(
    ("field", "agreed"), [(field, agreed) for field, cases in WRONG.items() for agreed in cases], ids=str
)
def test_terms_that_cannot_be_are_refused_by_the_name_of_the_field(session, field, agreed):
    assert refused_for(session, agreed) == [field]


@pytest.mark.parametrize(("interval", "most"), MAX_INTERVALS.items())
def test_a_period_may_last_ten_years_and_no_longer(session, interval, most):
    assert refused_for(session, replace(PLAIN, interval=interval, interval_count=most + 1)) == ["interval_count"]
    version = made(session, replace(PLAIN, interval=interval, interval_count=most))
    assert (version.interval, version.interval_count) == (interval, most)


MANY = ["USD", *sorted(currencies() - {"USD"})[:50]]


def test_the_greatest_terms_are_kept_exactly(session):
    """Base prices of as much as may be billed for one unit; a seat's or an add-on's of 10^12 minor units."""
    greatest_of = {2: Amounts(D(9 * 10**12), D(10**10)), 0: Amounts(D(9 * 10**12), D(10**12))}
    greatest_of[3] = Amounts(D(10**12), D(10**9))
    amounts = {currency: greatest_of[decimal_places(currency)] for currency in currencies()}
    greatest = Terms(
        "USD",
        D(9 * 10**12),
        10**9,
        D(0),
        seat_price=D(10**10),
        included_seats=10**6,
        ends_after=10**4,
        further={currency: amounts[currency] for currency in MANY[1:]},
        add_ons=tuple(
            AddOn(f"{i:064}", "n" * 200, {currency: amounts[currency].seat_price for currency in MANY})
            for i in range(50)
        ),
        phases=(Phase(9_951, D(1000)), *[Phase(1, D("0.0001"))] * 49),
    )
    version = made(session, greatest)
    session.expire_all()
    assert parts.terms_of(session, version.id) == greatest
    assert refused_for(session, replace(greatest, included_calls=10**9 + 1)) == ["included_calls"]
    assert refused_for(session, replace(greatest, price=D("9000000000000.01"))) == ["price"]
    assert refused_for(session, replace(greatest, seat_price=D("10000000000.01"))) == ["seat_price"]
    one_more = {other: amounts[other] for other in list(currencies() - set(MANY))[:1]}
    assert refused_for(session, replace(greatest, further=greatest.further | one_more)) == ["further"]
    longest = replace(PLAIN, phases=(Phase(10_001, D(1)),))
    assert refused_for(session, longest) == ["phases[0].periods"]


def test_the_least_terms_are_kept_exactly(session):
    least = replace(
        PLAIN,
        price=D(0),
        seat_price=D(0),
        ends_after=1,
        add_ons=(AddOn("a", "A", {"USD": D(0)}),),
        phases=(Phase(1, D(0)),),
    )
    version = made(session, least)
    session.expire_all()
    assert parts.terms_of(session, version.id) == least


def test_phases_may_last_as_long_as_the_plan(session):
    made(session, replace(PLAIN, ends_after=3, phases=(Phase(1, D(1)), Phase(2, D(1)))))


def test_all_terms_are_kept_as_they_were_given(session):
    version = made(session, ALL)
    session.expire_all()
    assert parts.terms_of(session, version.id) == ALL
    assert session.scalars(select(PlanPhase.position).order_by(PlanPhase.position)).all() == [1, 2]
    with pytest.raises(NotFound):
        parts.terms_of(session, version.id + 1)


def test_creating_a_plan_leaves_a_trace_of_all_terms(session):
    made(session, ALL)
    after = trace(session, "plan.create").after
    assert {name: after[name] for name in ("interval", "interval_count", "timing", "trial_end")} == {
        "interval": "week",
        "interval_count": 2,
        "timing": "arrears",
        "trial_end": "pause",
    }
    assert (after["seat_price_minor"], after["included_seats"], after["ends_after"]) == (450, 3, 12)
    assert after["further"] == {"EUR": {"price": "27.5", "seat_price": "4"}}
    assert after["add_ons"] == [{"code": "support", "name": "Support", "prices": {"EUR": "9.01", "USD": "10"}}]
    assert after["phases"] == [{"periods": 2, "percent": "0"}, {"periods": 10, "percent": "50.0005"}]


CHANGES = {
    "interval_count": (replace(ALL, interval_count=3), 2, 3),
    "timing": (replace(ALL, timing=BillingTiming.ADVANCE), "arrears", "advance"),
    "seat_price_minor": (replace(ALL, seat_price=D(5)), 450, 500),
    "included_seats": (replace(ALL, included_seats=4), 3, 4),
    "trial_end": (replace(ALL, trial_end=TrialEnd.CANCEL), "pause", "cancel"),
    "ends_after": (replace(ALL, ends_after=None), 12, None),
    "further": (
        replace(ALL, further={"EUR": Amounts(D(28), D(4))}),
        {"EUR": {"price": "27.5", "seat_price": "4"}},
        {"EUR": {"price": "28", "seat_price": "4"}},
    ),
    "add_ons": (
        replace(ALL, add_ons=()),
        [{"code": "support", "name": "Support", "prices": {"EUR": "9.01", "USD": "10"}}],
        [],
    ),
    "phases": (
        replace(ALL, phases=(Phase(1, D(10)),)),
        [{"periods": 2, "percent": "0"}, {"periods": 10, "percent": "50.0005"}],
        [{"periods": 1, "percent": "10"}],
    ),
}


@pytest.mark.parametrize(("field", "agreed", "before", "after"), [(name, *case) for name, case in CHANGES.items()])
def test_each_term_can_be_another_in_the_next_version_and_leaves_its_trace(session, field, agreed, before, after):
    first = made(session, ALL)
    second = service.add_version(session, SYSTEM, "team", agreed, now=NOW)
    left = trace(session, "plan.change")
    assert (left.before, left.after) == ({field: before, "version": 1}, {field: after, "version": 2})
    assert parts.terms_of(session, second.id) == agreed
    assert parts.terms_of(session, first.id) == ALL


def test_the_same_terms_in_other_words_are_no_version(session):
    made(session, replace(ALL, add_ons=(SUPPORT, AddOn("backup", "Backup", {"EUR": D(1), "USD": D(1)}))))
    again = replace(
        ALL,
        seat_price=D("4.500"),
        further={"EUR": Amounts(D("27.5"), D("4.00"))},
        add_ons=(AddOn("backup", "Backup", {"USD": D("1.00"), "EUR": D(1)}), SUPPORT),
    )
    with pytest.raises(Invalid, match="Nothing would change"):
        service.add_version(session, SYSTEM, "team", again, now=NOW)


def test_a_change_of_terms_that_somebody_else_has_changed_since_is_refused(session):
    made(session, ALL)
    service.add_version(session, SYSTEM, "team", replace(ALL, price=D(30)), seen=1, now=NOW)
    with pytest.raises(Conflict, match="The plan team has version 2 by now"):
        service.add_version(session, SYSTEM, "team", replace(ALL, ends_after=36), seen=1, now=NOW)
    assert service.add_version(session, SYSTEM, "team", replace(ALL, ends_after=36), seen=2, now=NOW).number == 3


def test_a_plan_with_prices_of_usage_is_in_one_currency(session):
    meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW)
    charged = {Metered("mails"): Price("USD", Scheme.PER_UNIT, (Tier(None, D("0.02")),))}
    assert refused_for(session, ALL, charged) == ["further"]
    alone = replace(ALL, further={}, add_ons=())
    made(session, alone, charged)
    # Kept prices count as well as new ones, and without them it may have other currencies again.
    with pytest.raises(Invalid) as refused:
        service.add_version(session, SYSTEM, "team", ALL, now=NOW)
    assert list(refused.value.fields) == ["further"]
    assert service.add_version(session, SYSTEM, "team", ALL, charged={}, now=NOW).number == 2
    with pytest.raises(Invalid) as refused:
        service.add_version(session, SYSTEM, "team", ALL, charged=charged, now=NOW)
    assert list(refused.value.fields) == ["further"]


@pytest.mark.parametrize("table", ["plan_amounts", "plan_add_ons", "plan_add_on_amounts", "plan_phases"])
def test_the_database_itself_keeps_what_was_agreed(session, table):
    made(session, ALL)
    changed = {"plan_add_ons": "name = 'x'", "plan_phases": "periods = 1"}.get(table, "price_minor = 1")
    for change in (f"UPDATE {table} SET {changed}", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError, match=f"{table} is append-only"), session.begin_nested():
            session.execute(text(change))


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        ("interval_count", "0"),
        ("seat_price_minor", "-1"),
        ("included_seats", "-1"),
        ("ends_after", "0"),
        ("timing", "'later'"),
        ("trial_end", "'nothing'"),
    ],
)
def test_the_database_itself_refuses_what_cannot_be(session, columns, values):
    version = made(session, ALL)
    row = (
        f"INSERT INTO plan_versions (plan_id, number, currency, price_minor, interval, included_calls, price_per_call, "
        f"created_at, {columns}) VALUES ({version.plan_id}, 2, 'USD', 1, 'month', 0, 0, '2023-01-01', {values})"
    )
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text(row))
