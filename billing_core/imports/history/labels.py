"""How people know the rows of each kind: as its files name them."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, String, cast, select

from billing_core.customers.models import Customer
from billing_core.imports import Kind
from billing_core.orders.models import Order, OrderLine, Product
from billing_core.plans.models import CustomerPlan, Plan
from billing_core.promotions.models import PromoCode
from billing_core.rating.models import Rate, Service

BETWEEN: Final = " · "


def _joined(*parts: Any) -> ColumnElement[str]:
    """In SQL: the parts of a key, as one text."""
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + BETWEEN + part
    named: ColumnElement[str] = whole.label("label")
    return named


# Each selects the id of a row and its label.
LABELS: Final[dict[Kind, Select[*tuple[Any, ...]]]] = {
    Kind.CUSTOMERS: select(Customer.id, _joined(Customer.ref)),
    Kind.SERVICES: select(Service.id, _joined(Service.code)),
    Kind.PRODUCTS: select(Product.id, _joined(Customer.ref, Product.sku)).join(
        Customer, Customer.id == Product.customer_id
    ),
    Kind.RATES: select(Rate.id, _joined(Customer.ref, Service.code, cast(Rate.valid_from, String)))
    .join(Customer, Customer.id == Rate.customer_id)
    .join(Service, Service.id == Rate.service_id),
    Kind.ORDERS: select(Order.id, _joined(Order.number)),
    Kind.ORDER_ITEMS: select(OrderLine.id, _joined(Order.number, OrderLine.sku)).join(
        Order, Order.id == OrderLine.order_id
    ),
    Kind.PLANS: select(Plan.id, _joined(Plan.code)),
    Kind.CUSTOMER_PLANS: select(CustomerPlan.id, _joined(Customer.ref, cast(CustomerPlan.valid_from, String))).join(
        Customer, Customer.id == CustomerPlan.customer_id
    ),
    Kind.PROMO_CODES: select(PromoCode.id, _joined(PromoCode.code)),
}
