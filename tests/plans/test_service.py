"""Creating plans, giving them other terms, putting customers on them."""

import itertools
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from billing_core.audit.models import AuditEntry
from billing_core.dates import LATEST_DAY, Period
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.plans import queries, segments, service
from billing_core.plans.models import CustomerPlan, PlanInterval
from billing_core.plans.terms import Terms
from tests.plans.agreed import NOW, a_plan, terms
from tests.reports.company import a_customer

OCTOBER = Period(date(2023, 10, 1), date(2023, 10, 31))
DAY = date(2023, 10, 1)


def put_on(session, customer, code, day=DAY):
    return service.put_on(session, SYSTEM, customer, code, valid_from=day, now=NOW)


def traces(session, action):
    return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)))


def stretches(session, customer, period=OCTOBER):
    return [
        (part.first_day.day, part.last_day.day, part.version.code, part.version.number)
        for part in queries.on_plan(session, customer, period)
    ]


def test_a_plan_is_created_with_its_first_version_and_a_trace(session):
    made = service.create(
        session, SYSTEM, code=" pro ", name="Pro", agreed=terms(50_000, "0.000000000001", "99.90"), now=NOW
    )

    version = queries.latest(session, SYSTEM, "pro")
    assert (version.id, version.number, version.name) == (made.id, 1, "Pro")
    assert (version.currency, version.price_minor, version.interval) == ("USD", 9990, PlanInterval.MONTH)
    assert (version.included_calls, version.price_per_call) == (50_000, Decimal("0.000000000001"))
    (trace,) = traces(session, "plan.create")
    assert (trace.subject_label, trace.after["code"], trace.after["price_minor"]) == ("Pro", "pro", 9990)


def test_a_code_is_taken_once(session):
    a_plan(session)
    with pytest.raises(Conflict, match="already a plan with the code basic"):
        a_plan(session)


@pytest.mark.parametrize(
    ("agreed", "field"),
    [
        (terms(price_per_call="-0.001"), "price_per_call"),
        (terms(price_per_call="0.0000000000001"), "price_per_call"),
        (terms(price_per_call="1000000.1"), "price_per_call"),
        (terms(price_per_call="NaN"), "price_per_call"),
        (terms(price="-1"), "price"),
        (terms(price="0.001"), "price"),
        (terms(price="0.5", currency="JPY"), "price"),
        (terms(price="9000000000001"), "price"),
        (terms(included_calls=-1), "included_calls"),
        (terms(included_calls=1_000_000_001), "included_calls"),
    ],
)
def test_terms_that_cannot_be_are_refused_by_the_name_of_the_field(session, agreed, field):
    with pytest.raises(Invalid) as refused:
        a_plan(session, agreed=agreed)
    assert list(refused.value.fields) == [field]


def test_the_greatest_terms_are_kept_exactly(session):
    greatest = Terms("USD", Decimal(9 * 10**12), 10**9, Decimal(10**6), PlanInterval.YEAR)
    a_plan(session, agreed=greatest)
    version = queries.latest(session, SYSTEM, "basic")
    assert (version.price_minor, version.included_calls, version.price_per_call) == (9 * 10**14, 10**9, Decimal(10**6))


def test_what_costs_nothing_is_kept_too(session):
    a_plan(session, agreed=terms(0, "0", "0"))
    version = queries.latest(session, SYSTEM, "basic")
    assert (version.price_minor, version.included_calls, version.price_per_call) == (0, 0, 0)


def test_codes_have_64_characters_at_most_and_names_200(session):
    made = service.create(session, SYSTEM, code="c" * 64, name="n" * 200, agreed=terms(), now=NOW)
    assert queries.latest(session, SYSTEM, "c" * 64).id == made.id
    for code, name, field in (("c" * 65, "n", "code"), ("c", "n" * 201, "name"), (" ", "n", "code"), ("c", "", "name")):
        with pytest.raises(Invalid) as refused:
            service.create(session, SYSTEM, code=code, name=name, agreed=terms(), now=NOW)
        assert list(refused.value.fields) == [field]


def test_a_plan_that_there_is_not_is_not_found(session):
    with pytest.raises(NotFound, match="no plan pro"):
        queries.latest(session, SYSTEM, "pro")


def test_other_terms_are_the_next_version_and_leave_a_trace(session):
    a_plan(session)
    made = service.add_version(session, SYSTEM, "basic", terms(price_per_call="0.002"), now=NOW)

    latest = queries.latest(session, SYSTEM, "basic")
    assert (latest.id, latest.price_per_call) == (made.id, Decimal("0.002"))
    (trace,) = traces(session, "plan.change")
    assert trace.before == {"price_per_call": "0.001000000000", "version": 1}
    assert trace.after == {"price_per_call": "0.002", "version": 2}


