"""Orders and their lines from files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Date, FromClause, Integer, MetaData, Select, Table, func, insert, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.customers.models import Customer
from billing_core.database.types import Quantity
from billing_core.dates import Period
from billing_core.imports import Kind, cells, columns
from billing_core.imports.kind import Definition, Derived, Field, Staged, code_up_to, text_up_to, unknown, wrong
from billing_core.imports.words import choices, readers
from billing_core.orders.models import Order, OrderLine, OrderStatus, sku_key
from billing_core.reports import coverage, outdated

_PLAIN = (
    "status reference_number ship_to_name ship_to_address ship_to_city ship_to_state ship_to_postal_code "
    "ship_to_country carrier weight packages notes"
).split()


def _resolve_orders(staged: Staged) -> Select[Any]:
    rows = staged.table
    status = func.coalesce(rows.c.status if "status" in staged.given else Order.status, OrderStatus.SUBMITTED.value)
    return (
        select(
            rows.c.line,
            rows.c.order_number.label("number"),
            Customer.id.label("customer_id"),
            rows.c.order_date,
            status.label("status"),
            *staged.columns(*_PLAIN[1:]),
        )
        .join_from(rows, Customer, columns.customer_of(rows))
        .outerjoin(Order, Order.number == rows.c.order_number)
    )


def _of_another_customer(rows: FromClause) -> Select[Any]:
    reason = "is an order of customer " + Customer.ref + "; order numbers are unique over all customers"
    return (
        wrong(rows, "order_number", rows.c.number, reason)
        .join(Order, Order.id == rows.c.existing_id)
        .join(Customer, Customer.id == Order.customer_id)
        .where(Order.customer_id != rows.c.customer_id)
    )


@contextmanager
def _keeping_coverage(session: Session, rows: FromClause) -> Iterator[None]:
    """Refresh the stored totals of the months in which an order was, or is now."""
    touched = rows.c.effect != "unchanged"
    customers = session.scalars(select(rows.c.customer_id).where(touched).distinct()).all()
    now = select(rows.c.order_date.label("day")).where(touched)
    before = select(Order.order_date).join(rows, rows.c.existing_id == Order.id).where(touched)
    days = now.union_all(before).subquery()
    first, last = session.execute(select(func.min(days.c.day), func.max(days.c.day))).one()
    with _outdating_reports(session, select(rows.c.number.label("key")).where(touched), Order.number):
        yield
    coverage.refresh(session, customers, Period(first, last))


@contextmanager
def _outdating_reports(session: Session, keys: Select[Any], column: InstrumentedAttribute[Any]) -> Iterator[None]:
    """Reports of these orders, by a SELECT of their ``key`` in that column before the writing, are outdated by it."""
    if not outdated.any_current(session):
        yield
        return
    touched = Table("touched_orders", MetaData(), Column("key", column.type, primary_key=True), prefixes=["TEMPORARY"])
    touched.create(session.connection(), checkfirst=False)
    session.execute(insert(touched).from_select(["key"], keys.distinct()))
    yield
    outdated.note(session, select(Order.id).where(column.in_(select(touched.c.key))))
    touched.drop(session.connection())


@contextmanager
def _outdating_lines(session: Session, rows: FromClause) -> Iterator[None]:
    changed = select(rows.c.order_id.label("key")).where(rows.c.effect != "unchanged")
    with _outdating_reports(session, changed, Order.id):
        yield


ORDERS = Definition(
    kind=Kind.ORDERS,
    title="Orders",
    model=Order,
    keys=("number",),
    labels=("order_number",),
    fields=(
        replace(columns.ORDER_NUMBER, synonyms=(*columns.ORDER_NUMBER.synonyms, "number")),
        columns.CUSTOMER_REF,
        Field(
            "order_date",
            cells.day,
            Date(),
            required=True,
            filled=True,
            synonyms=("date", "ordered at", "ordered on", "order day", "created at", "placed at"),
        ),
        Field(
            "status",
            readers.status,
            blank=None,
            synonyms=("order status", "state of order"),
            choices=choices.statuses,
            listed=True,
        ),
        Field(
            "reference_number",
            code_up_to(120),
            synonyms=("reference", "ref", "po number", "purchase order", "customer reference", "your reference"),
        ),
        Field(
            "ship_to_name",
            text_up_to(200),
            synonyms=("ship name", "shipping name", "recipient", "consignee", "delivery name"),
            parts=(
                ("shipping first name", "shipping last name"),
                ("ship first name", "ship last name"),
                ("delivery first name", "delivery last name"),
                ("recipient first name", "recipient last name"),
            ),
        ),
        Field(
            "ship_to_address",
            text_up_to(500),
            synonyms=(
                *("ship address", "shipping address", "shipping street", "ship street", "delivery address"),
                *("shipping address 1", "ship address 1", "ship to address 1", "delivery address 1"),
            ),
            parts=tuple(
                (f"{ship} {first}", f"{ship} {line} 2", f"{ship} {line} 3")
                for ship in ("ship", "shipping", "ship to", "delivery")
                for line in ("address", "street", "address line")
                for first in (line, f"{line} 1")
            ),
            joint=", ",
        ),
        Field("ship_to_city", text_up_to(120), synonyms=("ship city", "shipping city", "delivery city")),
        Field(
            "ship_to_state",
            text_up_to(120),
            synonyms=("ship region", "ship state", "shipping state", "ship province", "delivery state"),
        ),
        Field(
            "ship_to_postal_code",
            cells.postal_code,
            synonyms=("ship postal code", "ship zip", "shipping zip", "ship postcode", "delivery postal code"),
            country="ship_to_country",
        ),
        Field(
            "ship_to_country",
            readers.country,
            synonyms=("ship country", "shipping country", "delivery country"),
            choices=choices.countries,
            listed=True,
        ),
        Field(
            "carrier",
            text_up_to(120),
            synonyms=("shipper", "ship via", "shipping carrier", "shipping method", "courier"),
            listed=True,
        ),
        Field("weight", cells.quantity, Quantity, blank=None, synonyms=("total weight", "gross weight", "weight kg")),
        Field(
            "packages",
            cells.whole_number,
            Integer(),
            blank=None,
            synonyms=("parcels", "package count", "number of packages", "boxes", "cartons"),
        ),
        Field("notes", text_up_to(5000), synonyms=("note", "comment", "comments", "remarks", "instructions")),
    ),
    resolve=_resolve_orders,
    references=(columns.unknown_customer, columns.merged_customer),
    merge_checks=(_of_another_customer,),
    around=_keeping_coverage,
)


def _resolve_lines(staged: Staged) -> Select[Any]:
    """Every line is the first of its SKU in the order until repeated keys are numbered."""
    rows = staged.table
    return select(
        rows.c.line,
        Order.id.label("order_id"),
        rows.c.sku,
        rows.c.sku_key,
        literal(1).label("position"),
        rows.c.quantity,
    ).join_from(rows, Order, Order.number == rows.c.order_number)


ORDER_ITEMS = Definition(
    kind=Kind.ORDER_ITEMS,
    title="Order lines",
    model=OrderLine,
    keys=("order_id", "sku_key", "position"),
    labels=("order_number", "sku"),
    fields=(
        columns.ORDER_NUMBER,
        columns.SKU,
        Field(
            "quantity",
            cells.quantity,
            Quantity,
            required=True,
            filled=True,
            synonyms=("qty", "units", "amount ordered", "ordered quantity", "pieces"),
        ),
    ),
    resolve=_resolve_lines,
    references=(unknown("order_number", Order.number, "no order has this number; import orders first"),),
    derived=(Derived("sku_key", "sku", sku_key),),
    repeats=True,
    around=_outdating_lines,
)
