"""A report written row by row, so that what its files must say can be worked out by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.orders.models import Order, OrderStatus
from billing_core.rating.models import CostType, QuestionKind, Rate, Service
from billing_core.reports.models import (
    BillingReport,
    ReportCharge,
    ReportOrder,
    ReportQuestion,
    ReportQuestionTotal,
    ReportServiceTotal,
)

MADE_AT = datetime(2023, 2, 1, 12, 0, tzinfo=UTC)
FIRST_DAY = date(2023, 1, 15)


def a_customer(session: Session, *, ref: str = "ACME", name: str = "ACME Corp", currency: str = "USD") -> Customer:
    customer = Customer(
        business_id=default_business(session).id, ref=ref, name=name, currency=currency, created_at=MADE_AT
    )
    session.add(customer)
    session.flush()
    return customer


def services(session: Session) -> tuple[Service, Service]:
    """Picking (by item) and “Shipping” (by weight), made once."""
    found = session.scalars(select(Service).order_by(Service.id)).all()
    if not found:
        found = [
            Service(code="PICK", name="Picking", cost_type=CostType.PER_ITEM),
            Service(code="SHIP", name='Ship "fast"', cost_type=CostType.PER_WEIGHT_UNIT),
        ]
        session.add_all(found)
        session.flush()
    return found[0], found[1]


def a_report(session: Session, customer: Customer, *amounts: tuple[int, int], **order_facts: str) -> BillingReport:
    """One order an item of ``amounts``: (picking, shipping) in minor units; a shipping of 0 is no charge, and any other
    the minimum of what would be free.

    Orders come on consecutive days from ``FIRST_DAY``.
    """
    picking, shipping = services(session)
    currency = customer.currency
    rates = [
        Rate(
            customer_id=customer.id,
            service_id=service.id,
            unit_price=Decimal("1.25"),
            currency=currency,
            valid_from=date(2023, 1, 1),
            created_at=MADE_AT,
        )
        for service in (picking, shipping)
    ]
    session.add_all(rates)
    facts = {"reference_number": "REF-1", "ship_to_name": "John Smith", "ship_to_address": "123 Test St", **order_facts}
    orders = [
        Order(
            number=f"{customer.ref}-{number}",
            customer_id=customer.id,
            order_date=FIRST_DAY + timedelta(days=number),
            status=OrderStatus.COMPLETED,
            **facts,
        )
        for number in range(len(amounts))
    ]
    session.add_all(orders)
    report = BillingReport(
        customer_id=customer.id,
        customer_name=customer.name,
        period_start=date(2023, 1, 1),
        period_end=date(2023, 1, 31),
        currency=currency,
        total_minor=sum(map(sum, amounts)),
        order_count=len(amounts),
        charge_count=sum(1 + (ship > 0) for _, ship in amounts),
        question_count=1 if amounts else 0,
        created_at=MADE_AT,
        created_by="Ada",
    )
    session.add(report)
    session.flush()
    for order, (pick, ship) in zip(orders, amounts, strict=True):
        session.add(
            ReportOrder(
                report_id=report.id,
                order_id=order.id,
                order_number=order.number,
                reference_number=order.reference_number,
                order_date=order.order_date,
                status=order.status,
                ship_to_name=order.ship_to_name,
                ship_to_address=order.ship_to_address,
                total_items=Decimal(4),
                line_items=2,
                total_minor=pick + ship,
            )
        )
        charged = [(picking, rates[0], Decimal("1.25"), pick, None, None, None)]
        if ship:
            charged.append((shipping, rates[1], Decimal(0), ship, 2, "minimum", "weight > 2"))
        session.execute(
            insert(ReportCharge),
            [
                {
                    "report_id": report.id,
                    "order_id": order.id,
                    "service_id": service.id,
                    "rate_id": rate.id,
                    "quantity": Decimal("2.5"),
                    "unit_price": price,
                    "tier": tier,
                    "bound": bound,
                    "matched": matched,
                    "amount_minor": minor,
                }
                for service, rate, price, minor, tier, bound, matched in charged
            ],
        )
    for service, minor in ((picking, sum(a for a, _ in amounts)), (shipping, sum(b for _, b in amounts))):
        if minor:
            session.add(
                ReportServiceTotal(
                    report_id=report.id,
                    service_id=service.id,
                    service_name=service.name,
                    cost_type=service.cost_type,
                    amount_minor=minor,
                    quantity=Decimal("2.5"),
                    order_count=len(amounts),
                )
            )
    if amounts:
        session.add_all(
            [
                ReportQuestion(
                    report_id=report.id,
                    order_id=orders[0].id,
                    order_number=orders[0].number,
                    service_id=shipping.id,
                    sku="=SKU",
                    kind=QuestionKind.UNKNOWN_SKU,
                ),
                ReportQuestionTotal(report_id=report.id, kind=QuestionKind.UNKNOWN_SKU, question_count=1),
            ]
        )
    session.flush()
    return report
