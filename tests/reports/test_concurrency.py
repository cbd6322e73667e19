"""Two people at once."""

from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from io import BytesIO

from sqlalchemy import func, select

from billing_core.identity import SYSTEM
from billing_core.imports import Kind, Lines
from billing_core.imports import service as imports
from billing_core.orders.models import Order
from billing_core.reports import coverage, service
from billing_core.reports.models import BillingMonth, BillingReport
from tests.at_once import at_once
from tests.reports.company import MARCH, NOW, a_customer, an_order, billed


def test_two_people_who_generate_the_same_report_get_one(sessions):
    with sessions.begin() as session:
        acme = a_customer(session)
        an_order(session, acme, "SO-1")

    def generate():
        with sessions.begin() as session:
            return service.generate(session, SYSTEM, customer_id=acme, period=MARCH, now=NOW)

    made = at_once(generate, generate)

    assert sorted(one.created for one in made) == [False, True]
    assert made[0].report_id == made[1].report_id
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(BillingReport)) == 1


def test_a_report_waits_for_an_import_that_is_being_written(sessions):
    with sessions.begin() as session:
        acme = a_customer(session)
        an_order(session, acme, "SO-1", items=4)

    def generate():
        with sessions.begin() as session:
            return billed(session, acme).total_minor

    with ThreadPoolExecutor(1) as somebody:
        meanwhile = []

        def progress(step, done, _total):
            if step == imports.WRITING and not done:
                meanwhile.append(somebody.submit(generate))
                wait(meanwhile, timeout=0.5)

        lines = BytesIO(b"order_number,sku,quantity\nSO-1,B-2,6\n")
        incoming = imports.Incoming(Kind.ORDER_ITEMS, lines, "lines.csv", progress=progress, lines=Lines.ADD)
        assert imports.apply(sessions, SYSTEM, incoming, now=NOW).applied

    # 2.00 for the order and 0.50 for each of 4 + 6 items.
    assert [report.result() for report in meanwhile] == [700]


def test_two_changes_of_one_customers_orders_leave_totals_that_are_right(sessions):
    with sessions.begin() as session:
        acme = a_customer(session)

    def take_in(number):
        with sessions.begin() as session:
            an_order(session, acme, f"SO-{number}")
            coverage.refresh(session, [acme], MARCH)

    assert at_once(*(partial(take_in, number) for number in range(2))) == [None, None]

    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 2
        assert session.scalars(select(BillingMonth.unbilled_orders)).all() == [2]
