"""Figures: each is the sum of its rows, and the kept totals agree with them."""

from datetime import date, timedelta

import pytest
from sqlalchemy import delete, select, update

from billing_core import figures
from billing_core.dates import Period
from billing_core.errors import Forbidden
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Actor, Role, actor_with
from billing_core.orders.models import Order, OrderStatus
from billing_core.rating.models import QuestionKind
from billing_core.reports import coverage, series, verification
from billing_core.reports import figures as ours
from billing_core.reports.models import BillingMonth, BillingReport, ReportCharge, ReportOrder
from tests.database.counting import statements
from tests.reports.company import HANDLING, LATER, MARCH, NOW, PICKING, a_customer, an_order, billed

APRIL = Period(date(2026, 4, 1), date(2026, 4, 30))
EVERYTHING = Scope()


@pytest.fixture
def company(session) -> dict[str, int]:
    """acme: March billed 8.00 then 11.00, April billed 4.00, one order of May not billed.
    tokyo: March billed 7 yen. poor: no rates, March billed 0 with a question, April not billed."""
    ids = {
        "acme": a_customer(session),
        "tokyo": a_customer(session, "TYO", name="Tokyo", currency="JPY"),
        "poor": a_customer(session, "POOR", name="Poor", priced=False),
    }
    an_order(session, ids["acme"], "A-1")
    an_order(session, ids["acme"], "A-2")
    an_order(session, ids["tokyo"], "T-1", items=10)
    an_order(session, ids["poor"], "P-1")
    billed(session, ids["acme"])
    an_order(session, ids["acme"], "A-3", items=2)
    billed(session, ids["acme"], now=LATER)
    an_order(session, ids["acme"], "A-4", on=date(2026, 4, 7))
    billed(session, ids["acme"], APRIL, now=LATER)
    an_order(session, ids["acme"], "A-5", on=date(2026, 5, 7))
    an_order(session, ids["acme"], "A-6", on=date(2026, 5, 8), status=OrderStatus.DRAFT)
    billed(session, ids["tokyo"], now=LATER)
    billed(session, ids["poor"], now=LATER)
    an_order(session, ids["poor"], "P-2", on=date(2026, 4, 9))
    coverage.refresh(session)
    return ids


VALUES = [
    (ours.BILLED, EVERYTHING, {"USD": 1500, "JPY": 7}),
    (ours.BILLED, Scope(MARCH), {"USD": 1100, "JPY": 7}),
    (ours.BILLED, Scope(MARCH, currency="USD"), {"USD": 1100}),
    (ours.BILLED, Scope(known_at=NOW), {"USD": 800}),
    (ours.BILLED, Scope(known_at=NOW - timedelta(seconds=1)), {}),
    (ours.BILLED, Scope(known_at=LATER), {"USD": 1500, "JPY": 7}),
    (ours.REPORTS, EVERYTHING, {None: 4}),
    (ours.REPORTS, Scope(APRIL), {None: 1}),
    (ours.REPORTS, Scope(known_at=NOW), {None: 1}),
    (ours.ORDERS_BILLED, EVERYTHING, {None: 6}),
    (ours.UNBILLED_ORDERS, EVERYTHING, {None: 2}),
    (ours.UNBILLED_ORDERS, Scope(APRIL), {None: 1}),
    (ours.UNBILLED_ORDERS, Scope(Period(date(2026, 4, 10), date(2026, 5, 7))), {None: 1}),
    (ours.UNBILLED_ORDERS, Scope(ours.closed_months(date(2026, 5, 20))), {None: 1}),
    (ours.UNBILLED_ORDERS, Scope(currency="JPY"), {}),
    (ours.UNBILLED_ORDERS, Scope(MARCH, known_at=NOW), {None: 3}),  # A-3, T-1 and P-1 were billed later
    (ours.OPEN_QUESTIONS, EVERYTHING, {None: 1}),
    (ours.questions_of(QuestionKind.NO_RATE), Scope(MARCH), {None: 1}),
    (ours.questions_of(QuestionKind.NO_WEIGHT), EVERYTHING, {}),
    (ours.CUSTOMERS_WITHOUT_RATE, EVERYTHING, {None: 1}),
    (ours.CUSTOMERS_WITHOUT_RATE, Scope(Period(date(2026, 5, 1), date(2026, 5, 31))), {}),
    (ours.billed_for(PICKING), Scope(MARCH), {"USD": 500, "JPY": 5}),
    (ours.billed_for(HANDLING), Scope(APRIL), {"USD": 200}),
]


