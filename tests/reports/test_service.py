"""Generating and previewing reports."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select, update

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Forbidden, Invalid
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.orders.models import Order, OrderStatus
from billing_core.rating.models import QuestionKind, Rate
from billing_core.reports import contents, queries, service
from billing_core.reports.models import BillingReport, ReportCharge, ReportOrder
from tests.reports.company import HANDLING, LATER, MARCH, NOW, PICKING, a_customer, an_order, billed


def generate(session, customer_id, period=MARCH, now=NOW, actor=SYSTEM, **options):
    return service.generate(session, actor, customer_id=customer_id, period=period, now=now, **options)


def test_a_report_holds_orders_charges_and_totals(session):
    acme = a_customer(session)
    an_order(session, acme, "SO-1", items=4)
    an_order(session, acme, "SO-2", items=10)

    report = billed(session, acme)

    assert (report.total_minor, report.currency) == (1100, "USD")  # 2 × 2.00 + 14 × 0.50
    assert (report.order_count, report.charge_count, report.question_count, report.version) == (2, 4, 0, 1)
    assert [
        (t.service_name, t.amount_minor, t.quantity, t.order_count) for t in contents.service_totals(session, report)
    ] == [
        ("Picking", 700, 14, 2),
        ("Handling", 400, 2, 2),
    ]
    assert [(o.order_number, o.total_minor, o.total_items) for o in contents.orders(session, report)] == [
        ("SO-1", 400, 4),
        ("SO-2", 700, 10),
    ]


def test_only_billable_orders_of_the_period_count(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    an_order(session, acme, "first day", on=MARCH.start)
    an_order(session, acme, "last day", on=MARCH.end)
    an_order(session, acme, "before", on=date(2026, 2, 28))
    an_order(session, acme, "after", on=date(2026, 4, 1))
    an_order(session, acme, "draft", status=OrderStatus.DRAFT)
    an_order(session, acme, "cancelled", status=OrderStatus.CANCELLED)
    an_order(session, other, "somebody else's")

    report = billed(session, acme)

    assert [order.order_number for order in contents.orders(session, report)] == ["first day", "last day"]
    assert report.total_minor == 800


def test_an_empty_period_gives_a_report_of_nothing(session):
    report = billed(session, a_customer(session))

    assert (report.total_minor, report.order_count, report.charge_count) == (0, 0, 0)
    assert contents.service_totals(session, report) == []


def test_a_report_comes_to_at_most_the_largest_amount(session):
    """Two orders of 500,000,000 items at 1,000,000 each come to 10^15 dong. With 1 more for each it is too much."""
    acme = a_customer(session, currency="VND")
    handling, picking = session.scalars(select(Rate).where(Rate.customer_id == acme).order_by(Rate.service_id))
    handling.unit_price, picking.unit_price = Decimal(0), Decimal(10**6)
    for number in ("SO-1", "SO-2"):
        an_order(session, acme, number, items=5 * 10**8)

    report = billed(session, acme)
    assert report.total_minor == 10**15
    assert [order.total_minor for order in contents.orders(session, report)] == [5 * 10**14] * 2
    assert [(t.amount_minor, t.quantity) for t in contents.service_totals(session, report)] == [(10**15, 10**9), (0, 2)]

    handling.unit_price = Decimal(1)
    with pytest.raises(Invalid) as refused:
        billed(session, acme)
    assert str(refused.value) == (
        "These orders come to 1,000,000,000,000,002 VND, and a report to at most 1,000,000,000,000,000 VND"
    )


def test_a_customer_without_rates_gets_questions_not_zeros_in_silence(session):
    acme = a_customer(session, priced=False)
    order_id = an_order(session, acme, "SO-1")

    report = billed(session, acme)

    assert (report.total_minor, report.order_count, report.question_count) == (0, 1, 1)
    assert contents.question_totals(session, report) == {QuestionKind.NO_RATE: 1}
    assert [(q.order_id, q.order_number) for q in contents.questions(session, report)] == [(order_id, "SO-1")]


def test_some_services_only(session):
    acme = a_customer(session)
    an_order(session, acme, "SO-1", items=4)

    report = billed(session, acme, service_ids=[PICKING])

    assert (report.total_minor, report.services) == (200, "2")


def test_naming_every_service_is_the_same_report_as_naming_none(session):
    acme = a_customer(session)
    an_order(session, acme, "SO-1")

    assert generate(session, acme, service_ids=[PICKING, HANDLING]).created
    assert not generate(session, acme).created


def test_unchanged_input_returns_the_same_report_and_writes_nothing(session):
    acme = a_customer(session)
    an_order(session, acme, "SO-1")
    first = generate(session, acme)
    rows = [
        session.scalar(select(func.count()).select_from(t))
        for t in (BillingReport, ReportOrder, ReportCharge, AuditEntry)
    ]

    again = generate(session, acme, now=LATER, output_format="csv")

    assert (again.report_id, again.created, again.replaces) == (first.report_id, False, None)
    assert rows == [
        session.scalar(select(func.count()).select_from(t))
        for t in (BillingReport, ReportOrder, ReportCharge, AuditEntry)
    ]
    assert queries.one(session, SYSTEM, first.report_id).created_at == NOW


@pytest.mark.parametrize(
    "what", ["new order", "order cancelled", "other rate of the same price", "reference", "question"]
)
def test_changed_input_makes_a_new_version(session, what):
    acme = a_customer(session)
    order_id = an_order(session, acme, "SO-1")
    an_order(session, acme, "SO-2")
    first = generate(session, acme)

    match what:
        case "new order":
            an_order(session, acme, "SO-3", items=0)
        case "order cancelled":
            session.execute(update(Order).where(Order.id == order_id).values(status=OrderStatus.CANCELLED))
        case "reference":
            session.execute(update(Order).where(Order.id == order_id).values(reference_number="PO 7"))
        case "other rate of the same price":
            rate = session.scalars(select(Rate).where(Rate.service_id == HANDLING)).one()
            rate.valid_to = date(2026, 2, 28)
            session.flush()
            session.add(
                Rate(
                    customer_id=acme,
                    service_id=HANDLING,
                    unit_price=Decimal(2),
                    currency="USD",
                    valid_from=date(2026, 3, 1),
                    created_at=NOW,
                )
            )
        case "question":
            session.execute(update(Rate).where(Rate.service_id == HANDLING).values(valid_to=date(2026, 3, 5)))
    session.flush()
    second = generate(session, acme, now=LATER)

    assert (second.created, second.replaces) == (True, first.report_id)
    old, new = (queries.one(session, SYSTEM, made.report_id) for made in (first, second))
    assert (old.superseded_at, old.superseded_by_id, new.superseded_at, new.version) == (LATER, new.id, None, 2)
    assert not generate(session, acme, now=LATER).created


def test_an_old_report_keeps_what_it_said(session):
    acme = a_customer(session)
    order_id = an_order(session, acme, "SO-1", items=4)
    old = billed(session, acme)
    session.execute(update(Order).where(Order.id == order_id).values(number="changed", status=OrderStatus.CANCELLED))
    session.execute(update(Rate).values(unit_price=Decimal(9)))
    billed(session, acme, now=LATER)

    assert [(o.order_number, o.status, o.total_minor) for o in contents.orders(session, old)] == [
        ("SO-1", "shipped", 400)
    ]


def test_refusals(session):
    acme = a_customer(session)
    for nobody in (999, 0, -1, 2**31, 10**30):
        with pytest.raises(Invalid, match=f"^Customer with ID {nobody} not found$"):
            generate(session, nobody)
    with pytest.raises(Invalid, match=r"^Start date must be before end date$"):
        Period(date(2026, 3, 2), date(2026, 3, 1))
    with pytest.raises(Invalid, match="A report covers days from 1900-01-01 to 2199-12-31"):
        generate(session, acme, period=Period(date(1, 1, 1), date(1, 1, 31)))
    with pytest.raises(Invalid, match="Service with ID 77 not found"):
        generate(session, acme, service_ids=[PICKING, 77])
    with pytest.raises(Invalid, match="Invalid format: xyz"):
        generate(session, acme, output_format="xyz")
    with pytest.raises(Forbidden):
        generate(session, acme, actor=actor_with(Role.FINANCE, user_id=1, name="Fin"))


def test_somebody_bound_to_one_customer_bills_and_sees_that_one_alone(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    theirs = billed(session, other)
    bound = actor_with(Role.MANAGER, user_id=5, name="Mia", customer_id=acme)

    mine = generate(session, acme, actor=bound)
    with pytest.raises(Invalid, match=f"Customer with ID {other} not found"):
        generate(session, other, actor=bound)

    assert [report.id for report in queries.page(session, bound, queries.ReportFilter())] == [mine.report_id]
    with pytest.raises(queries.NotFound):
        queries.one(session, bound, theirs.id)


def test_generating_leaves_a_trace(session):
    acme = a_customer(session)
    an_order(session, acme, "SO-1", items=4)
    report = billed(session, acme)
    session.flush()

    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "report.generate")).one()

    assert (entry.subject_kind, entry.subject_id, entry.actor_name) == ("report", str(report.id), "system")
    assert entry.after["total_minor"] == 400


def test_a_preview_says_what_generating_would_store_and_stores_nothing(session):
    acme = a_customer(session)
    an_order(session, acme, "SO-1", items=4)
    first = billed(session, acme)
    an_order(session, acme, "SO-2", items=10)
    half = billed(session, acme, Period(date(2026, 3, 1), date(2026, 3, 15)))

    seen = service.preview(session, SYSTEM, customer_id=acme, period=MARCH, now=LATER)

    assert (seen.report.total_minor, seen.report.order_count, seen.unchanged) == (1100, 2, False)
    assert seen.current == first
    assert seen.difference.total_minor == 700
    assert [(c.service_name, c.difference_minor) for c in seen.service_changes] == [("Handling", 200), ("Picking", 500)]
    assert (seen.overlaps.charge_count, seen.overlaps.amount_minor) == (4, 1100)
    assert {row.other_report_id for row in seen.overlapping} == {half.id}
    assert queries.one(session, SYSTEM, first.id).current
    assert session.scalar(select(func.count()).select_from(BillingReport)) == 2


def test_a_preview_of_unchanged_input_says_so(session):
    acme = a_customer(session)
    an_order(session, acme, "SO-1")
    billed(session, acme)

    seen = service.preview(session, SYSTEM, customer_id=acme, period=MARCH, now=LATER)

    assert (seen.unchanged, seen.difference.order_count, seen.difference.total_minor) == (True, 0, 0)


def test_the_report_is_in_the_customers_currency_and_name_of_that_day(session):
    acme = a_customer(session, currency="JPY")
    an_order(session, acme, "SO-1", items=3)
    report = billed(session, acme)
    session.execute(update(Customer).values(name="Acme Holding"))

    assert (report.currency, report.total_minor) == ("JPY", 4)  # 2 + 3 × 0.5 rounded half up to 2
    assert queries.one(session, SYSTEM, report.id).customer_name == "Acme Corp"
