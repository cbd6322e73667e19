"""Every kind of import, in the order in which files depend on each other."""

from billing_core.imports import Kind
from billing_core.imports.kind import Definition
from billing_core.imports.kinds import customers, orders, plans, products, promo_codes, rates, services, usage

DEFINITIONS: dict[Kind, Definition] = {
    definition.kind: definition
    for definition in (
        customers.DEFINITION,
        services.DEFINITION,
        products.DEFINITION,
        rates.DEFINITION,
        orders.ORDERS,
        orders.ORDER_ITEMS,
        plans.PLANS,
        plans.CUSTOMER_PLANS,
        promo_codes.DEFINITION,
        usage.DEFINITION,
    )
}