def nonzero(totals):
    return {currency: amount for currency, amount in totals.items() if amount}


def test_every_value_is_the_sum_of_its_rows(session, company, subtests):
    for figure, scope, expected in VALUES:
        with subtests.test(figure=figure.key, scope=scope):
            rows = figures.page(session, SYSTEM, figure, scope, limit=1000)
            added = {}
            for row in rows:
                added[row.currency] = added.get(row.currency, 0) + row.amount

            assert nonzero(added) == expected
            assert nonzero(figures.value(session, SYSTEM, figure, scope)) == expected
            assert nonzero(figures.proven(session, SYSTEM, figure, scope)) == expected
            assert len({row.id for row in rows}) == len(rows) == figures.row_count(session, SYSTEM, figure, scope)


def test_values_asked_for_together_are_those_of_each(session, company):
    together = figures.values(session, SYSTEM, [(figure, scope) for figure, scope, _ in VALUES])
    assert [nonzero(totals) for totals in together] == [expected for _, _, expected in VALUES]

    scopes = [EVERYTHING, Scope(MARCH), Scope(known_at=NOW), Scope(currency="USD"), Scope(customer_id=company["poor"])]
    asked = [(figure, scope) for figure in (*ours.FIGURES, *ours.AVERAGE_REPORT.parts) for scope in scopes]
    assert figures.values(session, SYSTEM, asked) == [
        figures.value(session, SYSTEM, figure, scope) for figure, scope in asked
    ]
    assert figures.values(session, SYSTEM, []) == []


def test_values_asked_for_together_take_one_statement(session, company):
    asked = [(figure, scope) for figure in ours.FIGURES for scope in (EVERYTHING, Scope(APRIL))]
    with statements(session.get_bind()) as executed:
        figures.values(session, SYSTEM, asked)
    assert len(executed) == 1


def test_rows_say_what_they_are(session, company):
    (row,) = figures.page(session, SYSTEM, ours.UNBILLED_ORDERS, Scope(APRIL))
    assert (row.label, row.date, row.currency, row.amount) == ("P-2, Poor", date(2026, 4, 9), None, 1)
    (row,) = figures.page(session, SYSTEM, ours.BILLED, Scope(APRIL))
    assert (row.label, row.date) == ("Acme Corp, 2026-04-01 to 2026-04-30", APRIL.end)


def test_the_average_is_rounded_once_a_currency(session, company):
    def average(scope):
        parts = figures.values(session, SYSTEM, [(part, scope) for part in ours.AVERAGE_REPORT.parts])
        return ours.AVERAGE_REPORT.quotients(*parts)

    assert average(EVERYTHING) == {"JPY": 7, "USD": 500}  # 15.00 over three
    assert average(Scope(Period(date(2020, 1, 1), date(2020, 1, 2)))) == {}


def test_chart_points_are_figures(session, company):
    for point in series.by_month(session, EVERYTHING):
        assert figures.value(session, SYSTEM, ours.BILLED, Scope(Period.month_of(point.month), point.currency)) == {
            point.currency: point.amount_minor
        }
    for point in series.by_service(session, EVERYTHING):
        scope = Scope(currency=point.currency)
        assert figures.value(session, SYSTEM, ours.billed_for(point.service_id), scope) == {
            point.currency: point.amount_minor
        }
    for point in series.by_customer(session, EVERYTHING):
        scope = Scope(currency=point.currency, customer_id=point.customer_id)
        assert figures.value(session, SYSTEM, ours.BILLED, scope) == {point.currency: point.amount_minor}
    months = [(p.month, p.currency, p.amount_minor) for p in series.by_month(session, EVERYTHING)]
    assert months == [(MARCH.start, "JPY", 7), (MARCH.start, "USD", 1100), (APRIL.start, "USD", 400)]


