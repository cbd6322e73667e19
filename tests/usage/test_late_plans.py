"""Late usage by the buckets and plans that its bill went by, whatever they are by now."""

from datetime import date

import pytest
from sqlalchemy import select

from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, queries
from billing_core.metering import ingestion, meters
from billing_core.metering import verification as metering_checks
from billing_core.metering.models import NO_BUCKET, UsageEvent
from billing_core.money import Money
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.usage import document, late
from billing_core.usage.late import ItemState
from tests.plans.agreed import NOW, a_plan, terms
from tests.usage.late_items import (
    LATER,
    NOVEMBER,
    OCTOBER,
    ONE_MORE,
    TODAY,
    USD,
    acme,
    bill,
    billed,
    drafted,
    per_call,
    shown,
    wrong_in,
)
from tests.usage.october import an_organization

__all__ = ["acme", "billed"]


GOLD = {"tier": "gold"}


def tell_of(session, name, **properties):
    given = {"id": name, "organization_id": document.ID, "time": "2023-10-06T12:00:00Z", "properties": properties}
    ingestion.record(session, SYSTEM, [given], now=LATER, atomic=True)


def a_bucket(session, code, **filters):
    meters.add_bucket(session, SYSTEM, "api_calls", code=code, name=code.title(), filters=filters, now=LATER)


def test_what_fits_a_bucket_that_came_after_the_bill_is_priced_as_the_bill_was(session, acme, billed):
    a_bucket(session, "premium", tier=["gold"])
    tell_of(session, "g", **GOLD)
    assert shown(session) == [("g", Money(100, USD), ItemState.OPEN)]
    assert drafted(session, bill(session, acme, NOVEMBER).late_invoice_ids[0]) == [(ONE_MORE, 100)]
    # Of days that are not billed it has the bucket's price, which nobody has agreed on.
    given = {"id": "n", "organization_id": document.ID, "time": "2023-12-01T05:00:00Z", "properties": GOLD}
    ingestion.record(session, SYSTEM, [given], now=LATER, atomic=True)
    in_bucket = select(UsageEvent.event_id).where(UsageEvent.bucket_id != NO_BUCKET)
    assert (session.scalars(in_bucket).all(), wrong_in(session)) == (["n"], [])
    assert [wrong for check in metering_checks.checks(session) for wrong in check.wrong] == []


def test_late_usage_falls_into_the_buckets_that_its_bill_has_lines_of(session):
    acme = an_organization(session)
    a_bucket(session, "eu", region=["eu"])
    a_bucket(session, "slow", slow=[True])
    charged = {Metered("api_calls", code): per_call(price) for code, price in (("eu", "3"), ("slow", "5"))}
    plans.create(session, SYSTEM, code="p", name="P", agreed=terms(0, "1"), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, acme, "p", valid_from=OCTOBER.start, now=NOW)
    bill(session, acme)
    a_bucket(session, "eu-gold", region=["eu"], tier=["gold"])
    meters.retire_bucket(session, SYSTEM, "api_calls", "slow", now=LATER)
    tell_of(session, "both", region="eu", **GOLD)
    tell_of(session, "gone", slow=True)
    tell_of(session, "none", region="us")
    assert [(name, worth) for name, worth, _ in shown(session)] == [
        ("both", Money(300, USD)),
        ("gone", Money(500, USD)),
        ("none", Money(100, USD)),
    ]
    assert wrong_in(session) == []


def test_late_usage_of_days_on_no_plan_has_no_worth_and_stays_open(session, acme):
    other = an_organization(session, uuid="0b7e9f5c-3a44-4f0d-9d6b-6a1f0f3d2c11", ref="OTHER", name="Other")
    plans.put_on(session, SYSTEM, other, "basic", valid_from=date(2023, 10, 10), now=NOW)
    bill(session, other)
    given = [{"id": "x", "customer_ref": "OTHER", "time": "2023-10-05T12:00:00Z"}]
    assert ingestion.record(session, SYSTEM, given, now=LATER).late == 1
    bill(session, other, NOVEMBER)
    assert shown(session) == [("x", None, ItemState.OPEN)]
    late.waive(session, SYSTEM, [late.items(session, SYSTEM)[0].id], reason="A test call", now=LATER)
    assert shown(session) == [("x", None, ItemState.WAIVED)]


def test_a_customer_is_not_put_on_another_plan_in_a_billed_period(session, acme, billed):
    a_plan(session, "other", terms(0, "2"))
    # It is on another one again before the period begins.
    assert plans.put_on(session, SYSTEM, acme, "other", valid_from=date(2023, 9, 1), now=LATER)
    for day in (OCTOBER.start, OCTOBER.end):
        with pytest.raises(Conflict, match="is billed by the plan of those days"):
            plans.put_on(session, SYSTEM, acme, "other", valid_from=day, now=LATER)
    assert plans.put_on(session, SYSTEM, acme, "other", valid_from=date(2023, 11, 1), now=LATER)


def test_nor_on_one_that_would_count_on_a_single_day_of_it(session):
    customer_id = an_organization(session)
    plans.put_on(session, SYSTEM, customer_id, a_plan(session), valid_from=date(2023, 10, 2), now=NOW)
    assert bill(session, customer_id).invoice_id is None
    with pytest.raises(Conflict, match="is billed by the plan of those days"):
        plans.put_on(session, SYSTEM, customer_id, "basic", valid_from=date(2023, 9, 20), now=LATER)


def test_once_the_invoice_is_cancelled_it_can_be_put_on_another_plan(session, acme, billed):
    a_plan(session, "other", terms(0, "2"))
    after_sending.cancel(session, SYSTEM, billed.invoice_id, now=LATER, today=TODAY)
    assert plans.put_on(session, SYSTEM, acme, "other", valid_from=date(2023, 10, 1), now=LATER)
    assert queries.one(session, SYSTEM, bill(session, acme).invoice_id).total_minor == 600
