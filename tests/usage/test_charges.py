"""What meters and buckets come to by the prices of plans, by hand, and what the lines of a bill say of it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices import queries
from billing_core.metering import ingestion, meters
from billing_core.metering.models import Aggregation
from billing_core.money import Money
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier, priced
from billing_core.usage import billing
from billing_core.usage.billed import lines, verification
from billing_core.usage.charges import charges_of
from billing_core.usage.parts import Part, PartKind, parts_of
from tests.invoices.company import a_customer
from tests.plans.agreed import NOW, terms
from tests.plans.test_pricing import any_price

D = Decimal
OCTOBER = Period(date(2023, 10, 1), date(2023, 10, 31))
LATER = datetime(2023, 11, 2, tzinfo=UTC)
MAILS, EU = Metered("mails"), Metered("mails", "eu")


def price(*tiers, scheme=Scheme.PER_UNIT, **facts):
    return Price("USD", scheme, tuple(Tier(*map(as_decimal, tier)) for tier in tiers), **facts)


def as_decimal(number):
    return None if number is None else D(number)


PER_MAIL = price((None, "0.02"))


@pytest.fixture
def acme(session) -> int:
    meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW)
    meters.add_bucket(session, SYSTEM, "mails", code="eu", name="Europe", filters={"region": ["eu"]}, now=NOW)
    return a_customer(session, "ACME")


def on_plan(session, customer_id, charged, code="basic", day=OCTOBER.start):
    plans.create(session, SYSTEM, code=code, name=code, agreed=terms(), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, customer_id, code, valid_from=day, now=NOW)


def used(session, meter, quantity, day=10, **properties):
    told = {
        "id": f"{meter}-{quantity}-{day}-{properties}",
        "customer_ref": "ACME",
        "time": datetime(2023, 10, day, 12, tzinfo=UTC).isoformat(),
        "meter": meter,
        "quantity": D(quantity),
        "properties": properties,
    }
    assert ingestion.record(session, SYSTEM, [told], now=LATER).accepted == 1


def charged(session, customer_id):
    return [
        (one.meter, one.bucket, one.segment.first_day.day, one.quantity, one.amount and one.amount.minor)
        for one in charges_of(session, [customer_id], OCTOBER)[customer_id]
    ]


@pytest.mark.parametrize("others", [0, 6])
def test_each_meter_and_bucket_has_its_own_price_however_many_there_are(session, acme, others):
    for number in range(others):
        filters = {"region": [f"region {number}"]}
        meters.add_bucket(session, SYSTEM, "mails", code=f"r{number}", name="Other", filters=filters, now=NOW)
    on_plan(session, acme, {MAILS: PER_MAIL, EU: price((None, "3"), scheme=Scheme.PACKAGE, per=D(100))})
    used(session, "mails", "150.5", region="us")
    used(session, "mails", "100", region="eu")
    used(session, "mails", "1", region="eu")
    # 150.5 × 0.02; two packages
    assert charged(session, acme) == [
        ("api_calls", None, 1, 0, 0),
        ("mails", None, 1, D("150.5"), 301),
        ("mails", "eu", 1, 101, 600),
    ]


def test_what_has_no_price_is_a_question_also_a_bucket_of_a_meter_that_has_one(session, acme):
    on_plan(session, acme, {MAILS: PER_MAIL})
    used(session, "mails", "5", region="eu")
    assert charged(session, acme) == [("api_calls", None, 1, 0, 0), ("mails", "eu", 1, 5, None)]
    (asked,) = billing.rehearse(session, SYSTEM, [acme], OCTOBER, now=LATER)
    assert asked.total is None
    assert [one.is_question for one in asked.charges] == [False, True]
    assert "5 of mails" in asked.refusal


@pytest.mark.parametrize(("quantity", "asked"), [("0", False), ("1", True), ("0.000001", True)])
def test_only_what_was_used_is_a_question(session, acme, quantity, asked):
    on_plan(session, acme, {})
    used(session, "mails", quantity)
    calls, mails = charges_of(session, [acme], OCTOBER)[acme]
    assert (calls.is_question, mails.is_question) == (False, asked)
    assert (mails.included, mails.billable, mails.parts) == (0, D(quantity), ())


def test_calls_in_a_bucket_need_a_price_and_the_others_have_the_plans(session, acme):
    meters.add_bucket(session, SYSTEM, "api_calls", code="slow", name="Slow", filters={"slow": [True]}, now=NOW)
    on_plan(session, acme, {Metered("api_calls", "slow"): price((None, "0.50"))})
    used(session, "api_calls", "1", slow=True)
    used(session, "api_calls", "1", slow=False)
    assert charged(session, acme) == [("api_calls", None, 1, 1, 0), ("api_calls", "slow", 1, 1, 50)]


def test_what_is_due_without_use_is_charged_and_what_is_not_is_no_line(session, acme):
    on_plan(session, acme, {MAILS: price((None, "1"), minimum=D(20)), EU: PER_MAIL})
    assert charged(session, acme) == [("api_calls", None, 1, 0, 0), ("mails", None, 1, 0, 2_000)]


def test_each_segment_has_its_share_of_what_is_agreed_for_a_period(session, acme):
    on_plan(session, acme, {MAILS: price((None, "1", "31"), included=D(62))})
    on_plan(session, acme, {MAILS: PER_MAIL}, "pro", date(2023, 10, 11))
    used(session, "mails", "25", day=10)
    used(session, "mails", "50", day=11)
    # Ten days include 20 and owe 10.00 of the fee; 50 × 0.02
    assert [one for one in charged(session, acme) if one[0] == "mails"] == [
        ("mails", None, 1, 25, 1_500),
        ("mails", None, 11, 50, 100),
    ]


@pytest.mark.parametrize(
    ("aggregation", "quantity", "expected"),
    [
        # Of 1 included, half of 2 periods of 15 days: 0.5 each; 1.5 × 100
        (Aggregation.SUM, "2", 15_000),
        # Units that are counted stay whole: each half includes 1, and 1 was used.
        (Aggregation.COUNT, "1", 0),
        (Aggregation.UNIQUE, "1", 0),
    ],
)
def test_the_share_of_a_segment_is_rounded_up_as_finely_as_its_meter_measures(
    session, acme, aggregation, quantity, expected
):
    meters.create(session, SYSTEM, code="stored", name="Stored", aggregation=aggregation, unit="TB", now=NOW)
    stored = {Metered("stored"): price((None, "100"), included=D(1))}
    september = Period(date(2023, 9, 1), date(2023, 9, 30))
    on_plan(session, acme, stored, day=september.start)
    on_plan(session, acme, stored, "pro", date(2023, 9, 16))
    for day in (3, 20):
        told = {"id": f"{day}", "customer_ref": "ACME", "time": f"2023-09-{day:02}T12:00:00+00:00", "meter": "stored"}
        ingestion.record(session, SYSTEM, [told | {"quantity": D(quantity), "user": f"{day}"}], now=LATER)
    of_stored = [one for one in charges_of(session, [acme], september)[acme] if one.meter == "stored"]
    share = D("0.5") if aggregation is Aggregation.SUM else D(1)
    assert [(one.included, one.amount) for one in of_stored] == [(share, Money(expected, "USD"))] * 2


def test_the_lines_of_an_invoice_say_what_was_priced_how(session, acme):
    stepped = price(("10", "1", "7"), (None, "0.50"), scheme=Scheme.GRADUATED)
    on_plan(
        session, acme, {MAILS: stepped, EU: price((None, "2.50"), scheme=Scheme.PACKAGE, per=D(1000), included=D(5))}
    )
    used(session, "mails", "12.5")
    used(session, "mails", "1006", region="eu")
    billed = billing.bill(session, SYSTEM, acme, OCTOBER, now=LATER, today=LATER.date())

    invoiced = [(line.description, line.amount_minor) for line in queries.lines(session, billed.invoice_id)]
    assert invoiced == [
        ("Mails, Oct 1 – 31, 2023: used 12.5, 10 × 1.00 USD", 1_000),
        ("Mails, Oct 1 – 31, 2023: fee 7.00 USD", 700),
        ("Mails, Oct 1 – 31, 2023: 2.5 × 0.50 USD", 125),
        ("Mails (Europe), Oct 1 – 31, 2023: used 1,006, included 5, 2 packages of 1,000 × 2.50 USD", 500),
    ]
    kept = lines.of_periods(session, SYSTEM, [billed.period_id])[billed.period_id]
    assert [(line.words("en"), line.amount.minor) for line in kept][1:] == [
        ("Mails, Oct 1 – 31, 2023: used 12.5, 10 × 1.00 USD + fee 7.00 USD + 2.5 × 0.50 USD", 1_825),
        invoiced[-1],
    ]
    assert kept[2].words("de").endswith("2 Pakete zu 1.000 × 2,50 USD")
    assert [line.bucket_name for line in kept] == ["", "", "Europe"]
    assert not any(check.wrong for check in verification.checks(session))


def test_the_words_of_a_part_of_a_period_tell_its_share(session, acme):
    on_plan(session, acme, {MAILS: price((None, "1", "31"), per=D(1000), minimum=D(62))}, day=date(2023, 10, 22))
    billed = billing.bill(session, SYSTEM, acme, OCTOBER, now=LATER, today=LATER.date())
    words = [line.words("en") for line in lines.of_periods(session, SYSTEM, [billed.period_id])[billed.period_id]]
    assert words[-1] == "Mails, Oct 22 – 31, 2023: used 0, fee 31.00 USD × 10/31, at least 62.00 USD × 10/31"


def test_of_very_many_tiers_a_line_names_the_first(session, acme):
    steps = [(str(end), "0.000000000001", "1") for end in range(1, 50)]
    on_plan(session, acme, {MAILS: price(*steps, (None, "1"), scheme=Scheme.GRADUATED)})
    used(session, "mails", "60")
    billed = billing.bill(session, SYSTEM, acme, OCTOBER, now=LATER, today=LATER.date())
    (line,) = queries.lines(session, billed.invoice_id)
    assert line.description.endswith("fee 1.00 USD + …")
    kept = lines.of_periods(session, SYSTEM, [billed.period_id])[billed.period_id]
    # 49 tiers with a fee, and the last one.
    assert len(kept[-1].parts) == 99


def test_what_stands_is_billed_by_the_days_that_it_stood(session, acme):
    for aggregation in (Aggregation.MAX, Aggregation.TIME_WEIGHTED_SUM):
        facts = {"code": aggregation.value, "name": aggregation.value, "aggregation": aggregation, "unit": "seat"}
        meters.create(session, SYSTEM, **facts, now=NOW)
    seats = {Metered("max"): price((None, "31"), included=D(2)), Metered("time_weighted_sum"): price((None, "31"))}
    on_plan(session, acme, seats)
    on_plan(session, acme, seats, "pro", date(2023, 10, 11))
    for meter in ("max", "time_weighted_sum"):
        used(session, meter, "12", day=1)
        used(session, meter, "4", day=11)
    # (12 − 2) × 31 for 10 of 31 days, (4 − 2) × 31 for 21; as many seat-months as 10 days of 12 and 21 of 4, which
    # were told at noon: 9.5 and 0.5 days of 12, and 20.5 of 4.
    assert [one for one in charged(session, acme) if one[0] != "api_calls"] == [
        ("max", None, 1, 12, 10_000),
        ("time_weighted_sum", None, 1, D("3.677419"), 11_400),
        ("max", None, 11, 4, 4_200),
        ("time_weighted_sum", None, 11, D("2.838710"), 8_800),
    ]
    billed = billing.bill(session, SYSTEM, acme, OCTOBER, now=LATER, today=LATER.date())
    words = [line.description for line in queries.lines(session, billed.invoice_id)]
    assert words[0] == "max, Oct 1 – 10, 2023: used 12, included 2, 10 × 31.00 USD × 10/31"
    assert [wrong for check in verification.checks(session) for wrong in check.wrong] == []


@given(any_price(), st.integers(0, 60_000_000), st.integers(1, 31), st.booleans(), st.sampled_from([0, 6]))
def test_the_parts_of_a_charge_come_to_its_amount_also_once_they_were_stored(price, millionths, days, stands, places):
    found = priced(price, D(millionths).scaleb(-6), days=days, of_days=31, stands=stands, places=places)
    parts = tuple(parts_of(price, found))
    assert tuple(Part.read(part.stored()) for part in parts) == parts
    owed = Fraction(0)
    for part in parts:
        worth = Fraction(part.quantity) * Fraction(part.price) * part.share
        if part.kind is PartKind.MINIMUM:
            owed = max(owed, worth)
        else:
            owed += worth / (Fraction(part.per) if part.kind is PartKind.UNITS else 1)
    assert Money.rounded(owed, "USD") == found.amount


def test_parts_are_stored_without_what_is_as_usual():
    usual = Part(D("2.5"), D("0.10"))
    assert (usual.per, usual.kind, usual.share) == (1, PartKind.UNITS, 1)
    assert usual.stored() == {"quantity": "2.5", "price": "0.10"}
    assert Part(D(2), D(3), D(1_000), PartKind.PACKAGES, Fraction(10, 31)).stored() == {
        "quantity": "2",
        "price": "3",
        "per": "1000",
        "kind": "packages",
        "share": "10/31",
    }


def test_a_charge_for_a_period_before_any_plan_is_a_question(session, acme):
    used(session, "mails", "5")
    assert charged(session, acme) == [("mails", None, 1, 5, None)]
    assert charges_of(session, [acme], Period(OCTOBER.start - timedelta(days=30), OCTOBER.start))[acme] == []
