"""The prices of usage that versions of plans have."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from billing_core.audit.models import AuditEntry
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.models import NO_BUCKET, Aggregation, Meter, MeterBucket
from billing_core.plans import prices, queries, service
from billing_core.plans.models import PlanPrice, PlanPriceTier
from billing_core.plans.price_terms import check
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from tests.plans.agreed import NOW, terms

D = Decimal
PER_MAIL = Price("USD", Scheme.PER_UNIT, (Tier(None, D("0.02")),))
STEPPED = Price(
    "USD",
    Scheme.GRADUATED,
    (Tier(D("1000.5"), D("0.000000000001"), D("9.90")), Tier(D(10**12), D(10**6)), Tier(None, D(0), D(9 * 10**12))),
    per=D("0.000001"),
    included=D(10**9),
    minimum=D("25.01"),
)
PACKAGES = Price("USD", Scheme.PACKAGE, (Tier(None, D(3)),), per=D(100))
MAILS, EU = Metered("mails"), Metered("mails", "eu")


@pytest.fixture(autouse=True)
def mails(session) -> None:
    """A meter with a bucket, beside that of calls."""
    meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW)
    meters.add_bucket(session, SYSTEM, "mails", code="eu", name="EU", filters={"region": ["eu"]}, now=NOW)


def a_plan(session, charged=None, **facts):
    return service.create(session, SYSTEM, code="basic", name="Basic", agreed=terms(**facts), charged=charged, now=NOW)


def add_version(session, agreed=None, charged=None):
    return service.add_version(session, SYSTEM, "basic", agreed or terms(), charged=charged, now=NOW)


def test_prices_are_kept_exactly_and_read_by_codes_and_by_ids(session):
    charged = {MAILS: PER_MAIL, EU: STEPPED}
    version, other = a_plan(session, charged), add_version(session, charged={MAILS: PACKAGES})

    assert prices.of_version(session, version.id) == charged
    assert list(prices.of_version(session, version.id)) == [MAILS, EU]
    meter_id = session.scalar(select(Meter.id).where(Meter.code == "mails"))
    bucket_id = session.scalar(select(MeterBucket.id))
    assert prices.of_versions(session, [version.id, other.id, 99]) == {
        version.id: {(meter_id, NO_BUCKET): PER_MAIL, (meter_id, bucket_id): STEPPED},
        other.id: {(meter_id, NO_BUCKET): PACKAGES},
        99: {},
    }


def test_fees_have_the_digits_of_the_plans_currency(session):
    yen = Price("JPY", Scheme.PER_UNIT, (Tier(None, D("0.5"), D(7)),), minimum=D(3))
    version = a_plan(session, {MAILS: yen}, currency="JPY")
    assert prices.of_version(session, version.id) == {MAILS: yen}


def test_a_plan_with_prices_leaves_them_in_its_trace(session):
    a_plan(
        session, {EU: replace(PER_MAIL, tiers=(Tier(D(5), D("0.10"), D(1)), Tier(None, D(0))), scheme=Scheme.VOLUME)}
    )
    (trace,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "plan.create"))
    assert trace.after["prices"] == [
        {
            "meter": "mails",
            "bucket": "eu",
            "scheme": "volume",
            "per": "1",
            "included": "0",
            "minimum": "0",
            "tiers": [
                {"up_to": "5", "unit_price": "0.1", "flat_fee": "1"},
                {"up_to": None, "unit_price": "0", "flat_fee": "0"},
            ],
        }
    ]


def test_other_prices_alone_are_another_version(session):
    first = a_plan(session, {MAILS: PER_MAIL})
    second = add_version(session, charged={MAILS: PACKAGES, EU: PER_MAIL})
    with pytest.raises(Invalid, match="Nothing would change"):
        add_version(session, charged={EU: PER_MAIL, MAILS: PACKAGES})
    third = add_version(session, charged={})

    assert [prices.of_version(session, one.id) for one in (first, second, third)] == [
        {MAILS: PER_MAIL},
        {MAILS: PACKAGES, EU: PER_MAIL},
        {},
    ]
    traces = session.scalars(select(AuditEntry).where(AuditEntry.action == "plan.change").order_by(AuditEntry.id)).all()
    assert [(len(trace.before["prices"]), len(trace.after["prices"])) for trace in traces] == [(1, 2), (2, 0)]


def test_other_terms_keep_the_prices_unless_some_are_given(session):
    charged = {MAILS: PER_MAIL, EU: STEPPED}
    a_plan(session, charged)
    second = add_version(session, terms(price_per_call="0.002"))
    assert prices.of_version(session, second.id) == charged
    with pytest.raises(Invalid, match="Nothing would change"):
        add_version(session, terms(price_per_call="0.002"))
    # Also that of a bucket that takes no further events.
    meters.retire_bucket(session, SYSTEM, "mails", "eu", now=NOW)
    assert prices.of_version(session, add_version(session).id) == charged


def test_in_another_currency_a_plan_with_prices_needs_others(session):
    a_plan(session, {MAILS: PER_MAIL})
    with pytest.raises(Invalid, match="needs other prices"):
        add_version(session, terms(currency="EUR"))
    euros = {MAILS: replace(PER_MAIL, currency="EUR")}
    assert prices.of_version(session, add_version(session, terms(currency="EUR"), euros).id) == euros
    without = add_version(session, terms(), charged={})
    assert prices.of_version(session, without.id) == {}
    add_version(session, terms(currency="EUR"))


@pytest.mark.parametrize(
    ("metered", "price", "field"),
    [
        (Metered("texts"), PER_MAIL, "meter"),
        (Metered("mails", "us"), PER_MAIL, "bucket"),
        (Metered("api_calls", "eu"), PER_MAIL, "bucket"),
        (Metered("api_calls"), PER_MAIL, "meter"),
        (MAILS, replace(PER_MAIL, currency="EUR"), "currency"),
        (MAILS, replace(PER_MAIL, tiers=()), "tiers"),
    ],
)
def test_prices_for_what_there_is_not_are_refused_by_field(session, metered, price, field):
    with pytest.raises(Invalid) as refused:
        a_plan(session, {metered: price})
    assert list(refused.value.fields) == [field]
    assert str(refused.value).startswith(str(metered))


def test_a_retired_bucket_gets_no_new_price(session):
    meters.retire_bucket(session, SYSTEM, "mails", "eu", now=NOW)
    with pytest.raises(Invalid, match="mails, bucket eu: the meter has no such bucket"):
        a_plan(session, {EU: PER_MAIL})


def test_a_version_has_a_bounded_number_of_prices(session, monkeypatch):
    monkeypatch.setattr(prices, "MOST_PRICES", 1)
    with pytest.raises(Invalid, match="at most 1 prices"):
        a_plan(session, {MAILS: PER_MAIL, EU: PER_MAIL})
    a_plan(session, {MAILS: PER_MAIL})


def tier(up_to=None, unit_price="1", flat_fee="0"):
    return Tier(None if up_to is None else D(up_to), D(unit_price), D(flat_fee))


def stepped(*tiers):
    return {"scheme": Scheme.VOLUME, "tiers": tiers}


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"per": D(0)}, "per"),
        ({"per": D(-1)}, "per"),
        ({"per": D("0.0000001")}, "per"),
        ({"per": D(10**9 + 1)}, "per"),
        ({"per": D("NaN")}, "per"),
        ({"included": D(-1)}, "included"),
        ({"included": D(10**9 + 1)}, "included"),
        ({"included": D("0.0000001")}, "included"),
        ({"minimum": D("0.001")}, "minimum"),
        ({"minimum": D(-1)}, "minimum"),
        ({"minimum": D(9 * 10**12 + 1)}, "minimum"),
        ({"tiers": ()}, "tiers"),
        ({"tiers": (tier("1"), tier())}, "tiers"),
        ({"scheme": Scheme.PACKAGE, "tiers": (tier("1"), tier())}, "tiers"),
        (stepped(*(tier(place) for place in range(1, 51)), tier()), "tiers"),
        ({"tiers": (tier(unit_price="-1"),)}, "tiers[0].unit_price"),
        ({"tiers": (tier(unit_price="0.0000000000001"),)}, "tiers[0].unit_price"),
        ({"tiers": (tier(unit_price="1000001"),)}, "tiers[0].unit_price"),
        ({"tiers": (tier(flat_fee="0.001"),)}, "tiers[0].flat_fee"),
        ({"tiers": (tier(flat_fee="-1"),)}, "tiers[0].flat_fee"),
        ({"tiers": (tier(flat_fee="9000000000000.01"),)}, "tiers[0].flat_fee"),
        ({"minimum": D("1000000000000.001"), "currency": "KWD"}, "minimum"),
        ({"tiers": (tier("1"),)}, "tiers[0].up_to"),
        (stepped(tier("1"), tier("2")), "tiers[1].up_to"),
        (stepped(tier(), tier()), "tiers[0].up_to"),
        (stepped(tier("0"), tier()), "tiers[0].up_to"),
        (stepped(tier("-1"), tier()), "tiers[0].up_to"),
        (stepped(tier("1"), tier("1"), tier()), "tiers[1].up_to"),
        (stepped(tier("1"), tier("2"), tier("1.5"), tier()), "tiers[2].up_to"),
        (stepped(tier("0.0000001"), tier()), "tiers[0].up_to"),
        (stepped(tier(10**12 + 1), tier()), "tiers[0].up_to"),
    ],
)
def test_prices_that_cannot_be_are_refused_by_the_name_of_the_field(facts, field):
    with pytest.raises(Invalid) as refused:
        check(replace(PER_MAIL, **facts))
    assert list(refused.value.fields) == [field]


def test_the_greatest_and_least_prices_pass():
    check(STEPPED)
    check(replace(PER_MAIL, **stepped(*(tier(place) for place in range(1, 50)), tier())))
    check(replace(PER_MAIL, per=D(10**9), minimum=D(9 * 10**12), included=D(10**9)))
    check(replace(PER_MAIL, minimum=D(10**12), currency="KWD"))


@pytest.mark.parametrize("table", ["plan_prices", "plan_price_tiers"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_database_itself_keeps_the_prices_that_were_agreed(session, table, change):
    version = a_plan(session, {EU: STEPPED})
    column = "included" if table == "plan_prices" else "unit_price"
    with pytest.raises(DBAPIError, match=f"{table} is append-only"), session.begin_nested():
        session.execute(text(change.format(table, column, column)))
    assert prices.of_version(session, version.id) == {EU: STEPPED}


@pytest.mark.parametrize("metered", [MAILS, EU])
def test_the_database_has_one_price_for_each_bucket_of_a_version(session, metered):
    a_plan(session, {metered: PER_MAIL})
    kept = session.scalars(select(PlanPrice)).one()
    names = ("plan_version_id", "meter_id", "bucket_id", "scheme", "per", "included", "minimum_minor")
    again = insert(PlanPrice).values({name: getattr(kept, name) for name in names})
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(again)
    assert session.scalars(select(PlanPriceTier.position)).all() == [1]
    assert queries.latest(session, SYSTEM, "basic").number == 1
