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


class Lines(enum.StrEnum):
    """What becomes of the lines that the orders of a file have already. ADD: they stay, and those of the file come in
    addition. REPLACE: the orders have the lines of the file alone. CHANGE: a line of the file takes the place of its
    order's line of the same SKU or comes in addition, and the others stay.
    """

    ADD = "add"
    REPLACE = "replace"
    CHANGE = "change"


class Repeats(enum.StrEnum):
    """Which row of a file counts where several have one key and differ: the first of them, the last, or the one that a
    column of days or times says is the newest.
    """

    FIRST = "first"
    LAST = "last"
    NEWEST = "newest"