def test_the_same_terms_are_no_version(session):
    a_plan(session)
    with pytest.raises(Invalid, match="Nothing would change"):
        service.add_version(session, SYSTEM, "basic", terms(), now=NOW)
    with pytest.raises(NotFound, match="no plan pro"):
        service.add_version(session, SYSTEM, "pro", terms(), now=NOW)


def test_who_is_on_an_older_version_keeps_it(session):
    acme, later = a_customer(session), a_customer(session, ref="LATER")
    a_plan(session)
    put_on(session, acme, "basic")
    service.add_version(session, SYSTEM, "basic", terms(price_per_call="0.002"), now=NOW)
    put_on(session, later, "basic")

    assert stretches(session, acme) == [(1, 31, "basic", 1)]
    assert stretches(session, later) == [(1, 31, "basic", 2)]


@pytest.mark.parametrize("change", ["UPDATE plan_versions SET included_calls = 1", "DELETE FROM plan_versions"])
def test_the_database_itself_keeps_what_was_agreed(session, change):
    a_plan(session)
    with pytest.raises(DBAPIError, match="plan_versions is append-only"), session.begin_nested():
        session.execute(text(change))
    assert queries.latest(session, SYSTEM, "basic").included_calls == 10_000


def test_a_plan_holds_until_the_next_and_days_before_the_first_are_on_none(session):
    acme = a_customer(session)
    for code in ("basic", "pro"):
        a_plan(session, code)
    put_on(session, acme, "basic", date(2023, 10, 3))
    put_on(session, acme, "pro", date(2023, 10, 20))
    put_on(session, acme, "basic", date(2023, 12, 1))

    assert stretches(session, acme) == [(3, 19, "basic", 1), (20, 31, "pro", 1)]
    assert stretches(session, acme, Period(date(2023, 11, 2), date(2023, 11, 30))) == [(2, 30, "pro", 1)]
    assert stretches(session, acme, Period(date(2023, 10, 20), date(2023, 10, 20))) == [(20, 20, "pro", 1)]
    assert stretches(session, acme, Period(date(2023, 9, 1), date(2023, 10, 2))) == []


def test_the_plans_of_many_customers_are_asked_for_at_once(session):
    a_plan(session)
    acme, bolt, nobody = (a_customer(session, ref) for ref in ("ACME", "BOLT", "NOBODY"))
    put_on(session, acme, "basic", date(2023, 10, 3))
    put_on(session, bolt, "basic", date(2023, 1, 1))

    held = queries.on_plans(session, [acme, bolt, nobody], OCTOBER)
    assert {customer: [(part.first_day, part.last_day) for part in parts] for customer, parts in held.items()} == {
        acme: [(date(2023, 10, 3), OCTOBER.end)],
        bolt: [(OCTOBER.start, OCTOBER.end)],
    }
    assert queries.on_plans(session, [], OCTOBER) == {}


def test_another_plan_from_the_same_day_replaces_the_first(session):
    acme = a_customer(session)
    for code in ("basic", "pro"):
        a_plan(session, code)
    first_row = put_on(session, acme, "basic")
    assert put_on(session, acme, "pro") is first_row

    assert stretches(session, acme) == [(1, 31, "pro", 1)]
    first, second = traces(session, "plan.assign")
    assert first.before is None
    assert second.before == {"plan": "basic", "version": 1}
    assert second.after == {"plan": "pro", "version": 1, "valid_from": "2023-10-01"}
    with pytest.raises(Invalid, match="on this plan from 2023-10-01 already"):
        put_on(session, acme, "pro")


def take_off(session, customer, day):
    service.take_off(session, SYSTEM, customer, valid_from=day, now=NOW)


def test_who_is_taken_off_all_plans_is_on_none_from_that_day_on(session):
    acme = a_customer(session)
    for code in ("basic", "pro"):
        a_plan(session, code)
    put_on(session, acme, "basic", date(2023, 10, 3))
    put_on(session, acme, "pro", date(2023, 10, 20))
    put_on(session, acme, "basic", date(2023, 12, 1))
    take_off(session, acme, date(2023, 10, 25))

    assert stretches(session, acme) == [(3, 19, "basic", 1), (20, 24, "pro", 1)]
    assert stretches(session, acme, Period(date(2023, 10, 25), LATEST_DAY)) == []
    (trace,) = traces(session, "plan.take_off")
    assert trace.before == {"plans": ["pro, version 1, 2023-10-25", "basic, version 1, 2023-12-01"]}
    assert trace.after == {"plan": None, "valid_from": "2023-10-25"}
    with pytest.raises(Invalid, match="is on no plan from 2023-10-25 on"):
        take_off(session, acme, date(2023, 10, 25))


