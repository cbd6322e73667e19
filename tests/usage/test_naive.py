"""Any history of calls and plans, in batches of any size and order, states what a naive computation says of it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, withdrawal
from billing_core.plans import service as plans
from billing_core.usage import document, organizations, statement
from billing_core.usage.windows import Window
from tests.plans.agreed import NOW, a_plan, terms
from tests.usage import naive
from tests.usage.naive import Agreed, Call
from tests.usage.october import GENERATED, an_organization

pytestmark = pytest.mark.slow

FIRST = datetime(2023, 9, 28, tzinfo=UTC)
DAYS = 14
PLANS = {"few": (5, Decimal("0.005")), "more": (14, Decimal("0.333333333333")), "none": (0, Decimal("1.25"))}
# Most of them at an edge of a day or of a second.
instants = st.builds(
    lambda day, seconds, micros: FIRST + timedelta(days=day, seconds=seconds, microseconds=micros),
    st.integers(0, DAYS - 1),
    st.sampled_from((0, 1, 43_200, 86_399)),
    st.sampled_from((0, 999_999)),
)
calls = st.builds(Call, instants, st.sampled_from(("", "ana", "ben", "cleo")), st.none() | st.decimals(0, 9, places=3))
OFF = ""
changes = st.dictionaries(st.integers(-3, DAYS - 1), st.sampled_from([OFF, *sorted(PLANS)]), max_size=5)


@pytest.mark.drawn
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_calls=st.lists(calls, max_size=30),
    given_changes=changes,
    edges=st.lists(instants, min_size=2, max_size=2),
    batch=st.integers(1, 31),
    repeated=st.booleans(),
    withdrawn=st.sets(st.integers(0, 29), max_size=5),
)
def test_the_document_says_what_a_naive_computation_says(
    session, given_calls, given_changes, edges, batch, repeated, withdrawn
):
    start, end = (edge.replace(microsecond=0) for edge in sorted(edges))
    agreed = [
        Agreed(FIRST.date() + timedelta(days=day), plan, *PLANS.get(plan, (0, Decimal(0))))
        for day, plan in sorted(given_changes.items())
    ]
    events = [
        {"id": str(number), "customer_ref": "EXAMPLE", "time": call.at.isoformat(), "user": call.user}
        | ({} if call.seconds is None else {"response_time": call.seconds})
        for number, call in enumerate(given_calls)
    ]
    with session.begin_nested() as taken_back:
        customer_id = an_organization(session)
        for code, (included, price) in PLANS.items():
            a_plan(session, code, terms(included, str(price)))
        on = OFF
        for one in agreed:
            if one.plan != OFF:
                plans.put_on(session, SYSTEM, customer_id, one.plan, valid_from=one.since, now=NOW)
            elif on != OFF:
                plans.take_off(session, SYSTEM, customer_id, valid_from=one.since, now=NOW)
            on = one.plan
        for _ in range(1 + repeated):
            for place in range(0, len(events), batch):
                ingestion.record(session, SYSTEM, events[place : place + batch], now=GENERATED, atomic=True)
        for number in withdrawn & set(range(len(events))):
            withdrawal.withdraw(session, SYSTEM, customer_id, str(number), reason="By mistake", now=GENERATED)
        window = Window(start, end)
        organization = organizations.of_customer(session, SYSTEM, customer_id, day=end.date())
        shown = document.invoice(statement.statement(session, SYSTEM, organization, window, now=GENERATED))
        taken_back.rollback()
    counted = [call for number, call in enumerate(given_calls) if number not in withdrawn]
    used = naive.usage(counted, start, end)
    assert {name: shown["usage"][name] for name in used} == used
    billed = {name: value for name, value in shown["billing"].items() if name != "segments"}
    assert billed == naive.billing(counted, agreed, start, end)


def test_the_naive_computation_knows_the_published_example():
    start, end = datetime(2023, 10, 1, tzinfo=UTC), datetime(2023, 10, 31, 23, 59, 59, tzinfo=UTC)
    made = [Call(start, f"user-{number % 18}", Decimal("0.42")) for number in range(12_500)]
    basic = Agreed(date(2023, 10, 1), "basic", 10_000, Decimal("0.001"))
    published = document.EXAMPLE["billing"]
    assert naive.billing(made, [basic], start, end) == published | {
        "price_per_call": Decimal("0.001"),
        "total_cost": Decimal("2.5"),
    }
    assert naive.usage(made, start, end)["average_response_time"] == Decimal("0.42")
