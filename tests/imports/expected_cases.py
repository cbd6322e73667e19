"""Small files that once came out wrong, and the right value of each, read by hand: for each way in there is."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.orders.models import Order, OrderLine, Product

_HERE = Path(__file__).parent
_ORDER = ("orders", "order_number,customer_ref,order_date\nO1,C0,2026-01-02\n")


@dataclass(frozen=True)
class Case:
    """``before``: what is there already, as (kind, file). ``asks``: what must be answered, by the words for programs;
    ``answers``: what somebody says to it, as (option, value). ``holds``: what there is afterwards of each kind.
    """

    file: str
    holds: dict[str, list[tuple]]
    before: tuple[tuple[str, str], ...] = ()
    asks: tuple[str, ...] = ()
    answers: tuple[tuple[str, str], ...] = ()
    folder: str = "cases"
    kinds: tuple[str, ...] = field(default=("customers",))

    def __str__(self) -> str:
        return self.file

    @property
    def content(self) -> bytes:
        return (_HERE / self.folder / self.file).read_bytes()


def _customer(ref: str, name: str, email="", city="", postal_code="", phone="") -> tuple:
    return ref, name, email, city, postal_code, phone


def _there(ref: str) -> tuple[str, str]:
    return "customers", f"customer_ref,name\n{ref},Acme\n"


_C0 = _customer("C0", "Acme")
CASES = (
    Case(
        "shopify_one_line_orders.csv",
        {
            "customers": [
                _customer("Person One", "Person One", city="Springfield", postal_code="01067"),
                _customer("Person Two", "Person Two", city="Springfield", postal_code="62701"),
            ],
            # 01:48 of the 6th where the shop is, is the 5th in UTC.
            "orders": [
                ("#5001", "Person One", "2026-04-05", "shipped", "01067"),
                ("#5002", "Person Two", "2026-04-05", "shipped", "62701"),
            ],
            "order-items": [("#5001", "MUG-B", Decimal(1)), ("#5002", "MUG-R", Decimal(2))],
        },
        asks=("readings",),
        answers=(("reading", "order_date=here"),),
        folder="layouts",
        kinds=("customers", "orders", "order-items"),
    ),
    Case(
        "woocommerce_products.csv",
        {"customers": [_C0], "products": [("AB-1", "Blue mug"), ("AB-2", "Red mug")]},
        before=(_there("C0"),),
        asks=("columns_missing",),
        answers=(("map", "customer_ref==C0"),),
        folder="layouts",
        kinds=("products",),
    ),
    Case(
        "german_quantities.csv",
        {
            "customers": [_C0],
            "orders": [("O1", "C0", "2026-01-02", "submitted", "")],
            "order-items": [
                ("O1", "S0", Decimal(1234)),
                ("O1", "S1", Decimal("12.5")),
                ("O1", "S2", Decimal("1234.5")),
                ("O1", "S3", Decimal(1234567)),
                ("O1", "S4", Decimal(2000)),
            ],
        },
        before=(_there("C0"), _ORDER),
        kinds=("order-items",),
    ),
    Case(
        "us_dates.csv",
        {
            "customers": [_customer("X", "Acme")],
            "orders": [
                ("CA-1", "X", "2019-11-22", "submitted", ""),
                ("CA-2", "X", "2018-06-12", "submitted", ""),
                ("CA-3", "X", "2018-12-31", "submitted", ""),
            ],
        },
        before=(_there("X"),),
        kinds=("orders",),
    ),
    Case(
        "totals_row.csv",
        {"customers": [_customer("C1", "Acme", "a@x.example"), _customer("C2", "Bolt", "b@x.example")]},
    ),
    Case(
        "excel_damage.csv",
        {"customers": [_customer("00123", "Acme", postal_code="08701", phone="+49 351 1")]},
        asks=("rejected",),
        answers=(("set-aside", "1"),),
    ),
    Case("preamble_and_footer.csv", {"customers": [_customer("C1", "Acme", "a@x.example")]}),
    Case("latin1.csv", {"customers": [_customer("C1", "Müller GmbH", city="Köln")]}),
    Case("utf16.txt", {"customers": [_customer("C1", "Müller GmbH")]}),
    Case(
        "amazon_flat_file.txt",
        {
            "customers": [_C0],
            "orders": [("O1", "C0", "2026-01-02", "submitted", "")],
            "order-items": [("O1", "S1", Decimal(1))],
        },
        before=(_there("C0"), _ORDER),
        kinds=("order-items",),
    ),
    Case(
        "foreign_statuses.csv",
        {
            "customers": [_customer("C1", "Acme")],
            "orders": [
                ("1", "C1", "2026-01-05", "shipped", ""),
                ("2", "C1", "2026-01-06", "submitted", ""),
                ("3", "C1", "2026-01-07", "cancelled", ""),
            ],
        },
        before=(_there("C1"),),
        asks=("words", "words"),
        answers=(("word", "status:On Hold=submitted"), ("word", "status:refunded=leave-out")),
        kinds=("orders",),
    ),
)


def what_there_is(session) -> dict[str, list[tuple]]:
    """In the form of ``Case.holds``, without kinds of which there is nothing."""
    customer, order = Customer, Order
    customers = select(
        customer.ref, customer.name, customer.email, customer.city, customer.postal_code, customer.phone
    ).order_by(customer.ref)
    orders = (
        select(order.number, customer.ref, order.order_date, order.status, order.ship_to_postal_code)
        .join(customer)
        .order_by(order.number)
    )
    lines = select(order.number, OrderLine.sku, OrderLine.quantity).join(order).order_by(order.number, OrderLine.sku)
    found = {
        "customers": [tuple(row) for row in session.execute(customers)],
        "orders": [(*row[:2], row.order_date.isoformat(), str(row.status), row[4]) for row in session.execute(orders)],
        "order-items": [tuple(row) for row in session.execute(lines)],
        "products": [tuple(row) for row in session.execute(select(Product.sku, Product.name).order_by(Product.sku))],
    }
    return {kind: rows for kind, rows in found.items() if rows}