def test_who_is_on_no_plan_can_be_put_on_one_again(session):
    acme = a_customer(session)
    a_plan(session)
    put_on(session, acme, "basic", date(2023, 10, 3))
    take_off(session, acme, date(2023, 10, 10))
    put_on(session, acme, "basic", date(2023, 10, 20))
    assert stretches(session, acme) == [(3, 9, "basic", 1), (20, 31, "basic", 1)]

    put_on(session, acme, "basic", date(2023, 10, 10))
    assert stretches(session, acme) == [(3, 9, "basic", 1), (10, 19, "basic", 1), (20, 31, "basic", 1)]
    assert traces(session, "plan.assign")[-1].before == {"plan": None}


def test_taken_off_from_the_first_day_of_a_plan_it_is_as_if_there_had_been_none(session):
    acme = a_customer(session)
    a_plan(session)
    put_on(session, acme, "basic", date(2023, 10, 3))
    take_off(session, acme, date(2023, 10, 3))
    assert session.scalars(select(CustomerPlan.id)).all() == []
    with pytest.raises(Invalid, match="Nothing would change"):
        take_off(session, acme, date(2023, 9, 1))


def test_days_between_two_plans_are_a_segment_on_none(session):
    acme = a_customer(session)
    a_plan(session)
    put_on(session, acme, "basic", date(2023, 10, 1))
    take_off(session, acme, date(2023, 10, 11))
    put_on(session, acme, "basic", date(2023, 10, 22))

    split = segments.split(OCTOBER, queries.on_plan(session, acme, OCTOBER))
    # 10,000 calls by 10 of 31 days are 3,225.8, rounded up.
    assert [
        (one.first_day.day, one.last_day.day, one.version and one.version.code, one.included_calls) for one in split
    ] == [
        (1, 10, "basic", 3_226),
        (11, 21, None, 0),
        (22, 31, "basic", 3_226),
    ]


def test_the_code_of_the_plan_on_a_day_is_of_that_day(session):
    acme = a_customer(session)
    a_plan(session)
    put_on(session, acme, "basic", date(2023, 10, 3))
    take_off(session, acme, date(2023, 10, 11))
    days = (date(2023, 10, 2), date(2023, 10, 10), date(2023, 10, 11))
    assert [session.scalar(select(queries.code_on(acme, day))) for day in days] == [None, "basic", None]
    assert [
        session.scalar(select(queries.was_on_plan(acme, period)))
        for period in (
            Period(date(2023, 9, 1), date(2023, 10, 2)),
            Period(date(2023, 9, 1), date(2023, 10, 3)),
            Period(date(2023, 10, 10), date(2023, 10, 20)),
            Period(date(2023, 10, 11), date(2023, 10, 20)),
        )
    ] == [False, True, True, False]


def test_who_was_on_a_plan_in_a_period_was_on_one_on_a_day_of_it(session):
    acme = a_customer(session)
    a_plan(session)
    put_on(session, acme, "basic", date(2023, 10, 3))
    take_off(session, acme, date(2023, 10, 11))
    put_on(session, acme, "basic", date(2023, 10, 22))
    take_off(session, acme, date(2023, 10, 25))

    on_it = {*range(3, 11), *range(22, 25)}
    edges = (1, 2, 3, 4, 10, 11, 12, 21, 22, 24, 25, 26)
    for first, last in itertools.combinations_with_replacement(edges, 2):
        period = Period(date(2023, 10, first), date(2023, 10, last))
        expected = not on_it.isdisjoint(range(first, last + 1))
        assert session.scalar(select(queries.was_on_plan(acme, period))) is expected, period


def test_a_plan_in_another_currency_than_the_customers_is_refused(session):
    acme = a_customer(session)
    a_plan(session, agreed=terms(currency="EUR"))
    with pytest.raises(Conflict, match="is billed in USD, the plan basic is in EUR"):
        put_on(session, acme, "basic")


def test_only_admins_of_the_company_change_plans(session):
    acme = a_customer(session)
    a_plan(session)
    for role, customer in ((Role.MANAGER, None), (Role.ADMIN, acme)):
        actor = actor_with(role, user_id=1, name="Mo", customer_id=customer)
        with pytest.raises(Forbidden):
            service.create(session, actor, code="pro", name="Pro", agreed=terms(), now=NOW)
        with pytest.raises(Forbidden):
            service.add_version(session, actor, "basic", terms(1), now=NOW)
        with pytest.raises(Forbidden):
            service.put_on(session, actor, acme, "basic", valid_from=DAY, now=NOW)
        with pytest.raises(Forbidden):
            service.take_off(session, actor, acme, valid_from=DAY, now=NOW)
