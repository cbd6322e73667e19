"""Organizations with their month, against sums that can be worked out in one's head; and nobody else's."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.metering import ingestion, meters
from billing_core.money import Money
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import activity, billing, exceeding, overview
from billing_core.usage.activity import EndpointRow, UserRow
from billing_core.usage.course import courses
from billing_core.usage.organizations import of_customer
from billing_core.usage.overview import Allowance, Month, OverviewFilter
from tests.database.counting import statements
from tests.plans.agreed import a_plan, terms
from tests.reports.company import a_customer

NOW = datetime(2026, 4, 20, 9, tzinfo=UTC)
TODAY = NOW.date()
MARCH, APRIL = Period(date(2026, 3, 1), date(2026, 3, 31)), Period(date(2026, 4, 1), date(2026, 4, 30))


def called(session, ref: str, *times: datetime, **facts: object) -> None:
    events = [
        {"id": f"{ref}-{time.isoformat()}-{number}", "customer_ref": ref, "time": time.isoformat(), **facts}
        for number, time in enumerate(times)
    ]
    assert ingestion.record(session, SYSTEM, events, now=NOW, atomic=True).accepted == len(events)


def noon(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


def daily(session, ref: str, first: date, last: date, calls: int = 1) -> None:
    called(session, ref, *(noon(day.month, day.day) for day in Period(first, last).each_day() for _ in range(calls)))


@pytest.fixture
def company(session) -> dict[str, int]:
    """BIG has 10 calls included and makes one a day since February. SMALL has 30 and did the same. FREE is on no plan
    and made two calls in March. IDLE is on a plan alone, NOBODY on none and used nothing.
    """
    refs = ("BIG", "SMALL", "FREE", "IDLE", "NOBODY")
    ids = {ref: a_customer(session, ref, name=ref.title(), priced=False) for ref in refs}
    a_plan(session, "ten", terms(10, "0.1"))
    a_plan(session, "thirty", terms(30, "0.1"))
    for ref, plan in (("BIG", "ten"), ("SMALL", "thirty"), ("IDLE", "ten")):
        plans.put_on(session, SYSTEM, ids[ref], plan, valid_from=date(2026, 1, 1), now=NOW)
    for ref in ("BIG", "SMALL"):
        daily(session, ref, date(2026, 2, 1), date(2026, 4, 19))
    called(session, "FREE", noon(3, 5), noon(3, 6))
    return ids


def listed(session, overview_filter: OverviewFilter, actor: Actor = SYSTEM, **options: object) -> list[str]:
    rows = overview.page(session, actor, overview_filter, today=TODAY, **options)
    assert len(rows) == overview.count(session, actor, overview_filter) or options
    return [row.organization.ref for row in rows]


def test_a_month_that_is_over_tells_calls_allowance_and_cost(session, company):
    rows = {
        row.organization.ref: row for row in overview.page(session, SYSTEM, OverviewFilter(MARCH.start), today=TODAY)
    }

    told = {ref: (row.plan, row.calls, row.included_calls, row.overage_calls, row.cost) for ref, row in rows.items()}
    assert told == {
        "BIG": ("ten", 31, 10, 21, Money(210, "USD")),
        "SMALL": ("thirty", 31, 30, 1, Money(10, "USD")),
        "FREE": ("", 2, 0, 0, None),
        "IDLE": ("ten", 0, 10, 0, Money(0, "USD")),
    }
    assert [len(row.questions) for row in (rows["FREE"], rows["BIG"])] == [1, 0]
    assert rows["BIG"].forecast is None
    assert (rows["BIG"].exceeded_on, rows["SMALL"].exceeded_on) == (date(2026, 3, 11), date(2026, 3, 31))


def test_the_present_month_tells_what_it_will_come_to(session, company):
    rows = {
        row.organization.ref: row for row in overview.page(session, SYSTEM, OverviewFilter(APRIL.start), today=TODAY)
    }

    big, small = rows["BIG"], rows["SMALL"]
    assert (big.calls, big.cost) == (19, Money(90, "USD"))
    assert big.forecast is not None
    assert (big.forecast.calls, big.expected_over, big.expected_cost) == (30, 20, Money(200, "USD"))
    assert (big.exceeds, big.exceeded_on) == (Allowance.EXCEEDED, date(2026, 4, 11))
    assert (small.exceeds, small.expected_cost, small.exceeded_on) == (None, Money(0, "USD"), None)
    assert "FREE" not in rows


def test_who_will_exceed_the_allowance_has_not_done_so_yet(session, company):
    plans.put_on(
        session, SYSTEM, company["SMALL"], a_plan(session, "29", terms(29, "0.1")), valid_from=APRIL.start, now=NOW
    )
    everybody = OverviewFilter(APRIL.start)

    def those(allowance: Allowance) -> list[str]:
        found = exceeding.page(session, SYSTEM, everybody, allowance, today=TODAY)
        assert found.following is None
        return [row.organization.ref for row in found.months]

    assert those(Allowance.EXCEEDED) == ["BIG"]
    assert those(Allowance.WILL_EXCEED) == ["SMALL"]


def test_those_who_exceed_are_found_page_by_page_in_the_order_of_the_list(session, company, monkeypatch):
    everybody = OverviewFilter(MARCH.start)
    found = exceeding.page(session, SYSTEM, everybody, Allowance.EXCEEDED, today=TODAY, limit=1)
    assert ([month.organization.ref for month in found.months], found.following) == (["BIG"], 1)
    found = exceeding.page(session, SYSTEM, everybody, Allowance.EXCEEDED, today=TODAY, limit=1, start=1)
    assert ([month.organization.ref for month in found.months], found.following) == (["SMALL"], 4)
    assert found.months == overview.page(session, SYSTEM, everybody, today=TODAY, offset=3)
    found = exceeding.page(session, SYSTEM, everybody, Allowance.EXCEEDED, today=TODAY, limit=1, start=4)
    assert (found.months, found.following) == ([], None)
    # In a month that is over nobody will any more.
    found = exceeding.page(session, SYSTEM, everybody, Allowance.WILL_EXCEED, today=TODAY)
    assert (found.months, found.following) == ([], None)
    # However few match, no more than so many are looked at.
    monkeypatch.setattr(exceeding, "MOST", 2)
    found = exceeding.page(session, SYSTEM, everybody, Allowance.EXCEEDED, today=TODAY, start=1)
    assert (found.months, found.following) == ([], 3)


def test_who_exceeds_a_part_of_the_month_is_found_with_fewer_calls_than_the_first_plan_includes(session, company):
    # 31 calls in March: of 30, then 10 for the last 20 days, which are 7.
    plans.put_on(session, SYSTEM, company["SMALL"], "ten", valid_from=date(2026, 3, 12), now=NOW)
    plans.put_on(
        session, SYSTEM, company["BIG"], a_plan(session, "many", terms(1_000)), valid_from=MARCH.start, now=NOW
    )
    found = exceeding.page(session, SYSTEM, OverviewFilter(MARCH.start), Allowance.EXCEEDED, today=TODAY)
    assert [month.organization.ref for month in found.months] == ["SMALL"]


def test_who_exceeds_what_a_bucket_includes_is_found_with_fewer_calls_than_the_plan_includes(session):
    acme = a_customer(session, "ACME", priced=False)
    meters.add_bucket(session, SYSTEM, "api_calls", code="eu", name="EU", filters={"region": ["eu"]}, now=NOW)
    price = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal(1)),), included=Decimal(5))
    charged = {Metered("api_calls", "eu"): price}
    plans.create(session, SYSTEM, code="many", name="Many", agreed=terms(1_000), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, acme, "many", valid_from=MARCH.start, now=NOW)
    called(session, "ACME", *(noon(3, day) for day in range(1, 7)), properties={"region": "eu"})
    (month,) = exceeding.page(session, SYSTEM, OverviewFilter(MARCH.start), Allowance.EXCEEDED, today=TODAY).months
    assert (month.calls, month.overage_calls, month.exceeded_on) == (6, 1, date(2026, 3, 6))


def bucketed(session, included: int, plans_calls: int = 1_000) -> int:
    """ACME makes two calls a day since March, one of them in a bucket that includes so many a month."""
    acme = a_customer(session, "ACME", priced=False)
    meters.add_bucket(session, SYSTEM, "api_calls", code="eu", name="EU", filters={"region": ["eu"]}, now=NOW)
    price = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal(1)),), included=Decimal(included))
    charged = {Metered("api_calls", "eu"): price}
    plans.create(session, SYSTEM, code="many", name="Many", agreed=terms(plans_calls), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, acme, "many", valid_from=MARCH.start, now=NOW)
    days = [noon(day.month, day.day) for day in Period(MARCH.start, date(2026, 4, 19)).each_day()]
    called(session, "ACME", *days, properties={"region": "eu"})
    called(session, "ACME", *(day + timedelta(hours=1) for day in days))
    return acme


def exceeding_in_april(session) -> list[tuple[Allowance, date | None]]:
    """As the list of all organizations says it, and as those who exceed are looked for."""
    shown = OverviewFilter(APRIL.start)
    (month,) = overview.page(session, SYSTEM, shown, today=TODAY)
    found = [
        (allowance, one.exceeded_on)
        for allowance in Allowance
        for one in exceeding.page(session, SYSTEM, shown, allowance, today=TODAY).months
    ]
    assert [(month.exceeds, month.exceeded_on)] == (found or [(None, None)])
    return found


@pytest.mark.parametrize(
    ("included", "plans_calls", "expected"),
    [
        # By the nineteenth each had 19 calls, and one more is expected a day.
        (25, 1_000, [(Allowance.WILL_EXCEED, date(2026, 4, 26))]),
        (30, 1_000, []),
        (10, 1_000, [(Allowance.EXCEEDED, date(2026, 4, 11))]),
        (40, 10, [(Allowance.EXCEEDED, date(2026, 4, 11))]),
        (25, 28, [(Allowance.WILL_EXCEED, date(2026, 4, 26))]),
        # Where nothing is included, no call is beyond it.
        (0, 1_000, []),
        (40, 0, []),
    ],
)
def test_an_allowance_is_that_of_each_bucket_by_itself(session, included, plans_calls, expected):
    bucketed(session, included, plans_calls)
    assert exceeding_in_april(session) == expected


def test_what_a_minimum_adds_is_no_cost_until_the_month_is_over(session):
    """A call costs 1.00 in the bucket, of which at least 50.00 are owed: one is made a day."""
    acme = a_customer(session, "ACME", priced=False)
    meters.add_bucket(session, SYSTEM, "api_calls", code="eu", name="EU", filters={"region": ["eu"]}, now=NOW)
    price = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal(1)),), minimum=Decimal(50))
    charged = {Metered("api_calls", "eu"): price}
    plans.create(session, SYSTEM, code="many", name="Many", agreed=terms(1_000), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, acme, "many", valid_from=MARCH.start, now=NOW)
    days = Period(MARCH.start, date(2026, 4, 19)).each_day()
    called(session, "ACME", *(noon(day.month, day.day) for day in days), properties={"region": "eu"})

    def month(period: Period, today: date = TODAY) -> Month:
        (shown,) = overview.page(session, SYSTEM, OverviewFilter(period.start), today=today)
        return shown

    april = month(APRIL)
    assert (april.cost, april.true_up) == (Money(1_900, "USD"), Money(3_100, "USD"))
    # By its end it had 30 calls.
    assert april.expected_cost == Money(5_000, "USD")
    march = month(MARCH)
    assert (march.cost, march.true_up) == (Money(5_000, "USD"), None)
    assert month(MARCH, MARCH.end).cost == Money(3_100, "USD")


def test_who_pays_for_every_call_exceeds_nothing(session):
    acme = a_customer(session, "ACME", priced=False)
    plans.put_on(session, SYSTEM, acme, a_plan(session, "none", terms(0, "1")), valid_from=MARCH.start, now=NOW)
    daily(session, "ACME", MARCH.start, date(2026, 4, 19))
    assert exceeding_in_april(session) == []
    (month,) = overview.page(session, SYSTEM, OverviewFilter(APRIL.start), today=TODAY)
    assert (month.overage_calls, month.cost, month.expected_over) == (19, Money(1_900, "USD"), 0)


def test_on_the_last_day_of_a_month_it_still_counts_what_is_to_come(session):
    """Thirty calls are included and were made, one a day."""
    acme = a_customer(session, "ACME", priced=False)
    plans.put_on(session, SYSTEM, acme, a_plan(session, "thirty", terms(30, "0.1")), valid_from=MARCH.start, now=NOW)
    daily(session, "ACME", MARCH.start, date(2026, 3, 30))
    (month,) = exceeding.page(
        session, SYSTEM, OverviewFilter(MARCH.start), Allowance.WILL_EXCEED, today=MARCH.end, limit=5
    ).months
    assert (month.calls, month.exceeded_on) == (30, MARCH.end)


def test_the_list_is_narrowed_sorted_and_paged_by_the_database(session, company):
    called(session, "FREE", *(noon(3, 7) for _ in range(40)))

    assert listed(session, OverviewFilter(MARCH.start)) == ["BIG", "FREE", "IDLE", "SMALL"]
    assert listed(session, OverviewFilter(MARCH.start, text="sma")) == ["SMALL"]
    assert listed(session, OverviewFilter(MARCH.start, plan="ten")) == ["BIG", "IDLE"]
    assert listed(session, OverviewFilter(MARCH.start, customer_id=company["IDLE"])) == ["IDLE"]
    assert listed(session, OverviewFilter(MARCH.start, order_by="-calls")) == ["FREE", "BIG", "SMALL", "IDLE"]
    assert listed(session, OverviewFilter(MARCH.start, order_by="-ref"), limit=2, offset=1) == ["IDLE", "FREE"]
    assert listed(session, OverviewFilter(date(2026, 1, 1))) == ["BIG", "IDLE", "SMALL"]
    with pytest.raises(Invalid, match="order_by"):
        listed(session, OverviewFilter(MARCH.start, order_by="cost"))


def test_who_is_on_no_plan_any_more_is_listed_for_the_months_of_its_plan_and_of_its_usage(session, company):
    for ref in ("IDLE", "BIG"):
        plans.take_off(session, SYSTEM, company[ref], valid_from=APRIL.start, now=NOW)
    assert listed(session, OverviewFilter(MARCH.start, plan="ten")) == ["BIG", "IDLE"]
    assert listed(session, OverviewFilter(APRIL.start)) == ["BIG", "SMALL"]
    assert billing.customers_to_bill(session, SYSTEM, APRIL) == [company["BIG"], company["SMALL"]]
    (big,) = overview.page(session, SYSTEM, OverviewFilter(APRIL.start, text="big"), today=TODAY)
    assert (big.plan, big.calls, big.included_calls, big.cost, len(big.questions)) == ("", 19, 0, None, 1)


def test_many_organizations_take_as_many_statements_as_one(session, company):
    session.flush()
    with statements(session.get_bind()) as alone:
        overview.page(session, SYSTEM, OverviewFilter(MARCH.start, text="big"), today=TODAY)
    with statements(session.get_bind()) as together:
        overview.page(session, SYSTEM, OverviewFilter(MARCH.start), today=TODAY)
    assert len(together) == len(alone)


def test_days_are_those_of_the_billing_zone(session):
    tokyo = a_customer(session, "TOKYO", priced=False)
    session.get_one(Customer, tokyo).time_zone = "Asia/Tokyo"
    session.flush()
    called(session, "TOKYO", datetime(2026, 3, 31, 14, 59, 59, tzinfo=UTC), datetime(2026, 3, 31, 15, tzinfo=UTC))

    assert [row.calls for row in overview.page(session, SYSTEM, OverviewFilter(MARCH.start), today=TODAY)] == [1]
    assert [row.calls for row in overview.page(session, SYSTEM, OverviewFilter(APRIL.start), today=TODAY)] == [1]


def told_by(course):
    return {day.day.day: (day.calls, day.used, day.expected, day.included) for day in course.days}


def test_the_course_of_calls_runs_against_the_allowance_that_they_count_against(session):
    """Two calls a day: one in the bucket that includes 25, one outside, where the plan includes 1,000."""
    acme = bucketed(session, 25)
    outside, inside = courses(session, SYSTEM, acme, APRIL, today=TODAY)
    assert [(one.bucket, one.is_whole) for one in (outside, inside)] == [(None, False), ("eu", False)]
    for one, included in ((outside, 1_000), (inside, 25)):
        told = told_by(one)
        assert told[19] == (1, 19, None, included)
        assert told[20] == (0, 19, 20, included)
        assert told[30] == (0, None, 30, included)


def test_the_course_is_that_of_a_bucket_where_that_alone_includes_calls_and_of_all_where_nothing_does(session):
    acme = bucketed(session, 25, 0)
    (course,) = courses(session, SYSTEM, acme, MARCH, today=TODAY)
    assert (course.bucket, course.is_whole, told_by(course)[31]) == ("eu", False, (1, 31, None, 25))
    plans.create(session, SYSTEM, code="none", name="None", agreed=terms(0), now=NOW)
    plans.put_on(session, SYSTEM, acme, "none", valid_from=APRIL.start, now=NOW)
    (course,) = courses(session, SYSTEM, acme, APRIL, today=TODAY)
    assert (course.bucket, course.is_whole, told_by(course)[19]) == (None, True, (2, 38, None, 0))


def test_a_month_tells_how_many_calls_have_an_allowance(session):
    bucketed(session, 25, 0)
    (month,) = overview.page(session, SYSTEM, OverviewFilter(MARCH.start), today=TODAY)
    assert (month.calls, month.calls_with_allowance, month.included_calls) == (62, 31, 25)


def test_the_course_of_a_month_runs_against_each_segments_own_allowance(session, company):
    plans.put_on(session, SYSTEM, company["BIG"], "thirty", valid_from=date(2026, 4, 16), now=NOW)
    (course,) = courses(session, SYSTEM, company["BIG"], APRIL, today=TODAY)

    told = told_by(course)
    assert (course.bucket, course.is_whole, len(course.days)) == (None, True, 30)
    assert told[15] == (1, 15, None, 5)
    assert told[16] == (1, 1, None, 15)
    assert told[19] == (1, 4, None, 15)
    assert told[20] == (0, 4, 5, 15)
    assert told[30] == (0, None, 15, 15)


def test_users_and_endpoints_with_the_most_calls_come_first(session):
    acme = a_customer(session, "ACME", priced=False)
    called(session, "ACME", noon(3, 1), noon(3, 2), user="ben", endpoint="/b", response_time=Decimal("0.2"))
    called(session, "ACME", noon(3, 3), user="ana", endpoint="/a", response_time=Decimal("0.1234"))
    called(session, "ACME", noon(4, 1), user="ana", endpoint="/a")
    called(session, "ACME", noon(3, 4))

    assert activity.top_users(session, SYSTEM, acme, MARCH) == [
        UserRow("ben", 2, Decimal("0.200")),
        UserRow("", 1, None),
        UserRow("ana", 1, Decimal("0.123")),
    ]
    assert activity.top_endpoints(session, SYSTEM, acme, MARCH, limit=1) == [
        EndpointRow("/b", 2, Decimal("0.200"), Decimal("0.2"))
    ]


def test_of_many_users_and_endpoints_the_first_twenty_are_told(session):
    acme = a_customer(session, "ACME", priced=False)
    letters = "abcdefghijklmnopqrstu"
    events = [
        {"id": letter, "customer_ref": "ACME", "time": noon(3, 1).isoformat(), "user": letter, "endpoint": f"/{letter}"}
        for letter in letters
    ]
    ingestion.record(session, SYSTEM, events, now=NOW, atomic=True)

    assert [row.user for row in activity.top_users(session, SYSTEM, acme, MARCH)] == list(letters[:20])
    told = [row.endpoint for row in activity.top_endpoints(session, SYSTEM, acme, MARCH)]
    assert told == [f"/{letter}" for letter in letters[:20]]


def test_nobody_sees_usage_without_the_permission_or_another_customers(session, company):
    bound = actor_with(Role.FINANCE, user_id=None, name="Otto", customer_id=company["SMALL"])
    nobody = Actor(None, "Nobody", frozenset(Permission) - {Permission.USAGE_READ})
    everybody = OverviewFilter(MARCH.start)

    assert listed(session, everybody, bound) == ["SMALL"]
    assert listed(session, OverviewFilter(MARCH.start, customer_id=company["BIG"]), bound) == []
    for read in (overview.page, exceeding.page):
        options = {"allowance": Allowance.EXCEEDED} if read is exceeding.page else {}
        with pytest.raises(Forbidden):
            read(session, nobody, everybody, today=TODAY, **options)
    with pytest.raises(NotFound):
        courses(session, bound, company["BIG"], MARCH, today=TODAY)
    for read in (activity.top_users, activity.top_endpoints):
        with pytest.raises(NotFound):
            read(session, bound, company["BIG"], MARCH)
        with pytest.raises(Forbidden):
            read(session, nobody, company["BIG"], MARCH)


def test_one_organizations_month_is_that_of_the_list(session, company):
    organization = of_customer(session, SYSTEM, company["BIG"], day=MARCH.end)
    (listed_month,) = overview.page(session, SYSTEM, OverviewFilter(MARCH.start, text="big"), today=TODAY)
    assert overview.one(session, SYSTEM, organization, MARCH, today=TODAY) == listed_month
