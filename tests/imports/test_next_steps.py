"""What is to be done next: counted from what is there, whoever imported it."""

from datetime import date

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.imports import Kind
from billing_core.imports.next_steps import counting
from billing_core.imports.next_steps.counting import Task
from billing_core.reports import summary
from billing_core.reports.lacking import Lack
from billing_core.reports.summary import SummaryFilter

CUSTOMERS = (
    "customer_ref,name,email,address,country\n"
    "A,Both,a@a.example,Street 1,DE\nB,No mail,,Street 2,DE\nC,No country,c@c.example,Street 3,\nD,None,,,\n"
)


def steps(sessions, *kinds):
    with sessions() as session:
        return {step.task: step for step in counting.after(session, SYSTEM, kinds or list(Kind))}


def listed(sessions, lack):
    with sessions() as session:
        rows = summary.page(session, SYSTEM, SummaryFilter(active=True, lacks=lack, order_by="customer_ref"))
        return [row.customer_ref for row in rows]


def test_nothing_is_left_to_do_where_there_is_nothing(sessions):
    assert steps(sessions) == {}


def test_what_customers_lack_is_counted_and_listed_alike(sessions, take_in):
    take_in("customers", CUSTOMERS)
    found = steps(sessions, Kind.CUSTOMERS)
    assert {task: step.count for task, step in found.items()} == {Task.ADD_EMAILS: 2, Task.ADD_ADDRESSES: 2}
    assert listed(sessions, Lack.EMAIL) == ["B", "D"]
    assert listed(sessions, Lack.ADDRESS) == ["C", "D"]
    with sessions.begin() as session:
        session.scalars(select(Customer).where(Customer.ref == "D")).one().active = False
    assert steps(sessions, Kind.CUSTOMERS)[Task.ADD_EMAILS].words == "1 customer has no e-mail address"


def test_orders_lead_to_prices_and_then_to_reports(sessions, take_in):
    """A has two orders in March and one in April, B a draft, which is not billed, C and D none."""
    take_in("customers", CUSTOMERS)
    take_in(
        "orders",
        "order_number,customer_ref,order_date,status\n"
        "1,A,2026-03-01,shipped\n2,A,2026-03-31,shipped\n3,A,2026-04-01,shipped\n4,B,2026-04-01,draft\n",
    )
    found = steps(sessions, Kind.ORDERS)
    assert found[Task.PRICE_CUSTOMERS].words == "1 customer has orders and no prices"
    assert found[Task.REPORT_ORDERS].count == 3
    assert found[Task.REPORT_ORDERS].months == ((date(2026, 3, 1), 2), (date(2026, 4, 1), 1))
    assert listed(sessions, Lack.PRICES) == ["A"]

    take_in("services", "service_code,name,cost_type\nPICK,Picking,per_item\nSHIP,Shipping,per_order\n")
    assert steps(sessions, Kind.SERVICES)[Task.PRICE_SERVICES].words == "2 services are on no rate card"
    take_in("rates", "customer_ref,service_code,unit_price\nA,PICK,1\n")
    found = steps(sessions, Kind.RATES)
    assert (found[Task.PRICE_SERVICES].count, Task.PRICE_CUSTOMERS in found) == (1, False)


def test_usage_leads_to_plans(sessions, take_in):
    take_in("customers", CUSTOMERS)
    take_in("usage", "event_id,customer_ref,time\n1,A,2026-03-01T10:00:00Z\n2,B,2026-03-01T10:00:00Z\n")
    take_in("plans", "plan_code,name,price,included_calls,price_per_call\nP,Pro,1,1,1\n")
    take_in("customer-plans", "customer_ref,plan_code,valid_from\nA,P,2026-01-01\n")
    assert steps(sessions, Kind.USAGE)[Task.ADD_PLANS].count == 1
    assert listed(sessions, Lack.PLAN) == ["B"]


def test_whoever_may_not_import_is_not_told(sessions):
    with pytest.raises(Forbidden), sessions() as session:
        counting.after(session, actor_with(Role.FINANCE, user_id=1, name="Fay"), [Kind.CUSTOMERS])
