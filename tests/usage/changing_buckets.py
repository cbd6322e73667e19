"""A customer whose buckets change between its bills: what each month came to, the same of both meters that hold on."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, meters
from billing_core.metering import verification as metering
from billing_core.metering.models import HOLDS_ON
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, late
from billing_core.usage.billed import lines, verification
from tests.invoices.company import a_customer
from tests.plans.agreed import NOW, terms

D = Decimal
MONTHS = [Period.month_of(date(2023, month, 1)) for month in (9, 10, 11, 12)]
SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = MONTHS
# What a unit costs in each bucket, and outside of all.
PRICES = {"": "1", "eu": "10", "us": "100", "gold": "1000"}


def each(price):
    return Price("USD", Scheme.PER_UNIT, (Tier(None, D(price)),))


@pytest.fixture
def acme(session) -> int:
    return a_company(session)


def a_company(session) -> int:
    """Each meter has a bucket for the EU, and further ones into which nothing falls yet."""
    charged = {}
    for kind in HOLDS_ON:
        meters.create(session, SYSTEM, code=kind.value, name=kind.value, aggregation=kind, unit="unit", now=NOW)
        for code, price in PRICES.items():
            if code:
                region = "eu" if code == "eu" else f"no {code}"
                facts = {"code": code, "name": code, "filters": {"region": [region]}, "now": NOW}
                meters.add_bucket(session, SYSTEM, kind.value, **facts)
            charged[Metered(kind.value, code)] = each(price)
    customer_id = a_customer(session, "ACME")
    plans.create(session, SYSTEM, code="basic", name="Basic", agreed=terms(), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, customer_id, "basic", valid_from=SEPTEMBER.start, now=NOW)
    return customer_id


def at(day):
    """Noon, so many days after the last of December."""
    return datetime(2023, 12, 31, 12, tzinfo=UTC) + timedelta(days=day)


def tell(session, name, quantity, month, day=1, now=1, **properties):
    """The same of both meters."""
    told = [
        {
            "id": f"{name} {kind}",
            "customer_ref": "ACME",
            "time": f"2023-{month:02}-{day:02}T00:00:00Z",
            "meter": kind.value,
            "quantity": D(quantity),
            "properties": properties,
        }
        for kind in HOLDS_ON
    ]
    return ingestion.record(session, SYSTEM, told, now=at(now), atomic=True)


def change(session, code, **filters):
    for kind in HOLDS_ON:
        meters.change_bucket(session, SYSTEM, kind.value, code, name=code, filters=filters, now=NOW)


def retire(session, code):
    for kind in HOLDS_ON:
        meters.retire_bucket(session, SYSTEM, kind.value, code, now=NOW)


def bill(session, customer_id, period, now=2):
    return billing.bill(session, SYSTEM, customer_id, period, now=at(now), today=at(now).date())


def billed(session, customer_id, period, now=2):
    """The quantity of each bucket, which is the same of both meters; what is 0 is left out."""
    made = bill(session, customer_id, period, now)
    of_period = lines.of_periods(session, SYSTEM, [made.period_id])[made.period_id]
    found = [
        {line.bucket_name: line.quantity for line in of_period if line.meter == kind.value and line.quantity}
        for kind in HOLDS_ON
    ]
    assert found[0] == found[1]
    assert_proven(session)
    return found[0]


def changed(session):
    """The month, the quantity and the worth in cents of each late item, the same of both meters."""
    items = late.items(session, SYSTEM)
    found = [
        [(one.first_day.month, one.quantity, one.worth.minor) for one in items if one.meter == kind.value]
        for kind in HOLDS_ON
    ]
    assert found[0] == found[1]
    assert_proven(session)
    return found[0]


def assert_proven(session):
    for checked in (verification.checks(session), metering.checks(session)):
        assert [wrong for check in checked for wrong in check.wrong] == []
