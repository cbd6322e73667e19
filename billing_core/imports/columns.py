"""Columns by which files of several kinds name the same things."""

from billing_core.customers.models import Customer
from billing_core.imports import cells
from billing_core.imports.kind import Field, text_up_to, unknown

CUSTOMER_REF = Field(
    "customer_ref",
    text_up_to(64),
    required=True,
    filled=True,
    synonyms=("customer id", "customer", "customer number", "customer no", "customer code", "account"),
)
ORDER_NUMBER = Field(
    "order_number",
    text_up_to(64),
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
    text_up_to(64),
    required=True,
    filled=True,
    synonyms=("plan", "plan id", "tier", "subscription tier", "code"),
)
CURRENCY = Field("currency", cells.currency, blank=None, synonyms=("currency code", "curr"))

unknown_customer = unknown("customer_ref", Customer.ref, "no customer has this customer_ref; import customers first")
