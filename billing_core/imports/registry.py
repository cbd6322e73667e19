"""Every kind of import, in the order in which files depend on each other."""

from billing_core.imports import customers, orders, products, rates, services
from billing_core.imports.kinds import Definition, Kind

DEFINITIONS: dict[Kind, Definition] = {
    definition.kind: definition
    for definition in (
        customers.DEFINITION,
        services.DEFINITION,
        products.DEFINITION,
        rates.DEFINITION,
        orders.ORDERS,
        orders.ORDER_ITEMS,
    )
}