def test_chart_points_of_one_currency_stand_together_the_largest_first(session, company):
    for points in (series.by_service(session, EVERYTHING), series.by_customer(session, EVERYTHING)):
        found = [(point.currency, -point.amount_minor) for point in points]
        assert found[0][0] == "JPY"
        assert found == sorted(found)
        assert len(found) > 2


def test_an_actor_bound_to_one_customer_asks_for_that_one_alone(company):
    bound = actor_with(Role.FINANCE, user_id=3, name="Bo", customer_id=company["tokyo"])
    assert ours.scope(bound, customer_id=company["acme"]).customer_id == company["tokyo"]
    assert ours.scope(SYSTEM, customer_id=company["acme"]).customer_id == company["acme"]
    with pytest.raises(Forbidden):
        ours.scope(Actor(1, "nobody", frozenset()))


def test_figures_of_a_service_are_found_by_their_keys():
    assert ours.of_key("billed_for_7") is ours.billed_for(7)
    assert ours.of_key("billed_for_x") is None


def test_the_kept_totals_follow_every_change(session, company):
    def kept(customer):
        rows = session.query(BillingMonth).filter_by(customer_id=company[customer]).order_by(BillingMonth.month)
        rows = rows.populate_existing()
        return [(row.month.month, row.orders, row.billable_orders, row.unbilled_orders) for row in rows]

    assert kept("acme") == [(3, 3, 3, 0), (4, 1, 1, 0), (5, 2, 1, 1)]

    session.execute(update(Order).where(Order.number == "A-1").values(order_date=date(2026, 6, 1)))
    coverage.refresh(session, [company["acme"]], Period(date(2026, 3, 10), date(2026, 6, 1)))
    assert kept("acme") == [(3, 2, 2, 0), (4, 1, 1, 0), (5, 2, 1, 1), (6, 1, 1, 0)]

    session.execute(delete(BillingMonth))
    coverage.refresh(session, [])
    assert kept("acme") == []
    coverage.refresh(session, [company["poor"]])
    assert (kept("acme"), kept("poor")) == ([], [(3, 1, 1, 0), (4, 1, 1, 1)])
    coverage.refresh(session)
    assert kept("acme") == [(3, 2, 2, 0), (4, 1, 1, 0), (5, 2, 1, 1), (6, 1, 1, 0)]


def test_the_kept_totals_of_more_customers_than_a_driver_takes_parameters(session, company):
    session.execute(delete(BillingMonth))
    coverage.refresh(session, [*range(1_000_000, 1_070_000), company["poor"]])
    assert set(session.scalars(select(BillingMonth.customer_id))) == {company["poor"]}


def test_everything_that_was_generated_is_proven(session, company):
    checks = list(verification.checks(session))
    assert [check.wrong for check in checks] == [()] * len(checks)
    assert checks[0].proven == 5


DAMAGES = [
    (update(BillingReport).where(BillingReport.id == 1).values(total_minor=1), "report 1"),
    (update(BillingReport).where(BillingReport.id == 1).values(order_count=9), "report 1"),
    (update(BillingReport).where(BillingReport.id == 1).values(question_count=9), "report 1"),
    (update(ReportCharge).where(ReportCharge.report_id == 2).values(amount_minor=1), "report 2"),
    (update(ReportOrder).where(ReportOrder.report_id == 2).values(total_minor=1), "order id 1 on report 2"),
    (delete(ReportOrder).where(ReportOrder.report_id == 2), "a charge without its order: order id 1 on report 2"),
    (delete(ReportCharge).where(ReportCharge.report_id == 1), "service 1 on report 1"),
    (update(BillingReport).where(BillingReport.id == 1).values(superseded_at=None), "customer 1, 2026-03-01"),
    (update(BillingMonth).values(unbilled_orders=7), "customer 1, month 2026-03-01"),
    (delete(BillingMonth), "Unbilled orders"),
]


def test_the_proof_names_what_does_not_hold(session, company, subtests):
    for damage, named in DAMAGES:
        with subtests.test(damage=str(damage)):
            undo = session.begin_nested()
            session.execute(damage.execution_options(synchronize_session=False))

            wrong = [words for check in verification.checks(session) for words in check.wrong]

            undo.rollback()
            assert any(words.startswith(named) for words in wrong), wrong
