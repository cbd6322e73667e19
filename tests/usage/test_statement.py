"""Statements of usage, by hand: the published example to the letter, plan changes, days on no plan."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing_core.dates import Period
from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending
from billing_core.invoices import service as invoices
from billing_core.metering.queries import Usage
from billing_core.plans import service as plans
from billing_core.usage import billing as usage_billing
from billing_core.usage import document, organizations, statement
from billing_core.usage.windows import Window
from tests.plans.agreed import NOW, a_plan, terms
from tests.usage.october import FIRST, GENERATED, LAST, an_organization, called, october

OCTOBER = Window(FIRST, LAST.replace(microsecond=0))
OTHER = "0b7e9f5c-3a44-4f0d-9d6b-6a1f0f3d2c11"


def stated(session, customer_id, window=OCTOBER):
    organization = organizations.of_customer(session, SYSTEM, customer_id, day=window.days.end)
    return statement.statement(session, SYSTEM, organization, window, now=GENERATED)


def billing(session, customer_id, window=OCTOBER):
    return json.loads(document.as_json(document.billing(stated(session, customer_id, window).bill, window)))


def put_on(session, customer_id, code, day):
    plans.put_on(session, SYSTEM, customer_id, code, valid_from=date(2023, 10, day), now=NOW)


def on_day(day, count=1):
    return [datetime(2023, 10, day, tzinfo=UTC) + timedelta(seconds=number) for number in range(count)]


def test_the_published_example_comes_out_to_the_letter(session):
    customer_id = october(session)
    written = document.as_json(document.invoice(stated(session, customer_id)))
    assert json.loads(written) == document.EXAMPLE
    assert list(json.loads(written)) == list(document.EXAMPLE)
    assert written == json.dumps(document.EXAMPLE, indent=2)


def test_the_real_invoice_of_the_month_is_named_once_there_is_one(session):
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session, agreed=terms(0, "1.25")), 1)
    called(session, document.ID, on_day(5, 2))
    days, dated = Period(date(2023, 10, 1), date(2023, 10, 31)), {"now": GENERATED, "today": date(2023, 11, 1)}
    assert "invoice" not in document.invoice(stated(session, customer_id))
    billed = usage_billing.bill(session, SYSTEM, customer_id, days, tax_rate=Decimal(20), **dated)
    shown = document.invoice(stated(session, customer_id))
    assert shown["invoice"] == {"number": None, "status": "draft", "total": 3}
    assert shown["invoice_number"] == f"INV-{document.ID}-202310"
    invoices.send(session, SYSTEM, billed.invoice_id, now=GENERATED)
    sent = {"number": "INV-2023-001", "status": "sent", "total": 3}
    assert document.invoice(stated(session, customer_id))["invoice"] == sent
    # Of any part of the month, and of no other.
    part = Window(FIRST.replace(day=3), FIRST.replace(day=4))
    assert document.invoice(stated(session, customer_id, part))["invoice"] == sent
    september = Window(FIRST - timedelta(days=1), LAST)
    assert "invoice" not in document.invoice(stated(session, customer_id, september))
    after_sending.cancel(session, SYSTEM, billed.invoice_id, **dated)
    assert "invoice" not in document.invoice(stated(session, customer_id))


def test_an_end_given_to_the_second_includes_all_of_it(session):
    customer_id = october(session)
    assert stated(session, customer_id).usage.calls == 12_500
    sooner = Window(FIRST, LAST.replace(second=58, microsecond=0))
    assert stated(session, customer_id, sooner).usage.calls == 12_499


def test_a_month_without_calls_has_its_allowance_and_no_average(session):
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session), 1)
    shown = document.invoice(stated(session, customer_id))
    assert shown["usage"]["average_response_time"] == 0
    assert shown["billing"] == {
        "included_api_calls": 10_000,
        "total_api_calls": 0,
        "overage_calls": 0,
        "price_per_call": Decimal("0.001"),
        "total_cost": 0,
        "currency": "USD",
    }


def test_without_a_plan_nothing_costs_anything_and_the_document_says_so(session):
    customer_id = an_organization(session)
    called(session, document.ID, on_day(5, 3))
    assert stated(session, customer_id).organization.tier == "none"
    assert billing(session, customer_id) == {
        "included_api_calls": 0,
        "total_api_calls": 3,
        "overage_calls": 3,
        "price_per_call": None,
        "total_cost": 0,
        "currency": "USD",
        "unpriced_calls": 3,
    }


def test_a_plan_change_cuts_the_month_and_pools_nothing(session):
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session, "small", terms(31, "0.01")), 1)
    put_on(session, customer_id, a_plan(session, "large", terms(62, "0.005")), 16)
    called(session, document.ID, on_day(15, 20), name="before")
    called(session, document.ID, on_day(16, 30), name="after")
    # 31 × 15 ÷ 31 = 15 included, 5 over at 0.01; 62 × 16 ÷ 31 = 32 included, of which 2 are left.
    assert billing(session, customer_id) == {
        "included_api_calls": 47,
        "total_api_calls": 50,
        "overage_calls": 5,
        "price_per_call": 0.005,
        "total_cost": 0.05,
        "currency": "USD",
        "segments": [
            {
                "start": "2023-10-01T00:00:00",
                "end": "2023-10-15T23:59:59",
                "plan": "small",
                "version": 1,
                "included_api_calls": 15,
                "total_api_calls": 20,
                "overage_calls": 5,
                "price_per_call": 0.01,
                "cost": 0.05,
            },
            {
                "start": "2023-10-16T00:00:00",
                "end": "2023-10-31T23:59:59",
                "plan": "large",
                "version": 1,
                "included_api_calls": 32,
                "total_api_calls": 30,
                "overage_calls": 0,
                "price_per_call": 0.005,
                "cost": 0,
            },
        ],
    }
    assert stated(session, customer_id).organization.tier == "large"


def test_each_segment_is_rounded_by_itself(session):
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session, "one", terms(0, "0.005")), 1)
    put_on(session, customer_id, a_plan(session, "two", terms(0, "0.005")), 2)
    called(session, document.ID, on_day(1), name="before")
    called(session, document.ID, on_day(2), name="after")
    # Half a cent each is a cent each; together they would be one.
    assert billing(session, customer_id)["total_cost"] == 0.02


def test_days_before_the_first_plan_are_a_segment_without_a_price(session):
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session, "late", terms(31, "0.01")), 30)
    called(session, document.ID, on_day(29, 4), name="before")
    called(session, document.ID, on_day(30, 4), name="after")
    shown = billing(session, customer_id)
    # 31 × 2 ÷ 31 = 2 included, 2 over.
    assert (shown["included_api_calls"], shown["overage_calls"], shown["total_cost"]) == (2, 6, 0.02)
    assert shown["unpriced_calls"] == 4
    assert [(part["plan"], part["version"], part["cost"]) for part in shown["segments"]] == [
        ("none", None, 0),
        ("late", 1, 0.02),
    ]


def test_a_window_with_odd_edges_cuts_its_segments_there(session):
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session, "one", terms(0, "1")), 1)
    put_on(session, customer_id, a_plan(session, "two", terms(0, "1")), 11)
    window = Window(datetime(2023, 10, 10, 12, tzinfo=UTC), datetime(2023, 10, 11, 12, tzinfo=UTC))
    times = [window.start - timedelta(seconds=1), window.start, window.end, window.end + timedelta(seconds=1)]
    called(session, document.ID, times)
    shown = billing(session, customer_id, window)
    assert [(part["start"], part["end"], part["total_api_calls"]) for part in shown["segments"]] == [
        ("2023-10-10T12:00:00", "2023-10-10T23:59:59", 1),
        ("2023-10-11T00:00:00", "2023-10-11T12:00:00", 1),
    ]


@pytest.mark.parametrize(
    ("seconds", "calls", "average"), [("0.005", 1, "0.01"), ("0.0149", 3, "0"), ("0.015", 3, "0.01"), ("1", 3, "0.33")]
)
def test_the_average_is_rounded_half_up_at_the_very_end(seconds, calls, average):
    used = Usage(1, 1, calls, Decimal(calls), Decimal(seconds), calls)
    assert statement.average_response_time(used) == Decimal(average)


def test_an_organization_is_its_own_peoples_and_a_superusers(session):
    own, other = an_organization(session), an_organization(session, uuid=OTHER, ref="OTHER", name="Other")
    day = date(2023, 10, 31)

    def asks(actor, uuid):
        return organizations.own_or_any(session, actor, uuid, day=day, refusal="Not yours").customer_id

    for role in Role:
        bound = actor_with(role, user_id=1, name="Mo", customer_id=own)
        assert asks(bound, document.ID.upper()) == own
        for uuid in (OTHER, "0b7e9f5c-0000-4f0d-9d6b-6a1f0f3d2c11", "nonsense", "\0"):
            with pytest.raises(Forbidden, match="Not yours"):
                asks(bound, uuid)
    for role in (Role.FINANCE, Role.MANAGER):
        with pytest.raises(Forbidden, match="Not yours"):
            asks(actor_with(role, user_id=1, name="Mo"), document.ID)
    admin = actor_with(Role.ADMIN, user_id=1, name="Ada")
    assert asks(admin, OTHER) == other
    with pytest.raises(NotFound, match=r"^Organization not found$"):
        asks(admin, "0b7e9f5c-0000-4f0d-9d6b-6a1f0f3d2c11")


def test_a_statement_needs_the_permissions_to_read_usage_and_plans(session):
    customer_id = an_organization(session)
    organization = organizations.of_customer(session, SYSTEM, customer_id, day=date(2023, 10, 31))
    nobody = type(SYSTEM)(1, "Nobody", frozenset())
    with pytest.raises(Forbidden):
        statement.statement(session, nobody, organization, OCTOBER, now=GENERATED)
    with pytest.raises(Forbidden):
        statement.bill_of(session, nobody, organization, OCTOBER, calls=0)


def test_organizations_are_paged_with_the_plan_of_the_day(session):
    ids = [an_organization(session, uuid=f"{n}b7e9f5c-3a44-4f0d-9d6b-6a1f0f3d2c11", ref=f"R{n}") for n in range(1, 4)]
    put_on(session, ids[1], a_plan(session), 2)

    def page(actor=SYSTEM, day=2, **facts):
        asked = {"ref": None, "starting_after": None, "limit": 10} | facts
        rows = organizations.page(session, actor, day=date(2023, 10, day), **asked)
        return [(row.ref, row.tier) for row in rows]

    assert page() == [("R1", "none"), ("R2", "basic"), ("R3", "none")]
    assert page(day=1) == [("R1", "none"), ("R2", "none"), ("R3", "none")]
    assert page(limit=1) == [("R1", "none")]
    assert page(starting_after="1B7E9F5C-3a44-4f0d-9d6b-6a1f0f3d2c11", limit=1) == [("R2", "basic")]
    assert page(ref=" R3 ") == [("R3", "none")]
    bound = actor_with(Role.FINANCE, user_id=1, name="Mo", customer_id=ids[1])
    assert page(bound) == [("R2", "basic")]
    with pytest.raises(Invalid, match="starting_after: names nothing in this list"):
        page(bound, starting_after="1b7e9f5c-3a44-4f0d-9d6b-6a1f0f3d2c11")


def test_whole_days_reach_to_their_last_second():
    period = Period(date(2023, 10, 1), date(2023, 10, 31))
    assert Window.of_days(period) == OCTOBER
