"""Usage of October that came late, or was withdrawn, after the month was billed."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices import queries, service
from billing_core.metering import ingestion, withdrawal
from billing_core.plans import service as plans
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, document, late
from billing_core.usage.billed import verification
from tests.plans.agreed import NOW, a_plan, terms
from tests.usage.october import an_organization

OCTOBER = Period(date(2023, 10, 1), date(2023, 10, 31))
NOVEMBER = Period(date(2023, 11, 1), date(2023, 11, 30))
TODAY = date(2023, 12, 1)
LATER = datetime(2023, 12, 1, 10, tzinfo=UTC)
USD = "USD"
ONE_MORE = (
    "Late usage: API calls, Oct 1 – 31, 2023: +1 (used 4, included 2, 2 × 1.00 USD: 2.00 USD instead of 1.00 USD)"
)


def tell(session, *names, day=5, month=10):
    given = [
        {"id": name, "organization_id": document.ID, "time": f"2023-{month:02}-{day:02}T12:00:00Z", "user": name[0]}
        for name in names
    ]
    return ingestion.record(session, SYSTEM, given, now=LATER, atomic=True)


def take_back(session, customer_id, *names):
    for name in names:
        withdrawal.withdraw(session, SYSTEM, customer_id, name, reason="By mistake", now=LATER)


def bill(session, customer_id, period=OCTOBER, **options):
    return billing.bill(session, SYSTEM, customer_id, period, now=LATER, today=TODAY, **options)


def per_call(price):
    return Price(USD, Scheme.PER_UNIT, (Tier(None, Decimal(price)),))


def drafted(session, invoice_id):
    return [(line.description, line.amount_minor) for line in queries.lines(session, invoice_id)]


def shown(session, **options):
    return [(one.event_id, one.worth, one.state) for one in late.items(session, SYSTEM, **options)]


def wrong_in(session):
    return [wrong for check in verification.checks(session) for wrong in check.wrong]


@pytest.fixture
def acme(session):
    """Two calls are included, and one more costs 1.00."""
    customer_id = an_organization(session)
    code = a_plan(session, agreed=terms(2, "1"))
    plans.put_on(session, SYSTEM, customer_id, code, valid_from=OCTOBER.start, now=NOW)
    return customer_id


@pytest.fixture
def billed(session, acme):
    """October of three calls comes to 1.00."""
    tell(session, "a", "b", "c")
    made = bill(session, acme)
    service.send(session, SYSTEM, made.invoice_id, now=LATER)
    return made
