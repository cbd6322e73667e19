"""The analytics document of a month costs what its invoice charges for calls, whatever prices their buckets have."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices.models import InvoiceLineItem
from billing_core.metering import ingestion, meters
from billing_core.money import Money
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing as usage_billing
from billing_core.usage import document, organizations, statement
from billing_core.usage.windows import Window
from tests.plans.agreed import NOW, terms
from tests.plans.test_pricing import HALVES, any_price, on_paper
from tests.usage.october import GENERATED, an_organization

D = Decimal
OCTOBER = Period(date(2023, 10, 1), date(2023, 10, 31))
TERMS = {"few": (5, "0.005"), "many": (14, "0.333333333333")}
BUCKETS = ("slow", "eu")


@pytest.fixture
def bucketed(session) -> int:
    """An organization that is billed in UTC; calls named slow or of the region eu are in a bucket of their own."""
    customer_id = an_organization(session)
    session.get_one(Customer, customer_id).time_zone = "UTC"
    for code in BUCKETS:
        filters = {"kind": [code]}
        meters.add_bucket(session, SYSTEM, "api_calls", code=code, name=code.title(), filters=filters, now=NOW)
    return customer_id


def on_plan(session, customer_id, code, prices: Mapping[str, Price], day=1):
    charged = {Metered("api_calls", bucket): price for bucket, price in prices.items()}
    plans.create(session, SYSTEM, code=code, name=code, agreed=terms(*TERMS[code]), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, customer_id, code, valid_from=date(2023, 10, day), now=NOW)


def called(session, calls):
    """``calls``: the day of October and the bucket of each."""
    events = [
        {
            "id": str(number),
            "customer_ref": "EXAMPLE",
            "time": datetime(2023, 10, day, 23, 59, tzinfo=UTC).isoformat(),
            "properties": {"kind": bucket},
        }
        for number, (day, bucket) in enumerate(calls)
    ]
    ingestion.record(session, SYSTEM, events, now=GENERATED, atomic=True)


def billing(session, customer_id, window=None):
    window = window or Window.of_days(OCTOBER)
    organization = organizations.of_customer(session, SYSTEM, customer_id, day=window.days.end)
    stated = statement.statement(session, SYSTEM, organization, window, now=GENERATED)
    return document.billing(stated.bill, window)


def of_days(price, days):
    """What is agreed for the month, for so many days of it."""

    def share(quantity):
        return quantity if quantity is None else min(D(ceil(Fraction(quantity) * days / 31)), quantity)

    tiers, reached = [], D(0)
    for tier in price.tiers:
        if share(tier.up_to) != reached:
            tiers.append(Tier(share(tier.up_to), tier.unit_price, Fraction(tier.flat_fee) * days / 31))
            reached = tiers[-1].up_to
    minimum = Fraction(price.minimum) * days / 31
    return replace(price, tiers=tuple(tiers), included=share(price.included), minimum=minimum)


def cents(price, calls):
    return Money.rounded(on_paper(price, D(calls)), "USD").minor


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prices=st.tuples(*(st.fixed_dictionaries({code: any_price(ends=HALVES) for code in BUCKETS}) for _ in TERMS)),
    changed=st.none() | st.integers(2, 31),
    calls=st.lists(st.tuples(st.integers(1, 31), st.sampled_from(("", *BUCKETS))), max_size=40),
)
def test_the_document_the_invoice_and_paper_agree(session, bucketed, prices, changed, calls):
    with session.begin_nested() as taken_back:
        on_plan(session, bucketed, "few", prices[0])
        if changed:
            on_plan(session, bucketed, "many", prices[1], changed)
        called(session, calls)
        shown = billing(session, bucketed)
        billed = usage_billing.bill(
            session, SYSTEM, bucketed, OCTOBER, now=datetime(2023, 11, 2, tzinfo=UTC), today=date(2023, 11, 2)
        )
        on_lines = select(func.coalesce(func.sum(InvoiceLineItem.amount_minor), 0))
        invoiced = session.scalar(on_lines.where(InvoiceLineItem.invoice_id == billed.invoice_id))
        taken_back.rollback()
    session.expire_all()
    total = 0
    for code, priced, first, last in (
        ("few", prices[0], 1, changed - 1 if changed else 31),
        ("many", prices[1], changed or 32, 31),
    ):
        if first > last:
            continue
        included, price_per_call = TERMS[code]
        own = Price("USD", Scheme.PER_UNIT, (Tier(None, D(price_per_call)),), included=D(included))
        for bucket, price in {"": own, **priced}.items():
            used = sum(first <= day <= last and bucket == named for day, named in calls)
            total += cents(of_days(price, last - first + 1), used)
    assert (shown["total_cost"] * 100, shown["total_api_calls"]) == (total, len(calls))
    assert invoiced == total
    assert sum(part["cost"] for part in shown["parts"]) == shown["total_cost"]
    if changed:
        assert sum(part["cost"] for part in shown["segments"]) == shown["total_cost"]


def test_buckets_with_prices_of_their_own_are_told_as_parts(session, bucketed):
    stepped = (Tier(D(2), D(1), D(7)), Tier(None, D("0.50")))
    graduated = Price("USD", Scheme.GRADUATED, stepped, included=D(1), minimum=D(20))
    packed = Price("USD", Scheme.PACKAGE, (Tier(None, D("2.50")),), per=D(100))
    on_plan(session, bucketed, "few", {"slow": graduated, "eu": packed})
    called(session, [(3, "")] * 7 + [(4, "slow")] * 5)
    day = {"start": "2023-10-01T00:00:00", "end": "2023-10-31T23:59:59"}

    def price(kind, quantity, amount, per=1):
        return {"kind": kind, "quantity": quantity, "price": D(amount), "per": per, "share": "1"}

    # 2 × 0.005; 2 × 1 + 2 × 0.50 + 7 are 10, of at least 20; no package.
    assert billing(session, bucketed) == {
        "included_api_calls": 6,
        "total_api_calls": 12,
        "overage_calls": 6,
        "price_per_call": D("0.005"),
        "total_cost": D("20.01"),
        "currency": "USD",
        "parts": [
            day
            | {"bucket": None, "total_api_calls": 7, "included": 5}
            | {"prices": [price("units", 2, "0.005")], "cost": D("0.01")},
            day
            | {"bucket": "slow", "total_api_calls": 5, "included": 1, "cost": 20}
            | {
                "prices": [
                    price("units", 2, "1"),
                    price("fee", 1, "7"),
                    price("units", 2, "0.5"),
                    price("minimum", 1, "20"),
                ]
            },
            day | {"bucket": "eu", "total_api_calls": 0, "included": 0, "prices": [], "cost": 0},
        ],
    }


def test_calls_in_a_bucket_without_a_price_are_told_and_cost_nothing(session, bucketed):
    on_plan(session, bucketed, "few", {"slow": Price("USD", Scheme.PER_UNIT, (Tier(None, D(1)),))})
    called(session, [(3, "slow"), (3, "eu"), (4, "eu")])
    shown = billing(session, bucketed)
    assert (shown["total_cost"], shown["unpriced_calls"], shown["overage_calls"]) == (1, 2, 3)
    assert [(part["bucket"], part["cost"]) for part in shown["parts"]] == [(None, 0), ("slow", 1), ("eu", None)]


def test_part_of_a_call_that_is_included_includes_no_whole_one(session, bucketed):
    half = Price("USD", Scheme.PER_UNIT, (Tier(None, D(1)),), included=D("1.5"))
    on_plan(session, bucketed, "few", {"slow": half, "eu": half})
    called(session, [(3, "slow")] * 2 + [(3, "eu")])
    shown = billing(session, bucketed)
    assert (shown["included_api_calls"], shown["overage_calls"], shown["total_cost"]) == (7, 1, D("0.5"))


def test_a_window_with_odd_edges_has_its_own_calls_by_bucket(session, bucketed):
    on_plan(session, bucketed, "few", {code: Price("USD", Scheme.PER_UNIT, (Tier(None, D(1)),)) for code in BUCKETS})
    called(session, [(3, "slow"), (4, "slow"), (5, "eu"), (6, "slow"), (7, "")])
    noon = datetime(2023, 10, 3, 12, tzinfo=UTC)
    window = Window(noon, noon + timedelta(days=3))
    # Those of the third, fourth and fifth are told just before midnight.
    counted = {part["bucket"]: part["total_api_calls"] for part in billing(session, bucketed, window)["parts"]}
    assert counted == {None: 0, "slow": 2, "eu": 1}
