"""Products from a file: each belongs to a customer, so a file without customers must be assigned one."""

from typing import Any

from sqlalchemy import Select, exists, false, select

from billing_core.customers.models import Customer
from billing_core.database.types import Quantity
from billing_core.imports import Kind, cells, columns
from billing_core.imports.kind import Definition, Derived, Field, Staged, text_up_to, wrong
from billing_core.orders.models import Product, sku_key


def _resolve(staged: Staged) -> Select[Any]:
    rows = staged.table
    whose = Customer.merged_into_id.is_(None) if staged.every_customer else columns.customer_of(rows)
    return select(
        rows.c.line,
        Customer.id.label("customer_id"),
        rows.c.sku,
        rows.c.sku_key,
        *staged.columns("name", "case_size"),
    ).join_from(rows, Customer, whose)


def _nobody_s(staged: Staged) -> Select[Any]:
    if not staged.every_customer:
        return columns.unknown_customer(staged)
    rows = staged.table
    reason = "there is no customer yet whose product it could be; import customers first"
    return wrong(rows, "sku", rows.c.sku, reason).where(~exists().where(Customer.id > 0))


def _merged(staged: Staged) -> Select[Any]:
    if not staged.every_customer:
        return columns.merged_customer(staged)
    return wrong(staged.table, "sku", staged.table.c.sku, "").where(false())


DEFINITION = Definition(
    kind=Kind.PRODUCTS,
    title="Products",
    model=Product,
    keys=("customer_id", "sku_key"),
    labels=("customer_ref", "sku"),
    fields=(
        columns.CUSTOMER_REF,
        columns.SKU,
        Field("name", text_up_to(300), synonyms=("product name", "item name", "description", "title")),
        Field(
            "case_size",
            cells.quantity,
            Quantity,
            blank=None,
            synonyms=("units per case", "case quantity", "case qty", "pack size", "units per carton"),
        ),
    ),
    resolve=_resolve,
    references=(_nobody_s, _merged),
    derived=(Derived("sku_key", "sku", sku_key),),
    for_everyone=True,
)
