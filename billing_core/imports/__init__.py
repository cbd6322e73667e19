"""CSV imports: staged, checked and merged, all or nothing."""

import enum


class Kind(enum.StrEnum):
    """In the order in which files depend on each other."""

    CUSTOMERS = "customers"
    SERVICES = "services"
    PRODUCTS = "products"
    RATES = "rates"
    ORDERS = "orders"
    ORDER_ITEMS = "order-items"
    PLANS = "plans"
    CUSTOMER_PLANS = "customer-plans"
    PROMO_CODES = "promo-codes"
    USAGE = "usage"
