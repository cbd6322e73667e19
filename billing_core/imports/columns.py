"""Columns by which files of several kinds name the same things."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_
from sqlalchemy.orm import aliased

from billing_core.customers.models import Customer
from billing_core.imports import cells
from billing_core.imports.kind import Field, Staged, code_up_to, unknown, wrong
from billing_core.imports.words import choices, readers

CUSTOMER_REF = Field(
    "customer_ref",
    code_up_to(64),
    required=True,
    filled=True,
    synonyms=("customer id", "customer", "customer number", "customer no", "customer code", "account"),
)
ORDER_NUMBER = Field(
    "order_number",
    code_up_to(64),
    required=True,
    filled=True,
    synonyms=("order id", "order no", "order", "order nr", "sales order", "so number"),
)
SKU = Field(
    "sku",
    cells.sku,
    required=True,
    filled=True,
    synonyms=("product id", "product", "item", "item number", "article", "article number", "product code"),
)
PLAN_CODE = Field(
    "plan_code",
    code_up_to(64),
    required=True,
    filled=True,
    synonyms=("plan", "plan id", "tier", "subscription tier", "code"),
)
CURRENCY = Field(
    "currency",
    readers.currency,
    blank=None,
    synonyms=("currency code", "curr"),
    choices=choices.currencies,
    listed=True,
)

unknown_customer = unknown("customer_ref", Customer.ref, "no customer has this customer_ref; import customers first")


def customer_of(rows: FromClause) -> ColumnElement[bool]:
    """In SQL: the customer that a row names, unless it was merged into another one."""
    return and_(Customer.ref == rows.c.customer_ref, Customer.merged_into_id.is_(None))


def merged_customer(staged: Staged) -> Select[Any]:
    """A check: rows of a customer that was merged into another one."""
    rows, into = staged.table, aliased(Customer)
    reason = "is of a customer that was merged into " + into.name + "; use its customer_ref " + into.ref
    statement = wrong(rows, "customer_ref", rows.c.customer_ref, reason)
    return statement.join(Customer, Customer.ref == rows.c.customer_ref).join(into, into.id == Customer.merged_into_id)
