"""Plans as people look through them, and who is on them on a day."""

from datetime import date

import pytest

from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.plans import listing, service
from tests.plans.agreed import NOW, a_plan, terms
from tests.reports.company import a_customer

JANUARY, JUNE = date(2026, 1, 1), date(2026, 6, 1)


@pytest.fixture
def company(session) -> dict[str, int]:
    """ACME was on ``basic`` 1 and is on ``pro`` since June; BOLT is on ``basic`` 2."""
    ids = {ref: a_customer(session, ref, name=ref.title(), priced=False) for ref in ("ACME", "BOLT")}
    a_plan(session)
    a_plan(session, "pro")
    service.put_on(session, SYSTEM, ids["ACME"], "basic", valid_from=JANUARY, now=NOW)
    service.add_version(session, SYSTEM, "basic", terms(5), now=NOW)
    service.put_on(session, SYSTEM, ids["BOLT"], "basic", valid_from=JANUARY, now=NOW)
    service.put_on(session, SYSTEM, ids["ACME"], "pro", valid_from=JUNE, now=NOW)
    return ids


def counted(session, day: date, actor: Actor = SYSTEM) -> dict[str, int]:
    return {row.code: row.customers for row in listing.plans(session, actor, day=day)}


def on_versions(session, day: date) -> list[tuple[int, int]]:
    return [(row.number, row.customers) for row in listing.versions(session, SYSTEM, "basic", day=day)]


def named(session, code: str, day: date, **options: object) -> list[tuple[str, int]]:
    rows = listing.subscribers(session, SYSTEM, code, day=day, **options)
    return [(row.ref, row.version) for row in rows]


def test_each_customer_counts_where_it_is_on_the_day(session, company):
    assert counted(session, date(2025, 12, 31)) == {"basic": 0, "pro": 0}
    assert counted(session, date(2026, 5, 31)) == {"basic": 2, "pro": 0}
    assert counted(session, JUNE) == {"basic": 1, "pro": 1}
    assert on_versions(session, date(2026, 5, 31)) == [(2, 1), (1, 1)]
    assert on_versions(session, JUNE) == [(2, 1), (1, 0)]


def test_a_plan_is_listed_by_its_latest_terms(session, company):
    basic, _ = listing.plans(session, SYSTEM, day=JUNE)
    assert (basic.code, basic.versions, basic.included_calls) == ("basic", 2, 5)
    assert listing.count(session, SYSTEM) == 2
    assert [row.code for row in listing.plans(session, SYSTEM, day=JUNE, limit=1, offset=1)] == ["pro"]


def test_customers_on_a_plan_are_searched_and_paged(session, company):
    assert named(session, "basic", date(2026, 5, 31)) == [("ACME", 1), ("BOLT", 2)]
    assert named(session, "basic", date(2026, 5, 31), text="bol") == [("BOLT", 2)]
    assert named(session, "basic", date(2026, 5, 31), limit=1, offset=1) == [("BOLT", 2)]
    assert named(session, "pro", JUNE) == [("ACME", 1)]
    assert listing.subscriber_count(session, SYSTEM, "basic", day=JUNE) == 1


def test_who_is_bound_to_a_customer_sees_what_it_was_on_and_itself_alone(session, company):
    bolt = actor_with(Role.FINANCE, user_id=None, name="Otto", customer_id=company["BOLT"])

    assert counted(session, JANUARY, bolt) == {"basic": 1}
    assert (listing.count(session, bolt), listing.codes(session, bolt)) == (1, ["basic"])
    assert [row.customers for row in listing.versions(session, bolt, "basic", day=JANUARY)] == [1, 0]
    assert listing.subscriber_count(session, bolt, "basic", day=JANUARY) == 1
    with pytest.raises(NotFound, match="no plan pro"):
        listing.versions(session, bolt, "pro", day=JUNE)


def test_plans_are_for_those_who_may_read_them(session, company):
    nobody = Actor(None, "Nobody", frozenset(Permission) - {Permission.PLAN_READ})
    for read in (listing.plans, listing.codes, listing.count):
        with pytest.raises(Forbidden):
            read(session, nobody, **({"day": JUNE} if read is listing.plans else {}))
    for read in (listing.versions, listing.subscribers, listing.subscriber_count):
        with pytest.raises(Forbidden):
            read(session, nobody, "basic", day=JUNE)
