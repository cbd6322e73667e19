"""What a past month would have cost on another version of a plan."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import event

from billing_core.dates import Period
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.metering import ingestion, meters
from billing_core.metering.models import Aggregation
from billing_core.money import Money
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import comparison
from tests.invoices.company import a_customer
from tests.plans.agreed import NOW, a_plan, terms

OCTOBER = Period(date(2023, 10, 1), date(2023, 10, 31))
PER_MAIL = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal("0.50")),))


@pytest.fixture
def company(session) -> list[int]:
    """Two customers with calls and mails, one of them on a plan since the 16th; one without, one billed in euros."""
    meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW)
    ids = [a_customer(session, ref) for ref in ("ONE", "TWO", "IDLE")]
    ids.append(a_customer(session, "EURO", currency="EUR"))
    a_plan(session, "basic", terms(2, "1"))
    plans.put_on(session, SYSTEM, ids[0], "basic", valid_from=date(2023, 10, 16), now=NOW)
    told = [
        {
            "id": f"{ref}-{meter}-{day}",
            "customer_ref": ref,
            "time": datetime(2023, 10, day, 12, tzinfo=UTC).isoformat(),
            "meter": meter,
            "quantity": Decimal(day),
        }
        for ref in ("ONE", "TWO", "EURO")
        for meter in ("api_calls", "mails")
        for day in (1, 20, 21, 22)
    ]
    assert ingestion.record(session, SYSTEM, told, now=datetime(2023, 11, 1, tzinfo=UTC)).accepted == len(told)
    return ids


@pytest.fixture
def better(session) -> int:
    """Includes three calls; a mail costs 0.50."""
    facts = {"code": "better", "name": "Better", "agreed": terms(3, "0.25"), "charged": {Metered("mails"): PER_MAIL}}
    return plans.create(session, SYSTEM, **facts, now=NOW).id


def costs(rows):
    return [(one.ref, one.cost, one.cost_instead, one.difference, len(one.questions)) for one in rows]


def test_what_a_month_cost_and_would_have_cost(session, company, better):
    # ONE: of three calls since the 16th two are included (2 × 16 ÷ 31 = 1.03…). Instead one of four calls beyond three
    # costs 0.25, and 64 mails 32.00.
    assert costs(comparison.of_customers(session, SYSTEM, better, company, OCTOBER)) == [
        ("ONE", Money(100, "USD"), Money(3_225, "USD"), Money(3_125, "USD"), 0),
        ("TWO", None, Money(3_225, "USD"), None, 0),
        ("IDLE", None, Money(0, "USD"), None, 0),
        ("EURO", None, Money(3_225, "USD"), None, 0),
    ]


def test_what_was_not_used_is_no_part_of_it(session, company, better):
    (idle,) = comparison.of_customers(session, SYSTEM, better, company[2:3], OCTOBER)
    assert [(charge.meter, charge.quantity) for charge in idle.instead] == [("api_calls", 0)]


def test_what_would_have_no_price_is_a_question(session, company):
    plain = plans.add_version(session, SYSTEM, "basic", terms(4, "1"), now=NOW).id
    (one, *_) = comparison.of_customers(session, SYSTEM, plain, company, OCTOBER)
    assert [(charge.meter, charge.quantity) for charge in one.questions] == [("mails", 64)]
    assert (one.cost, one.cost_instead) == (Money(100, "USD"), Money(0, "USD"))


def test_everybody_who_used_something_or_was_on_a_plan_is_compared_in_the_versions_currency(
    session, company, better, monkeypatch
):
    monkeypatch.setattr(comparison, "_CUSTOMERS", 1)
    alone = comparison.of_customers(session, SYSTEM, better, company[:2], OCTOBER)
    assert list(comparison.each(session, SYSTEM, better, OCTOBER)) == alone
    plans.put_on(session, SYSTEM, company[2], "basic", valid_from=OCTOBER.end, now=NOW)
    assert [one.ref for one in comparison.each(session, SYSTEM, better, OCTOBER)] == ["ONE", "TWO", "IDLE"]


def test_many_customers_take_as_many_statements_as_two(session, company, better):
    """Whole months are read by one statement, and those in which a plan began by another: the two have one each."""
    session.flush()
    statements: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    comparison.of_customers(session, SYSTEM, better, company[:2], OCTOBER)
    of_two = len(statements)
    comparison.of_customers(session, SYSTEM, better, company, OCTOBER)
    assert len(statements) == 2 * of_two


def test_nobody_learns_of_others_or_of_versions_that_there_are_not(session, company, better):
    bound = actor_with(Role.FINANCE, user_id=1, name="Own", customer_id=company[1])
    assert [one.ref for one in comparison.of_customers(session, bound, better, company, OCTOBER)] == ["TWO"]
    assert [one.ref for one in comparison.each(session, bound, better, OCTOBER)] == ["TWO"]
    with pytest.raises(NotFound, match="no version 99"):
        comparison.of_customers(session, SYSTEM, 99, company, OCTOBER)
    for lacking in (Permission.USAGE_READ, Permission.PLAN_READ):
        actor = Actor(1, "Other", frozenset(Permission) - {lacking})
        with pytest.raises(Forbidden):
            comparison.of_customers(session, actor, better, company, OCTOBER)
        with pytest.raises(Forbidden):
            list(comparison.each(session, actor, better, OCTOBER))


def test_what_a_month_comes_to_for_everybody_names_those_for_whom_most_would_change(session, company, better):
    """THREE is on ``better`` already, and TWO's cost then is not known."""
    three = a_customer(session, "THREE")
    plans.put_on(session, SYSTEM, three, "better", valid_from=OCTOBER.start, now=NOW)
    outcome = comparison.outcome(session, SYSTEM, better, OCTOBER, limit=1)

    assert (outcome.customers, outcome.unknown) == (3, 1)
    assert (outcome.cost, outcome.cost_instead) == (Money(100, "USD"), Money(3_225, "USD"))
    assert [one.ref for one in outcome.most_changed] == ["ONE"]
    everybody = comparison.outcome(session, SYSTEM, better, OCTOBER)
    assert [one.ref for one in everybody.most_changed] == ["ONE", "THREE"]
